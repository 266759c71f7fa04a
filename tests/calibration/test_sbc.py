"""SBC by hand, on a conjugate Gaussian and on wrong ones, and what its pictures show."""

import pytest
import torch
from scipy.stats import binom

from tests.calibration.conjugate import conjugate
from vipaint_pyro.calibration import SBCResult, sbc
from vipaint_pyro.calibration.ranks import ks_band


def result(ranks, num_draws):
    """SBC of draws 1..L with the truth placed so that it has these ranks (P, Q)."""
    draws = torch.arange(1, num_draws + 1.0)
    samples = draws[:, None].expand(len(ranks), num_draws, ranks.shape[1])
    return sbc(ranks + 0.5, samples)


def test_ranks_bias_and_dispersion_by_hand():
    r = result(torch.tensor([[0, 1], [3, 1], [0, 2], [3, 2]]), 3)
    assert r.ranks.T.tolist() == [[0, 3, 0, 3], [1, 1, 2, 2]] and r.num_draws == 3
    # u less 1/2 is -3/8, -1/8, 1/8, 3/8: mean square 5/64.
    torch.testing.assert_close(r.bias, torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(r.dispersion, torch.tensor([9 / 5 - 1, 1 / 5 - 1], dtype=torch.float64))
    assert result(torch.tensor([[3], [2]]), 3).bias.tolist() == [0.5]


def test_exact_posterior_is_calibrated():
    x, samples, y, _ = conjugate()
    near = -(samples - y[:, None]).square().sum(-1, keepdim=True)  # log p(y | x) up to a constant
    r = sbc(
        torch.cat([x, -(x - y).square().sum(1, keepdim=True)], 1), torch.cat([samples, near], -1), names=[*"abc", "ll"]
    )
    assert isinstance(r, SBCResult) and r.p_value > 0.05 and r.verdict.startswith("calibrated (p = ")
    assert {r.words(i) for i in range(4)} == {"calibrated"}


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"width": 0.7}, "too narrow"),
        ({"width": 1.5}, "too wide"),
        ({"shift": 0.5}, "biased high"),
        ({"shift": -0.5}, "biased low"),
    ],
)
def test_wrong_posteriors_are_named(wrong, words):
    x, samples, _, _ = conjugate(**wrong)
    r = sbc(x, samples)
    assert r.p_value < 0.01 and [words in r.words(i) for i in range(3)] == [True] * 3
    assert r.verdict.startswith("not calibrated (p = ") and f"; x2 {words}" in r.verdict
    opposite = {"too narrow": "too wide", "too wide": "too narrow"}.get(words, "too")
    assert opposite not in r.verdict


def test_one_wrong_quantity_is_found_and_the_others_are_not_blamed():
    x, samples, _, _ = conjugate()
    samples[..., 1] += 0.3
    assert sbc(x, samples, names="abc").verdict.split("; ")[1:] == ["b biased high"]


def test_uneven_ranks_without_bias_or_spread():
    # Mean and variance as a uniform's, yet only 2 of 100 ranks occur.
    r = result(torch.tensor([21, 78]).repeat(50)[:, None], 99)
    assert abs(r.dispersion.item()) < 0.05 and r.words(0) == "not uniform"


