"""Coverage by hand, by closed form for a posterior of wrong width, and what its picture shows."""

import math

import pytest
import torch
from scipy.stats import beta, binom

from tests.calibration.conjugate import conjugate
from vipaint_pyro.calibration import coverage, interval_coverage


def test_hpd_by_hand():
    # Four draws, so five equally likely ranks; the truths have 0, 1 and 4 draws of higher density.
    draws = torch.tensor([-1.0, -2, -3, -4]).expand(3, 4)
    r = coverage(torch.tensor([0.0, -1.5, -9]), draws, levels=(0.2, 0.4, 0.5, 0.8))
    assert r.expected.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert r.counts.tolist() == [1, 2, 2, 2] and r.num_problems == 3
    torch.testing.assert_close(r.coverage, torch.tensor([1, 2, 2, 2], dtype=torch.float64) / 3)


def test_interval_by_hand():
    draws = torch.arange(1, 10.0)[:, None].expand(5, 9, 1)  # ten ranks
    r = interval_coverage(torch.tensor([0.0, 1.5, 5.5, 8.5, 9.5])[:, None], draws, levels=(0.8, 0.2, 0.5))
    # Ranks 0, 1, 5, 8, 9; the intervals leave 1, 4 and 2 ranks out on either side.
    assert r.counts.tolist() == [[3, 1, 1]] and r.expected.tolist() == pytest.approx([0.8, 0.2, 0.6])


def test_interval_and_test_are_exact_binomial():
    draws = torch.arange(1, 10.0).expand(20, 9)
    r = coverage(torch.tensor([9.5] * 7 + [0.5] * 13), draws, levels=(0.5,))
    assert r.counts.tolist() == [7]
    assert r.low.item() == pytest.approx(beta.ppf(0.025, 7, 14))
    assert r.high.item() == pytest.approx(beta.ppf(0.975, 8, 13))
    assert r.p_values.item() == pytest.approx(2 * binom.cdf(7, 20, 0.5))


@pytest.mark.parametrize("draws", [9, 99, 100])
def test_exact_posterior_is_covered(draws):
    x, samples, _, log_prob = conjugate(problems=400, draws=draws)
    for r in (coverage(log_prob(x[:, None])[:, 0], log_prob(samples)), interval_coverage(x, samples)):
        assert r.verdict.startswith("calibrated (p = ") and r.p_value > 0.05


def test_few_draws_still_give_the_expected_coverage():
    # With 3 draws, the level 0.6 comes to 3 of 4 ranks.
    x, samples, _, log_prob = conjugate(problems=4000, draws=3)
    r = coverage(log_prob(x[:, None])[:, 0], log_prob(samples), levels=(0.6,))
    assert r.expected.tolist() == [0.75] and r.p_value > 0.01


@pytest.mark.parametrize("width, words", [(0.6, "too narrow or biased"), (1.6, "too wide")])
def test_wrong_width_has_the_coverage_of_theory(width, words):
    x, samples, _, log_prob = conjugate(problems=500, draws=199, width=width)
    levels = torch.tensor([0.5, 0.8, 0.9], dtype=torch.float64)
    hpd = coverage(log_prob(x[:, None])[:, 0], log_prob(samples), levels)
    # |x - mean|^2 / variance is chi-squared of 3 degrees: the ball of q reaches width times as far.
    chi2 = torch.distributions.Chi2(torch.tensor(3.0, dtype=torch.float64))
    radius = torch.tensor([2.365973884, 4.641627676, 6.251388631], dtype=torch.float64)
    theory = torch.special.gammainc(chi2.df / 2, width**2 * radius / 2)
    assert ((hpd.low - 0.01 < theory) & (theory < hpd.high + 0.01)).all()
    normal = torch.distributions.Normal(0.0, 1.0)
    theory = 2 * normal.cdf(width * normal.icdf((1 + levels) / 2)) - 1
    central = interval_coverage(x, samples, levels)
    assert ((central.low - 0.01 < theory) & (theory < central.high + 0.01)).all()
    assert hpd.verdict.startswith(f"{words} (p = ") and central.verdict.startswith(f"{words} (p = ")


def test_biased_posterior_is_rejected():
    x, samples, _, log_prob = conjugate(shift=1.0)
    assert coverage(log_prob(x[:, None])[:, 0], log_prob(samples)).verdict.startswith("too narrow or biased")
    assert interval_coverage(x, samples).p_value < 1e-6


def test_ties_and_impossible_truths():
    # All densities equal: any rank is as likely. A truth of density 0 lies in no region.
    r = coverage(torch.zeros(2000), torch.zeros(2000, 9), levels=(0.5, 0.9))
    assert r.p_value > 0.01 and 0 < r.counts[0] < r.counts[1] < 2000
    assert coverage(torch.full((5,), -math.inf), torch.zeros(5, 9)).counts.tolist() == [0, 0, 0]


def test_p_value_is_corrected_for_levels_and_quantities():
    x, samples, _, _ = conjugate(problems=60, draws=19)
    r = interval_coverage(x, samples)
    assert r.p_values.shape == r.counts.shape == r.low.shape == (3, 3)
    assert r.p_value == pytest.approx(min(1, 9 * r.p_values.min().item()))


def test_plot_shows_the_values():
    x, samples, _, _ = conjugate(problems=60, draws=19)
    r = interval_coverage(x, samples)
    ax = r.plot()
    for i, bars in enumerate(ax.containers):
        assert bars.lines[0].get_ydata().tolist() == r.coverage[i].tolist()
        assert bars.lines[0].get_xdata().tolist() == r.expected.tolist()
        ends = torch.tensor([s[:, 1].tolist() for s in bars.lines[2][0].get_segments()], dtype=torch.float64)
        torch.testing.assert_close(ends, torch.stack([r.low[i], r.high[i]], 1))
    assert len(ax.containers) == 3 and ax.get_xlabel() == "expected coverage"


def test_bad_input():
    good = torch.zeros(4), torch.zeros(4, 5)
    for levels in ((), (0.5, 1.0), (0.0,), 0.9):
        with pytest.raises(ValueError, match="levels lie between 0 and 1, both excluded, one or more in a list"):
            coverage(*good, levels)
    with pytest.raises(ValueError, match=r"truth_log_prob has the shape \(P,\)"):
        coverage(torch.zeros(4, 1), good[1])
    with pytest.raises(ValueError, match="4 problems, sample_log_prob 3"):
        coverage(good[0], torch.zeros(3, 5))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"sample_log_prob has to be finite \(or -inf\)"):
            coverage(good[0], torch.full((4, 5), bad))
    with pytest.raises(ValueError, match="none of it zero"):
        interval_coverage(torch.zeros(4, 1), torch.zeros(4, 0, 1))
