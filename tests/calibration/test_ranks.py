"""Ranks by hand, the tests' nominal level, and the ECDF by counting."""

import pytest
import torch
from scipy.stats import binomtest, kstest

from vipaint_pyro.calibration.checks import own_generator
from vipaint_pyro.calibration.ranks import (
    bias_and_dispersion,
    ecdf,
    ks_band,
    mean_score,
    normal_p_value,
    random_ranks,
    ranks_inside,
    uniform_p_value,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_rank_counts_the_draws_below():
    truths = torch.tensor([[0.5, 9.0], [-1.0, 0.0]])
    samples = torch.tensor([[[0.1, 1.0], [0.4, 2.0], [0.9, 3.0]], [[0.0, -2.0], [1.0, 3.0], [2.0, 1.0]]])
    assert random_ranks(truths, samples).tolist() == [[2, 3], [0, 1]]


def test_ties_are_broken_evenly():
    # Truth 1, draws 0 1 1 2: the truth takes one of three places, ranks 1, 2 and 3.
    truths = torch.ones(3000, 1, dtype=torch.long)
    ranks = random_ranks(truths, torch.tensor([0, 1, 1, 2]).expand(3000, 4)[..., None], generator())
    counts = torch.bincount(ranks[:, 0], minlength=5).tolist()
    assert counts[0] == counts[4] == 0
    assert all(binomtest(k, 3000, 1 / 3).pvalue > 1e-3 for k in counts[1:4])


@pytest.mark.parametrize("draws, problems", [(1, 40), (9, 40), (9, 400)])
def test_p_values_of_uniform_ranks_are_uniform(draws, problems):
    g = generator(1)
    ranks = torch.randint(draws + 1, (400, problems), generator=g)
    p = [uniform_p_value(r, draws, g) for r in ranks]
    assert kstest(p, "uniform").pvalue > 1e-3


def test_uniform_p_value_sees_a_gap():
    ranks = torch.randint(9, (2000,), generator=generator())
    assert uniform_p_value(ranks, 8) > 1e-3 > uniform_p_value(ranks, 9)


def test_mean_score_and_its_error():
    g = generator(2)
    ranks = torch.randint(6, (100, 400), generator=g)
    scores = torch.tensor([-1.0, -1, -1, 1, 1, 1], dtype=torch.float64)
    mean, error = mean_score(ranks, scores)
    torch.testing.assert_close(mean, 2 * (ranks >= 3).double().mean(0) - 1)
    assert error == pytest.approx(0.1)
    assert normal_p_value(torch.tensor([0.196, -0.196]), 0.1).tolist() == pytest.approx([0.05] * 2, abs=1e-4)
    assert normal_p_value(mean[:2], 0.0).tolist() == [1, 1]


@pytest.mark.parametrize("draws", [1, 9, 99])
def test_bias_and_dispersion_have_their_level(draws):
    ranks = torch.randint(draws + 1, (200, 2000), generator=generator(2))
    bias, bias_p, _, spread_p = bias_and_dispersion(ranks, draws)
    v = (ranks + 0.5) / (draws + 1) - 0.5
    torch.testing.assert_close(bias, 2 * v.double().mean(0), rtol=1e-5, atol=1e-6)
    assert binomtest(int((bias_p < 0.05).sum()), 2000, 0.05).pvalue > 1e-3
    rejected = int((spread_p < 0.05).sum())
    assert rejected == 0 if draws == 1 else binomtest(rejected, 2000, 0.05).pvalue > 1e-3


def test_bias_is_not_taken_for_dispersion():
    # Ranks in the upper half: farther from 0 on average than a uniform's, yet less spread.
    ranks = torch.arange(60, 100).repeat(5)
    bias, bias_p, spread, spread_p = bias_and_dispersion(ranks, 99)
    assert bias == pytest.approx(0.6) and bias_p < 1e-6 and spread == 0 and spread_p == 1


def test_bias_and_dispersion_by_hand():
    # Of four ranks v = -3/8, -1/8, 1/8, 3/8 of variance 5/64; here -3/8, 3/8, 3/8, of 9/64 about 0 and 1/8 about 1/8.
    bias, _, spread, _ = bias_and_dispersion(torch.tensor([0, 3, 3]), 3)
    assert bias.item() == pytest.approx(0.25) and spread.item() == pytest.approx(0.6)


def test_ecdf_counts():
    ranks = torch.tensor([[0, 2], [2, 2], [1, 0], [2, 1]])
    expected, shares = ecdf(ranks, 2)
    torch.testing.assert_close(expected, torch.tensor([0, 1 / 3, 2 / 3, 1], dtype=torch.float64))
    assert shares.T.tolist() == [[0, 0.25, 0.5, 1], [0, 0.25, 0.5, 1]]
    assert ecdf(ranks[:, 0], 2)[1].tolist() == [0, 0.25, 0.5, 1]


def test_ks_band_holds_whole_curves():
    u = torch.rand(1000, 50, generator=generator(3), dtype=torch.float64)
    reach = torch.tensor([kstest(row, "uniform").statistic for row in u])
    assert binomtest(int((reach < ks_band(50)).sum()), 1000, 0.95).pvalue > 1e-3


def test_ranks_inside_is_not_misled_by_rounding():
    assert [ranks_inside(a, 99) for a in (0.5, 0.8, 0.9, 0.95)] == [50, 80, 90, 95]
    assert 0.07 * 100 > 7 and ranks_inside(0.07, 99) == 7
    assert ranks_inside(0.5, 100) == 51


def test_generators():
    state = torch.get_rng_state()
    first, again = (torch.rand(2, generator=own_generator(None)) for _ in range(2))
    assert torch.equal(first, again) and not torch.equal(first, torch.rand(2, generator=generator()))
    assert own_generator(g := generator()) is g
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(TypeError, match="not int; for a seed write"):
        own_generator(3)