def test_prior_passes_on_coordinates_and_fails_on_the_likelihood():
    x, samples, y, _ = conjugate()
    samples = torch.randn(samples.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert sbc(x, samples).p_value > 0.05
    loglik = [-(v - w).square().sum(-1, keepdim=True) for v, w in ((x, y), (samples, y[:, None]))]
    assert sbc(*loglik).p_value < 1e-6


def test_discrete_quantity():
    g = torch.Generator().manual_seed(0)
    index = torch.randint(3, (300, 1), generator=g)
    assert sbc(index, torch.randint(3, (300, 50, 1), generator=g)).p_value > 0.05
    assert sbc(index, torch.randint(2, (300, 50, 1), generator=g)).p_value < 0.01


def test_p_value_is_corrected_for_all_tests():
    r = result(torch.randint(10, (50, 4), generator=torch.Generator().manual_seed(0)), 9)
    least = min(p.min().item() for p in (r.p_values, r.bias_p_values, r.dispersion_p_values))
    assert r.p_value == pytest.approx(min(1, 12 * least)) and r.p_values.shape == (4,)


def test_seeded_and_dtypes():
    x, samples, _, _ = conjugate(50, 9)
    state = torch.get_rng_state()
    p = [sbc(x, samples, torch.Generator().manual_seed(s)).p_values for s in (1, 1, 2)]
    assert torch.equal(p[0], p[1]) and not torch.equal(p[0], p[2])
    assert torch.equal(torch.get_rng_state(), state)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert sbc(x.to(dtype), samples.to(dtype)).p_value > 0.01


def test_histogram():
    ranks = torch.randint(100, (400, 2), generator=torch.Generator().manual_seed(0))
    ax = result(ranks, 99).plot(kind="histogram", quantity=1)
    heights = torch.tensor([p.get_height() for p in ax.patches[:20]], dtype=torch.float64)
    torch.testing.assert_close(heights, torch.histc(ranks[:, 1].double(), 20, 0, 100) / 20)
    assert [p.get_width() for p in ax.patches[:20]] == [5] * 20 and ax.get_xlabel() == "rank of x1"
    low, high = ax.patches[20:]  # 400 ranks, 20 bars of probability 1/20
    assert low.get_data().values.tolist() == pytest.approx([binom.ppf(0.025, 400, 0.05) / 20] * 20)
    assert high.get_data().values.tolist() == pytest.approx([binom.ppf(0.975, 400, 0.05) / 20] * 20)
    # 7 ranks: a bar for each. 23: 20 bars of one or two ranks, whose heights stay about 1.
    assert len(result(ranks % 7, 6).plot(kind="histogram").containers[0]) == 7
    bars = result(torch.arange(23).repeat(10)[:, None], 22).plot(kind="histogram").containers[0]
    assert {b.get_width() for b in bars} == {1, 2} and [b.get_height() for b in bars] == pytest.approx([1] * 20)


def test_ecdf_plot():
    r = result(torch.tensor([[0, 1], [3, 1], [0, 2], [3, 2]]), 3)
    from matplotlib.figure import Figure

    given = Figure().subplots()
    ax = r.plot(given)
    assert ax is given and [line.get_label() for line in ax.lines] == ["x0", "x1"]
    assert ax.lines[0].get_ydata().tolist() == [0, 0.25, 0, -0.25, 0]
    band = ax.patches[0].get_bbox()
    assert (band.y0, band.y1) == (-ks_band(4), ks_band(4))
    assert ax.lines[1].get_xdata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert ax.lines[1].get_ydata().tolist() == [0, -0.25, 0, 0.25, 0]


@pytest.mark.parametrize(
    "truths, samples, message",
    [
        (torch.zeros(4), torch.zeros(4, 5, 1), r"truths has the shape \(P, Q\)"),
        (torch.zeros(4, 1), torch.zeros(4, 5), r"samples has the shape \(P, L, Q\)"),
        (torch.zeros(4, 1), torch.zeros(4, 0, 1), "none of it zero"),
        (torch.zeros(4, 2), torch.zeros(4, 5, 1), "differ in P or Q"),
        (torch.zeros(1, 2), torch.zeros(4, 5, 2), "differ in P or Q"),
        (torch.full((4, 1), torch.nan), torch.zeros(4, 5, 1), "truths has to be finite: 4 of its 4"),
        ([[0.0]], torch.zeros(4, 5, 1), "is a tensor .* not list"),
    ],
)
def test_bad_input(truths, samples, message):
    with pytest.raises(ValueError, match=message):
        sbc(truths, samples)


def test_bad_options():
    x, samples = torch.zeros(4, 2), torch.zeros(4, 5, 2)
    with pytest.raises(ValueError, match="3 names for 2 quantities"):
        sbc(x, samples, names="abc")
    with pytest.raises(ValueError, match="'ecdf' or 'histogram', not 'pie'"):
        sbc(x, samples).plot(kind="pie")


def test_of_few_problems_nothing_is_said():
    generator = torch.Generator().manual_seed(0)
    few, more = (
        sbc(torch.randn(n, 3, generator=generator), torch.randn(n, 99, 3, generator=generator)).verdict for n in (4, 50)
    )
    assert few == "unknown (too few problems: 4, and 200 or more are advisable)" and more.startswith("calibrated")
