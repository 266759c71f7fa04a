r"""What a fitted guide says of the clean image, where p(x | z) is known: q(x), as samples and as a density.

.. math:: q(x) = \int q(z_{T_e}) \cdots q(z_{T_s} | z_t)\; p(x | z_{T_s})\, dz
          \approx \frac1S \sum_{i=1}^S p(x | z_{T_s}^{(i)}), \quad z^{(i)} \sim q

With y the last factor is :math:`p(x | z_{T_s}, y)`: of all q(x) that have this q(z) it is the one next to p(x | y),
and under :class:`~vipaint_pyro.exact.likelihood.ExactGaussian` log p(y) less the bound is KL(q(z, x) || p(z, x | y)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.exact.posterior import ExactPosterior
from vipaint_pyro.inference.draws import draw
from vipaint_pyro.measurements.measurement import Measurement, y_for
from vipaint_pyro.models.base import check_model
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.tensors import check_tensor

__all__ = ["guide_log_density", "guide_samples"]

#: Numbers that one step of a density may hold at a time.
_AT_ONCE = 2**22


@torch.no_grad()
def guide_samples(
    model: DiffusionModel,
    guide: Callable,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    *,
    y: Tensor | Measurement | None = None,
) -> Tensor:
    """Draws of q(x): the guide's z_{T_s}, and of each one clean image.

    Args:
        model: of a prior of :mod:`vipaint_pyro.exact`.
        guide: fitted to it, of any kind.
        num_samples: S.
        generator: one, or a list with one per image; None takes the global state.
        y: measurements (N, C', H', W'). With them x is drawn from p(x | z_{T_s}, y), without them from p(x | z_{T_s}).

    Returns:
        x with shape (S, N, C, H, W), in image units.

    Raises:
        TypeError: for another prior, which does not know p(x | z), or an operator without a matrix.
        ValueError: for fewer than one draw, a guide of another model, a y that the model does not measure, or y where
            the model's noise is not Gaussian.
    """
    prior, y = _checked(model, y)
    z = draw(model, guide, num_samples, generator)[model.timesteps[-1]]
    streams = NoiseStreams(generator, model.num_images)
    if y is not None:
        return _given_y(model, prior, z, y).sample(1, streams)[0]
    x, k = prior.posterior(z, model.timesteps[-1]).sample_in_basis(torch.Size(), streams)
    return prior.components.unrotate(x, k).reshape(z.shape)


@torch.no_grad()
def guide_log_density(
    model: DiffusionModel,
    guide: Callable,
    x: Tensor,
    num_draws: int = 2000,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    *,
    y: Tensor | Measurement | None = None,
) -> Tensor:
    """log q(x) at given images: the logarithm of a mean of p(x | z_{T_s}) over draws of the guide.

    Whatever the draws are, their mean is a density that integrates to 1. Its relative error falls with the square
    root of their number, and is largest where few draws reach: ask in one or two dimensions, on a grid.

    Args:
        model, guide, generator, y: as in :func:`guide_samples`.
        x: images (*, N, C, H, W); brought to the prior's precision and device.
        num_draws: of z_{T_s}, the same for every x.

    Returns:
        (*, N).

    Raises:
        TypeError: as :func:`guide_samples`, and for an x that is no tensor.
        ValueError: as there, and for an x of another shape.
    """
    prior, y = _checked(model, y)
    n = model.num_images
    shape = (n, *prior.latent_shape)
    check_tensor("x", x, "(*, N, C, H, W)", bools=False)
    if x.shape[-4:] != torch.Size(shape):
        raise ValueError(f"x has shape (*, {', '.join(map(str, shape))}), but came with {tuple(x.shape)}")
    points = x.to(prior.device, prior.dtype).reshape(-1, 1, *shape)
    z = draw(model, guide, num_draws, generator)[model.timesteps[-1]]
    each = max(1, _AT_ONCE // (points.numel() * len(prior.components)))
    total = points.new_full((len(points), n), -math.inf)
    for part in z.split(each):
        law = prior.posterior(part, model.timesteps[-1]) if y is None else _given_y(model, prior, part, y)
        total = torch.logaddexp(total, law.log_prob(points).logsumexp(1))
    return (total - math.log(num_draws)).reshape(x.shape[:-3])


def _checked(
    model: DiffusionModel, y: Tensor | Measurement | None
) -> tuple[GaussianMixturePrior, Tensor | None]:
    """The prior, and y where that is; raises what the docstrings say."""
    check_model(model, DiffusionModel)
    prior = model.prior
    if not isinstance(prior, GaussianMixturePrior):
        raise TypeError(
            f"p(x | z) is known under the priors of vipaint_pyro.exact, not under {type(prior).__name__}: "
            "draw images with a sampler, like vipaint_pyro.refine"
        )
    if y is None:
        return prior, None
    sigma = model.likelihood.sigma
    if sigma is None or not (torch.as_tensor(sigma, device="cpu") > 0).all():
        raise ValueError(
            "p(x | z, y) is known under Gaussian noise: give the model the likelihood ExactGaussian(sigma) or "
            f"Gaussian(sigma), not {type(model.likelihood).__name__}; or leave y out for p(x | z)"
        )
    return prior, y_for(model.operator, model.likelihood, y).to(prior.device, prior.dtype)


def _given_y(model: DiffusionModel, prior: GaussianMixturePrior, z: Tensor, y: Tensor) -> ExactPosterior:
    """p(x | z_{T_s}, y), of batch shape (S, N)."""
    sigma = cast(float | Tensor, model.likelihood.sigma)  # as checked
    return ExactPosterior(prior.exactly_measured(model.operator, sigma, z, model.timesteps[-1]), y)
