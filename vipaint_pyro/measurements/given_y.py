r"""E[z_0 | z_t, y] of Gaussian moments: what y adds to the prediction."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.measurements.linearised import Linearised

__all__ = ["added_by"]


def _dot(u: Tensor, v: Tensor) -> Tensor:
    """Of each sample alone, to broadcast over (C, H, W)."""
    return (u * v).sum((-3, -2, -1), keepdim=True)


def added_by(seen: Linearised, away: Tensor, variance: Tensor, iterations: int) -> Tensor:
    r"""What is added to the prediction where y is known, (*, N, C, H, W).

    .. math:: \mathrm{Cov}[z_0 | z_t]\, H^T u, \quad
              \big(\sigma_y^2 I + H\, \mathrm{Cov}[z_0 | z_t]\, H^T\big)\, u = y - h(\hat z_0)

    solved by conjugate gradients from 0, each sample by itself. What the covariance does to u is the same sum of what
    it does to the directions, so that ``iterations`` backward calls of the network suffice. A direction along which the
    matrix is not positive, as may be of a network, ends the iterations of that sample.

    Args:
        seen: the prediction, and its moments in y.
        away: y minus what is predicted of it, (*, N, C', H', W'), 0 where nothing is observed.
        variance: sigma_y^2 > 0, broadcasts against y.
        iterations: of conjugate gradients, at least 1.
    """
    tiny, eps = torch.finfo(away.dtype).tiny, torch.finfo(away.dtype).eps
    total: Any = 0.0
    r = p = away
    gamma = _dot(r, r)
    enough = eps**2 * gamma
    going = gamma > enough
    for _ in range(iterations):
        moved, product = seen.spread(p)
        spread = _dot(p, product)
        product = product + variance * p
        curvature = _dot(p, product)
        going = going & (gamma > enough) & (spread >= 0) & (curvature > 0)
        step = torch.where(going, gamma / curvature.clamp_min(tiny), 0)
        total, r = total + step * moved, r - step * product
        before, gamma = gamma, _dot(r, r)
        p = r + gamma / before.clamp_min(tiny) * p
    return total
