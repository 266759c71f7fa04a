"""TARP by hand, against sbi, on a conjugate Gaussian and on wrong ones."""

import math
from dataclasses import replace

import pytest
import torch

from tests.calibration.conjugate import conjugate
from vipaint_pyro.calibration import tarp


def test_ranks_and_curve_by_hand():
    # On a line, references at 0: the rank counts the draws of smaller |x|.
    truths = torch.tensor([[2.5], [-0.5], [1.5], [9.0]], dtype=torch.float64)
    samples = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)[:, None].expand(4, 3, 1)
    r = tarp(truths, samples, torch.zeros_like(truths))
    assert r.ranks.tolist() == [2, 0, 1, 3]
    assert r.alpha.tolist() == r.ecp.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert r.atc == pytest.approx(0)
    assert tarp(truths[:3], samples[:3], torch.zeros(3, 1)).ecp.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])


@pytest.mark.parametrize("draws", [9, 10])
def test_area_is_the_sum_over_the_curve(draws):
    x, samples, _, _ = conjugate(problems=50, draws=draws, width=0.7)
    r = tarp(x, samples)
    upper = r.alpha >= 0.5
    assert r.atc == pytest.approx(((r.ecp - r.alpha)[upper].sum() / (draws + 1)).item())


def test_standard_error_of_the_area():
    # u uniform adds min(1/2, 1 - u) - 3/8 to the area, whose variance is 5/192.
    x, samples, _, _ = conjugate(problems=100, draws=999, dim=1)
    assert tarp(x, samples).atc_standard_error == pytest.approx(math.sqrt(5 / 192 / 100), rel=1e-2)
    areas = torch.tensor([tarp(*conjugate(100, 19, 2, seed=s)[:2]).atc for s in range(100)])
    assert areas.std().item() == pytest.approx(math.sqrt(5 / 192 / 100), rel=0.3)
    assert abs(areas.mean().item()) < 4 * math.sqrt(5 / 192 / 10000)


def test_curve_agrees_with_sbi():
    sbi = pytest.importorskip("sbi.diagnostics.tarp")
    x, samples, _, _ = conjugate(problems=400, draws=99, width=0.7)
    references = torch.rand(400, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 6 - 3
    r = tarp(x, samples, references)
    ecp, alpha = sbi._run_tarp(samples.transpose(0, 1), x, references)
    f = r.ranks / r.num_draws
    assert alpha[[0, -1]].tolist() == pytest.approx([f.min().item(), f.max().item()])
    # sbi's bins hold their lower edge, hence shares strictly below the grid's points.
    grid = alpha[1:-1].double()
    ours = (f.double() < grid[:, None]).double().mean(1)
    assert (ours - ecp[1:-1]).abs().max() < 3e-3  # a share on an edge may fall on either side
    area, _ = sbi.check_tarp(ecp, alpha)
    assert r.atc < -0.03 and r.atc == pytest.approx(area, abs=0.01)


@pytest.mark.parametrize(
    "wrong, words",
    [({"width": 0.6}, "too narrow or biased"), ({"width": 1.6}, "too wide"), ({"shift": 1.0}, "too narrow or biased")],
)
def test_wrong_posteriors_are_named(wrong, words):
    x, samples, _, _ = conjugate(**wrong)
    r = tarp(x, samples)
    assert r.p_value < 0.01 and r.verdict.startswith(f"not calibrated, {words} (p = ")
    assert (r.dispersion < 0) == (words == "too wide")
    if "shift" not in wrong:
        assert (r.atc > 0) == (words == "too wide") and abs(r.atc) > 3 * r.atc_standard_error
        assert r.coverage.verdict.startswith(words)


def test_exact_posterior_is_calibrated():
    x, samples, y, _ = conjugate()
    for references in (None, y, torch.zeros_like(y)):
        r = tarp(x, samples, references)
        assert r.p_value > 0.05 and r.verdict.startswith("calibrated (p = ")
        assert r.coverage.expected.tolist() == [0.5, 0.8, 0.9] and r.coverage.p_value > 0.05
        torch.testing.assert_close(r.coverage.coverage, r.ecp[[50, 80, 90]])


def test_prior_passes_unless_the_references_know_the_data():
    x, samples, y, _ = conjugate()
    samples = torch.randn(samples.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert tarp(x, samples).p_value > 0.05
    assert tarp(x, samples, y).p_value < 1e-6


def test_either_test_rejects():
    truths = torch.tensor([1.0, 3.0]).repeat(100)[:, None]
    samples = torch.tensor([0.0, 2.0, 4.0, 5.0])[:, None].expand(200, 4, 1)
    r = tarp(truths, samples, torch.zeros_like(truths))
    assert r.ranks[:2].tolist() == [1, 2] and r.p_value == 2 * r.dispersion_p_value
    r = tarp(truths, torch.zeros(200, 4, 1), torch.zeros_like(truths))
    assert r.verdict.startswith("not calibrated, biased or misshapen (p = ") and r.p_value == 2 * r.ks_p_value
    assert "misshapen" in replace(r, dispersion_p_value=0.03).verdict  # two tests: 0.03 is not enough


def test_point_mass_at_the_truth_ties():
    x = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    assert tarp(x, x[:, None].expand(500, 9, 4).clone()).p_value > 0.01


def test_default_references_are_seeded_and_in_the_box():
    x, samples, _, _ = conjugate(40, 9)
    state = torch.get_rng_state()
    ranks = [tarp(x, samples, generator=torch.Generator().manual_seed(s)).ranks for s in (7, 7, 8)]
    assert torch.equal(ranks[0], ranks[1]) and not torch.equal(ranks[0], ranks[2])
    assert torch.equal(tarp(x, samples).ranks, tarp(x, samples).ranks)
    assert torch.equal(torch.get_rng_state(), state)
    u = torch.rand(40, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    box = x.min(0).values + (x.max(0).values - x.min(0).values) * u
    assert torch.equal(tarp(x, samples, box).ranks, ranks[0])


def test_default_references_do_not_come_from_the_stream_of_the_truths():
    x = torch.rand(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    g = torch.Generator().manual_seed(1)
    assert tarp(x, torch.rand(400, 50, 3, generator=g, dtype=torch.float64)).p_value > 0.05


def test_plot_shows_the_curve():
    x, samples, _, _ = conjugate(40, 9)
    r = tarp(x, samples)
    ax = r.plot()
    assert ax.lines[1].get_xdata().tolist() == r.alpha.tolist()
    assert ax.lines[1].get_ydata().tolist() == r.ecp.tolist()
    assert ax.get_ylabel() == "expected coverage"


def test_bad_input():
    with pytest.raises(ValueError, match="references have the shape of truths"):
        tarp(torch.zeros(4, 2), torch.zeros(4, 5, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="references has to be finite"):
        tarp(torch.zeros(4, 2), torch.zeros(4, 5, 2), torch.full((4, 2), torch.nan))
    with pytest.raises(ValueError, match="differ in P or D"):
        tarp(torch.zeros(4, 2), torch.zeros(4, 5, 3))


def test_balls_are_euclidean():
    # From the origin (2, 2) lies nearer than (3, 0), though farther along the axes.
    truths, samples = torch.full((2, 2), 2.0), torch.tensor([[[3.0, 0.0]], [[1.0, 0.0]]])
    assert tarp(truths, samples, torch.zeros(2, 2)).ranks.tolist() == [0, 1]
