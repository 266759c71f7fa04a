"""From what a user gives, in units of images in [0, 1], to measurements, in units of images in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from vipaint_pyro.images import to_model, to_numbers, to_observed, to_unit, with_mask
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihood import Likelihood, as_likelihood
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement, check_fits, check_operator
from vipaint_pyro.measurements.operator import LinearOperator, Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.wording import counted

__all__ = ["believed_noise", "masked", "measured", "to_y", "under"]

#: By how much noise may take what was measured out of [0, 1]: 4.5 standard deviations of 0.22 in units of [-1, 1].
NOISE = 0.5


def masked(image: object, mask: object, prior: DiffusionPrior) -> tuple[Measurement, Tensor, Tensor]:
    """The measurement of a picture outside of a mask; the picture in [0, 1] (N, C, H, W) and what is observed of it.

    Args:
        image: PIL, array or tensor, one, a list or a batch; see :func:`vipaint_pyro.images.to_unit`.
        mask: of the same kinds, white = to be filled; see :func:`vipaint_pyro.images.to_observed`. ``"alpha"``: what is
            transparent in PIL images.
        prior: whose images, precision and device are meant.

    Raises:
        TypeError, ValueError: for pictures that the prior does not take, or masks of another size or number.
    """
    image, mask = with_mask(image, mask)
    unit = to_unit(image, prior.image_shape)
    observed = to_observed(mask, len(unit), prior.image_shape[1:])
    operator = Inpainting(observed.to(prior.device))
    y = torch.where(operator.observed, to_model(unit).to(prior.device, prior.dtype), 0)
    return Measurement.of(operator, y), unit, observed


def measured(image: object, operator: Operator, prior: DiffusionPrior) -> Measurement:
    """The measurement that an operator made; the arguments and errors of :func:`to_y`."""
    y = to_y(image, operator, prior)
    return Measurement.of(operator.to(prior.device), y)


def believed_noise(sigma: float | None, scale: float | None) -> Gaussian | None:
    """What a method is told of the noise in y: sigma, where known and its own ``measurement_scale`` says no other."""
    return None if sigma is None or scale is not None else Gaussian(sigma)


def under(likelihood: Likelihood | Callable, measurement: Measurement) -> Measurement:
    """The measurement under a likelihood of y, where its operator brings none.

    Args:
        likelihood: of :mod:`vipaint_pyro.measurements`, or a function from A x to a distribution.
        measurement: as :func:`masked` and :func:`measured` have it.

    Raises:
        TypeError: where likelihood is none.
        ValueError: where the operator has a likelihood of its own, or y cannot come from this one.
    """
    given = as_likelihood(likelihood)
    if measurement.operator.likelihood is not None:
        raise ValueError("this operator has a likelihood of its own: leave likelihood out")
    return replace(measurement, likelihood=given.to(measurement.y.device, measurement.y.dtype))


def to_y(image: object, operator: Operator, prior: DiffusionPrior) -> Tensor:
    r"""y (N, C', H', W'), 0 where not observed, of what an operator measured.

    A linear operator measured images u in [0, 1], and y is what it measures of x = 2 u - 1:

    .. math:: y = A(2u - 1) = 2 A u - A 1

    Where A keeps constants, A 1 = 1, what it measures are pictures in [0, 1], noise apart, and anything else is
    refused. Otherwise A u may be any real numbers. What a nonlinear operator measures is in the units of its family,
    and is y.

    Args:
        image: A u: a PIL image, array (H', W', C') or tensor (C', H', W'); one, a list or a batch of N.
        operator: of N images.
        prior: whose images, precision and device are meant.

    Raises:
        TypeError: where operator is none, or for other kinds of images.
        ValueError: for another number, shape or range.
    """
    check_operator(operator)
    check_fits(operator, prior)
    operator = operator.to(prior.device)  # made where its user was
    observed = operator.observed
    n = observed.shape[0]
    with torch.no_grad():
        level = operator(torch.ones(n, *prior.image_shape, dtype=prior.dtype, device=prior.device))
    shape, linear = tuple(level.shape[-3:]), isinstance(operator, LinearOperator)
    off = torch.where(observed, level - 1, 0).abs().max()
    pictures = linear and off <= max(1e-4, 4 * torch.finfo(prior.dtype).eps)
    taker = "this operator measures"
    u = to_unit(image, shape, taker, slack=NOISE) if pictures else to_numbers(image, shape, taker)
    if len(u) != n:
        raise ValueError(
            f"{counted(len(u), 'image')}, but the operator measures {n}: make it with num_images={len(u)}, or give as "
            "many images"
        )
    # 1 itself for pictures: half precision does not give A 1 to the last digit.
    y = 2 * u - (1 if pictures else level.to(u)) if linear else u
    return torch.where(observed, y.to(prior.device, prior.dtype), 0)
