"""Rows that know the truth and return parts of it: what the distances of the laboratory's table mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.exact.problems import Problems

__all__ = ["CALIBRATION", "calibration_row"]

#: What the distances mean: rows that know the truth, and return parts of it.
CALIBRATION = ("exact", "moment-gaussian", "one-mode", "delta", "prior")


def calibration_row(name: str, problems: Problems, num: int) -> Tensor:
    """Draws (S, N, 1, 1, D) of the row of this name."""
    posterior = problems.posterior()
    if name == "exact":
        return posterior.sample(num)
    if name == "prior":
        return posterior.prior.sample((num,))
    if name == "moment-gaussian":
        return _moment_gaussian(problems, num)
    best = posterior.weights.argmax(-1)
    rows = torch.arange(len(problems), device="cpu")
    mode = posterior.means[rows, best].reshape(1, len(problems), *problems.prior.latent_shape)
    if name == "delta":
        return mode.expand(num, *mode.shape[1:])
    # One mode: a mixture whose other components weigh nothing.
    only = torch.full_like(posterior.weights, 1e-300)
    only[rows, best] = 1.0
    alone = replace(problems, prior=_reweighted(problems, only))
    return alone.posterior().sample(num)


def _moment_gaussian(problems: Problems, num: int) -> Tensor:
    """A single Gaussian with the posterior's exact mean and covariance."""
    drawn = []
    for i in range(len(problems)):
        posterior = problems[i].posterior()
        w, m = posterior.weights[0], posterior.means[0]
        mean = w @ m
        between = ((m - mean) * w[:, None]).mT @ (m - mean)
        each = posterior.covariances[0]
        within = (w[:, None, None] * each).sum(0) if len(each) > 1 else each[0]
        L = torch.linalg.cholesky(within + between)
        drawn.append(mean + torch.randn(num, len(mean), dtype=L.dtype, device=L.device) @ L.mT)
    return torch.stack(drawn, 1).reshape(num, len(problems), *problems.prior.latent_shape)


def _reweighted(problems: Problems, weights: Tensor) -> Any:
    prior = problems.prior
    new = type(prior).__new__(type(prior))
    new.__dict__.update(prior.__dict__, log_weights=weights.log().log_softmax(-1))
    return new
