"""The bound's terms: all of them, under their names, each on its own scale."""

import numpy as np
import pytest
import torch

from tests.plots.looks import check_whole
from vipaint_pyro.plots import bound_figure, bound_terms

STEPS = torch.arange(40).double()
TERMS = {
    "y": torch.stack([4 + 1 / (1 + STEPS), 6 + 1 / (1 + STEPS)], 1),  # two images
    "z_t": 0.001 * torch.ones(40),
    "z_900": 0.002 * torch.ones(40),
    "z_500": 0.05 * STEPS / 40,
    "perceptual": 0.3 * torch.ones(40),
    "_latent": 0.7 * torch.ones(40),
}


def test_terms_are_summed_as_the_paper_names_them_and_none_is_lost():
    found = {t.name: t for t in bound_terms(TERMS, (900, 500))}
    assert [*found] == ["reconstruction", "perceptual", "KL at 500", "KL at 900 and above", "other sites"]
    torch.testing.assert_close(found["reconstruction"].values, 5 + 1 / (1 + STEPS))  # the mean over images
    np.testing.assert_allclose(found["KL at 900 and above"].values, 0.003, atol=1e-9)
    total = sum(t.values for t in found.values())
    torch.testing.assert_close(total, sum((v if v.ndim == 1 else v.mean(1)).double() for v in TERMS.values()))
    assert "_latent" in found["other sites"].words


def test_a_method_without_levels_has_a_regulariser():
    assert [t.name for t in bound_terms({"y": STEPS, "z_0": STEPS})] == ["reconstruction", "regulariser"]


def test_a_panel_for_each_on_its_own_scale():
    figure = bound_figure(TERMS, (900, 500))
    check_whole(figure)
    shown = {axes.get_title("left"): axes for axes in figure.axes if axes.get_visible()}
    found = {t.name: t.values for t in bound_terms(TERMS, (900, 500))}
    found["minus the bound"] = sum(found.values())
    assert shown.keys() == found.keys()
    for name, axes in shown.items():
        line = axes.lines[0]
        np.testing.assert_allclose(line.get_ydata(), found[name].numpy())
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 41))
        low, high = axes.get_ylim()
        spread = np.ptp(line.get_ydata())
        assert high - low <= 1.2 * spread or spread == 0  # its line fills its panel
        end = float(found[name][-10:].mean())
        assert axes.get_title("right") == f"at the end {end:.3g}"
        assert axes.texts[0].get_text()  # words for newcomers
    mean = shown["KL at 500"].lines[1]
    np.testing.assert_allclose(mean.get_ydata(), np.convolve(found["KL at 500"], np.ones(4) / 4, "valid"))
    np.testing.assert_array_equal(mean.get_xdata(), np.arange(4, 41))


def test_one_term_is_the_bound_and_no_step_is_refused():
    assert [axes.get_title("left") for axes in bound_figure({"y": STEPS[:3]}).axes] == ["minus the bound"]
    for terms in ({}, {"y": torch.zeros(0)}):
        with pytest.raises(ValueError, match="no step"):
            bound_figure(terms)
    with pytest.raises(ValueError, match=r"\(steps, N\)"):
        bound_figure({"y": torch.zeros(2, 3, 4)})
