"""Principal directions against known covariances."""

import math

import pytest
import torch

from tests.plots.looks import check_whole, drawn, pictures
from vipaint_pyro.plots import directions_figure, principal_directions


def gaussian(count=4000):
    """Draws 0.5 + 0.1 a u + 0.04 b v, with u and v of length 1 and orthogonal: (S, 1, 2, 3)."""
    u = torch.tensor([1.0, 0, 0, 0, -1, 0]).double() / math.sqrt(2)
    v = torch.tensor([0, 1.0, 1, 0, 0, 0]).double() / math.sqrt(2)
    a, b = torch.randn(2, count, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).clamp(-3, 3)
    return (0.5 + 0.1 * a * u + 0.04 * b * v).reshape(count, 1, 2, 3), u, v


def test_directions_of_gaussian_draws():
    x, u, v = gaussian()
    found = principal_directions(x)
    assert len(found.sds) == 2  # of rank two
    for pattern, way in zip(found.patterns, (u, v)):
        assert pattern.flatten() @ way == pytest.approx(1, abs=1e-3)  # the sign too: the first entry is the largest
    torch.testing.assert_close(found.sds, torch.tensor([0.1, 0.04]).double(), rtol=0.05, atol=0)
    assert found.shares.sum() == pytest.approx(1, abs=1e-12)
    assert found.shares[0] == pytest.approx(0.01 / 0.0116, abs=0.01)
    whole = x.flatten(1).T.cov()
    rebuilt = sum(s**2 * torch.outer(p.flatten(), p.flatten()) for s, p in zip(found.sds, found.patterns))
    torch.testing.assert_close(rebuilt, whole, rtol=0, atol=1e-12)


def test_only_the_hole_is_looked_at():
    x, _, v = gaussian()
    hole = torch.zeros(2, 3, dtype=torch.bool)
    hole[0, 1:] = True  # where v is, and nothing of u
    found = principal_directions(x, hole=hole[None])
    assert len(found.sds) == 1 and found.shares.tolist() == pytest.approx([1.0])
    assert found.patterns[0].flatten() @ v == pytest.approx(1, abs=1e-12)
    assert (found.patterns[0, 0][~hole] == 0).all()


def test_two_samples_have_their_difference():
    x = torch.tensor([[0.2, 0.5], [0.6, 0.5]]).double().reshape(2, 1, 1, 2)
    found = principal_directions(x)
    assert found.shares.tolist() == [1.0] and found.sds.tolist() == pytest.approx([0.4 / math.sqrt(2)])
    torch.testing.assert_close(found.at(0, 1 / math.sqrt(2)), x[1])
    torch.testing.assert_close(found.at(0, -1 / math.sqrt(2)), x[0])


def test_the_figure_draws_them():
    x, _, _ = gaussian(50)
    found = principal_directions(x)
    figure = directions_figure(x, side=60)
    check_whole(figure)
    shown = [drawn(axes) for axes in pictures(figure)]
    expected = [found.at(k, s)[0].clamp(0, 1).numpy() for k in range(2) for s in (-2, -1, 0, 1, 2)]
    assert all((a == b).all() for a, b in zip(shown, expected, strict=True))
    said = "\n".join(text.get_text() for text in figure.texts)
    assert all(f"{100 * share:.0f} %" in said for share in found.shares.tolist()) and "direction 2" in said
    assert "Together 100 %" in said
    labels = [axes.get_label() for axes in figure.axes]
    assert len({*labels}) == len(labels) == 10 and labels[0].endswith("\N{MINUS SIGN}2 sd")


def test_samples_that_are_the_same_have_none():
    figure = directions_figure(torch.full((3, 1, 2, 2), 0.25))
    assert "the same" in figure.texts[-1].get_text() and len(pictures(figure)) == 1
    check_whole(figure)


def test_what_has_no_directions_is_refused():
    x = torch.rand(3, 1, 2, 2)
    with pytest.raises(ValueError, match="2 or more"):
        principal_directions(x[:1])
    with pytest.raises(ValueError, match="count"):
        principal_directions(x, 0)
    with pytest.raises(ValueError, match="nothing is hidden"):
        principal_directions(x, hole=torch.zeros(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="True where pixels are hidden"):
        principal_directions(x, hole=torch.ones(2, 2))
