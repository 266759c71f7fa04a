"""The rank of the truth among posterior draws, uniform on 0..L if the posterior is right."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import own_generator, uniform

__all__ = [
    "bias_and_dispersion",
    "ecdf",
    "ks_band",
    "mean_score",
    "normal_p_value",
    "random_ranks",
    "ranks_inside",
    "uniform_p_value",
]


def random_ranks(truths: Tensor, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """How many of the L draws lie below the truth; a draw equal to it does so at random.

    Given the data, the truth and L draws from the exact posterior are exchangeable, so that the
    rank is uniform on 0..L. Among ties every place must be equally likely, or a discrete quantity
    would fail.

    Args:
        truths: (P, Q), of any dtype with an order.
        samples: (P, L, Q).
        generator: of the places among ties; None is a new one with a fixed seed.

    Returns:
        (P, Q), integers in 0..L.
    """
    below = (samples < truths[:, None]).sum(1)
    ties = (samples == truths[:, None]).sum(1)
    place = uniform(tuple(truths.shape), own_generator(generator), truths) * (ties + 1)
    return below + place.long()


def uniform_p_value(ranks: Tensor, num_draws: int, generator: torch.Generator | None = None) -> float:
    r"""Kolmogorov-Smirnov p value of ranks (P,) against the uniform on 0..L.

    The ranks are first spread to :math:`u = (r + U)/(L + 1)`, U uniform on [0, 1): u is then
    exactly uniform on [0, 1) under the null, so that the test has its nominal level whatever L and P.

    Args:
        ranks: (P,), integers in 0..L.
        num_draws: L >= 1.
        generator: of U; None is a new one with a fixed seed.
    """
    from scipy.stats import kstest

    u = (ranks + uniform(tuple(ranks.shape), own_generator(generator), ranks)) / (num_draws + 1)
    return float(kstest(u.cpu().numpy(), "uniform").pvalue)


def mean_score(ranks: Tensor, scores: Tensor) -> tuple[Tensor, float]:
    """Mean score of the ranks, and its standard error for uniform ranks.

    Args:
        ranks: (P, *), integers in 0..L.
        scores: (L + 1,), float64, the score of each rank, of mean zero.

    Returns:
        The mean over the problems (*) and its standard deviation, an exact sum over 0..L.
    """
    return scores[ranks.cpu()].mean(0), scores.std(unbiased=False).item() / math.sqrt(len(ranks))


def normal_p_value(mean: Tensor, error: float) -> Tensor:
    """Two-sided p values of normal means (*) with this standard error; 1 where it is zero."""
    z = mean.abs() / error if error > 0 else torch.zeros_like(mean)
    return torch.special.erfc(z / math.sqrt(2))


def bias_and_dispersion(ranks: Tensor, num_draws: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r"""Are the ranks off centre, and do they crowd at the ends or in the middle?

    With :math:`v = (r + 1/2)/(L + 1) - 1/2` the bias is the mean of 2 v. The dispersion is the mean
    of v^2 relative to that of uniform ranks, less one; as bias alone raises it, an excess counts
    only as far as the variance of v is in excess too. Means over P are taken as normal, good for 20
    problems or more.

    Args:
        ranks: (P, *), integers in 0..L.
        num_draws: L.

    Returns:
        Bias in (-1, 1) and its p value, dispersion in (-1, 2) and its p value, each (*).
    """
    v = (torch.arange(num_draws + 1, dtype=torch.float64, device="cpu") + 0.5) / (num_draws + 1) - 0.5
    uniform_variance = v.square().mean()
    bias, bias_error = mean_score(ranks, 2 * v)
    spread, spread_error = mean_score(ranks, v.square() / uniform_variance - 1)
    excess = (spread - (bias / 2).square() / uniform_variance).clamp_min(0)
    spread = torch.where(spread > 0, excess, spread)
    return bias, normal_p_value(bias, bias_error), spread, normal_p_value(spread, spread_error)


def ranks_inside(level: float, num_draws: int) -> int:
    """The least number of the L + 1 ranks whose share is at least this level."""
    return math.ceil(round(level * (num_draws + 1), 9))  # rounding must not make 91 of 0.9 * 100


def ecdf(ranks: Tensor, num_draws: int) -> tuple[Tensor, Tensor]:
    """The share of ranks below j, expected to be j/(L+1), for j = 0..L+1.

    Args:
        ranks: (P, *), integers in 0..L.
        num_draws: L.

    Returns:
        The expected shares (L+2,) and the observed ones (L+2, *).
    """
    steps = torch.arange(num_draws + 2, dtype=torch.float64, device="cpu")
    ordered = ranks.cpu().double().movedim(0, -1).contiguous().sort(-1).values
    below = torch.searchsorted(ordered, steps.expand(*ordered.shape[:-1], -1).contiguous())
    return steps / (num_draws + 1), below.movedim(-1, 0).double() / len(ranks)


def ks_band(num_problems: int, level: float = 0.95) -> float:
    """Half the width of the band that holds a whole ECDF of P uniform numbers with this probability.

    Ranks are discrete, which makes it hold them somewhat more often.
    """
    from scipy.stats import kstwo

    return float(kstwo.ppf(level, num_problems))
