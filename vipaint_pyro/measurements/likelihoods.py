r"""Likelihoods of the observed pixels as Pyro distributions.

A plug-in likelihood is p(y | A x), and stands in for p(y | z_t) at x = E[x | z_t]. A likelihood with a
method ``given`` is one of z_t itself, and knows what the prediction leaves open. One with a method
``penalty`` is that of its part ``pixel`` times an unnormalised factor
(:class:`vipaint_pyro.measurements.perceptual.Perceptual`). One with a method ``discrepancy`` says what the refinement pulls
down in place of the norm of y - A x (:func:`vipaint_pyro.samplers.reverse.refine`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyro.distributions as dist
from torch import Tensor

from vipaint_pyro.distributions import Factored
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["Gaussian", "Laplace", "likelihood_at"]


@dataclass(frozen=True)
class Laplace:
    """Independent Laplace noise: the paper's L1 reconstruction term is its negative logarithm.

    Args:
        scale: b > 0, in units of images in [-1, 1]. The default 1 makes the term the plain sum of
            absolute errors, the weight that the paper's coefficients amount to on a pixel model.
    """

    scale: float = 1.0

    def __call__(self, loc: Tensor) -> dist.Distribution:
        return dist.Laplace(loc, self.scale)


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian noise.

    Args:
        scale: its standard deviation > 0, in units of images in [-1, 1]; a tensor that broadcasts
            against y gives each image its own.
    """

    scale: float | Tensor = 0.1

    def __call__(self, loc: Tensor) -> dist.Distribution:
        return dist.Normal(loc, self.scale)


def likelihood_at(
    likelihood, prior: DiffusionPrior, operator: Operator, z: Tensor, t: int, z0: Tensor, x: Tensor | None = None
) -> dist.Distribution:
    """The distribution of y that a likelihood sees at z_t, with event shape (C', H', W').

    Args:
        likelihood: plug-in, or with a method ``given`` or ``penalty``; with ``penalty`` the answer is
            :class:`Factored`.
        z: z_t with shape (*, N, C, H, W); the clean image at t = ``CLEAN``.
        z0: E[z_0 | z_t], of the same shape.
        x: z0 decoded, where it is known already.
    """
    if hasattr(likelihood, "penalty"):
        x = prior.decode(z0) if x is None else x
        seen = likelihood_at(likelihood.pixel, prior, operator, z, t, z0, x)
        return Factored(seen, lambda y: -likelihood.penalty(operator, y, x))
    if t != CLEAN and hasattr(likelihood, "given"):
        return likelihood.given(prior, operator, z, t, z0)
    x = prior.decode(z0) if x is None else x
    return likelihood(operator(x)).mask(operator.observed).to_event(3)
