"""Grids of samples, means, levels and fits: what is drawn is what was given."""

import numpy as np
import PIL.Image
import pytest
import torch

from tests.plots.looks import check_whole, drawn, pictures
from vipaint_pyro.plots import fit_figure, levels_figure, mean_spread_figure, samples_figure

X = torch.rand(4, 3, 8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def titles(figure):
    return [axes.get_title() for axes in pictures(figure)]


def same(axes, x):
    np.testing.assert_array_equal(drawn(axes), x.permute(1, 2, 0).numpy())


def test_samples_in_their_order_after_what_was_given():
    observed = PIL.Image.fromarray((255 * X[0]).byte().permute(1, 2, 0).numpy())
    figure = samples_figure(X, observed=observed, truth=X[1], title="What may be there")
    assert titles(figure) == ["truth", "observed", *(f"sample {k}" for k in range(4))]
    for axes, x in zip(pictures(figure)[2:], X, strict=True):
        same(axes, x)
    same(pictures(figure)[0], X[1])
    check_whole(figure)


def test_the_most_different_first():
    x = torch.tensor([0.0, 0.1, 1.0, 0.5]).reshape(4, 1, 1, 1).expand(4, 1, 2, 2)
    figure = samples_figure(x, most_different_first=True)
    assert titles(figure) == ["sample 0", "sample 2", "sample 3", "sample 1"]
    assert [float(drawn(axes)[0, 0]) for axes in pictures(figure)] == pytest.approx([0, 1, 0.5, 0.1])


@pytest.mark.parametrize("count, rows", [(1, 1), (7, 1), (8, 2), (10, 2), (12, 2)])
def test_few_places_stay_empty(count, rows):
    figure = samples_figure(torch.zeros(count, 1, 2, 2), side=20, names=[f"{k}" for k in range(count)])
    assert len({round(axes.get_position().y0, 6) for axes in figure.axes}) == rows


def test_long_names_and_large_pictures_are_whole():
    figure = samples_figure(X, names=["a name that is much wider than its picture"] * 4, side=12, title="t" * 90)
    check_whole(figure)
    large = samples_figure(torch.zeros(2, 1, 700, 300), side=100)
    check_whole(large)
    assert max(large.get_size_inches() * large.dpi) < 500


def test_mean_and_standard_deviation_are_the_true_ones():
    figure = mean_spread_figure(X, observed=X[0])
    assert titles(figure) == ["observed", "posterior mean", "standard deviation"]
    _, mean, spread = pictures(figure)
    np.testing.assert_allclose(drawn(mean), X.numpy().mean(0).transpose(1, 2, 0), atol=1e-15)
    expected = np.sqrt(X.numpy().var(0, ddof=1).mean(0))
    np.testing.assert_allclose(drawn(spread), expected, atol=1e-15)
    assert spread.images[0].get_clim() == (0, expected.max())
    (bar,) = [axes for axes in figure.axes if axes.get_label() == "scale"]
    assert bar.get_ylabel() == "standard deviation, in units of [0, 1]"
    *_, low = mean_spread_figure(torch.rand(2, 1, 8, 40), side=200).axes
    assert low.get_ylabel() == "standard\ndeviation"
    check_whole(figure)


def test_one_sample_has_a_mean_alone():
    figure = mean_spread_figure(X[:1])
    assert titles(figure) == ["posterior mean"] and "no standard deviation" in figure.texts[-1].get_text()
    check_whole(figure)


def test_levels_from_noise_to_clean():
    figure = levels_figure({900: X * 0.5, 100: X * 0.9}, X, observed=X[0], most=2)
    axes = pictures(figure)
    assert len(axes) == 1 + 2 * 3 and titles(figure)[:4] == [
        "observed", r"$E[x\,|\,z_{900}]$", r"$E[x\,|\,z_{100}]$", "refined",
    ]  # fmt: skip
    for row in range(2):
        for place, x in zip(axes[1 + 3 * row :], (X[row] * 0.5, X[row] * 0.9, X[row])):
            same(place, x)
    assert {"sample 0", "sample 1"} <= {text.get_text() for text in figure.texts}
    assert len({a.get_label() for a in axes}) == 7
    check_whole(figure)
    with pytest.raises(ValueError, match="level 900 holds 2 samples, but there are 4"):
        levels_figure({900: X[:2]}, X)


def test_rows_are_steps_of_the_fit_and_columns_draws():
    figure = fit_figure({1: X[:2] * 0.3, 50: X[:2]}, observed=X[3])
    axes = pictures(figure)
    assert titles(figure)[:3] == ["observed", "draw 0", "draw 1"]
    for place, x in zip(axes, (X[3], *(X[:2] * 0.3), *X[:2]), strict=True):
        same(place, x)
    assert {"step 1", "step 50"} <= {text.get_text() for text in figure.texts}
    check_whole(figure)
    with pytest.raises(ValueError, match="no step"):
        fit_figure({})
    with pytest.raises(ValueError, match="as many samples"):
        fit_figure({1: X, 2: X[:1]})


@pytest.mark.parametrize(
    "samples, words",
    [
        (2 * X - 1, "from_model"),
        (X[:, :2], "C = 1 or 3"),
        (X[0], "S, C, H, W"),
        (X / 0, "not finite"),
        (X > 0.5, "bool"),
    ],
)
def test_what_are_no_samples_is_refused_before_anything_is_drawn(samples, words):
    with pytest.raises((ValueError, TypeError), match=words):
        samples_figure(samples)


def test_names_are_one_each():
    with pytest.raises(ValueError, match="3 names for 4 samples"):
        samples_figure(X, names=["a", "b", "c"])
