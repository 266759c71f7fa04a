"""From what a user measured, in units of images in [0, 1], to y, in units of images in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.images import to_numbers, to_unit
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["check_operator", "check_y", "to_y"]

#: By how much noise may take what was measured out of [0, 1]: 4.5 standard deviations of 0.22 in units of [-1, 1].
NOISE = 0.5


def check_operator(operator: Operator) -> None:
    """Raise TypeError where something is no :class:`~vipaint_pyro.measurements.operator.Operator`."""
    observed = getattr(operator, "observed", None)
    if not callable(operator) or not isinstance(observed, Tensor) or observed.ndim != 4:
        raise TypeError(
            "operator is one of vipaint_pyro.measurements.tasks.make_operator(task, image_shape), a function of your own wrapped as "
            "vipaint_pyro.LinearMap(function, image_shape) or vipaint_pyro.Nonlinear(function, family, image_shape), or "
            f"an object with the contract of vipaint_pyro.measurements.operator.Operator, not {operator!r}"
        )

def check_y(operator: Operator, y: Tensor, prior: DiffusionPrior, likelihood: object | None = None) -> None:
    """Raise ValueError where y is not what an operator measures of the prior's images.

    That is: (N, C', H', W') in the shape of what is observed (channels may be shared), finite, and possible for a
    :class:`~vipaint_pyro.measurements.any_family.Family`.
    """
    observed = operator.observed
    if y.shape[0] != observed.shape[0]:
        raise ValueError(f"y holds {y.shape[0]} images, but {observed.shape[0]} are measured")
    if y.ndim != 4 or any(o not in (1, n) for o, n in zip(observed.shape, y.shape)):
        raise ValueError(
            f"y has the shape of what is observed, {tuple(observed.shape)} (channels may be shared), "
            f"but came with {tuple(y.shape)}"
        )
    if not torch.isfinite(y).all():
        raise ValueError("y holds values that are not finite; entries that are not observed are 0, not NaN")
    likelihood = getattr(likelihood, "pixel", likelihood)  # of a perceptual one
    if isinstance(likelihood, Family):
        with torch.no_grad():
            grey = torch.zeros(len(y), *prior.image_shape, device=prior.device, dtype=prior.dtype)
            likelihood.check(operator, y.to(grey), grey)

def to_y(measured, operator: Operator, prior: DiffusionPrior) -> Tensor:
    r"""y (N, C', H', W'), 0 where not observed, of what an operator measured.

    A linear operator measured images u in [0, 1], and y is what it measures of x = 2 u - 1:

    .. math:: y = A(2u - 1) = 2 A u - A 1

    Where A keeps constants, A 1 = 1, what it measures are pictures in [0, 1], noise apart, and anything else is refused.
    Otherwise A u may be any real numbers. What a nonlinear operator measures is in the units of its family, and is y.

    Args:
        measured: A u: a PIL image, array (H', W', C') or tensor (C', H', W'); one, a list or a batch of N.
        operator: of N images.
        prior: whose images, precision and device are meant.

    Raises:
        TypeError: where operator is none, or for other kinds of images.
        ValueError: for another number, shape or range.
    """
    check_operator(operator)
    observed, like = operator.observed, {"dtype": prior.dtype, "device": prior.device}
    n = observed.shape[0]
    with torch.no_grad():
        level = operator(torch.ones(n, *prior.image_shape, **like))
    shape, linear = tuple(level.shape[-3:]), getattr(operator, "linear", True)
    off = torch.where(observed, level - 1, 0).abs().max()
    pictures = linear and off <= max(1e-4, 4 * torch.finfo(prior.dtype).eps)
    taker = "this operator measures"
    u = to_unit(measured, shape, taker, slack=NOISE) if pictures else to_numbers(measured, shape, taker)
    if len(u) != n:
        raise ValueError(f"{len(u)} images, but the operator measures {n}")
    # 1 itself for pictures: half precision does not give A 1 to the last digit.
    y = 2 * u - (1 if pictures else level.to(u)) if linear else u
    y = torch.where(observed, y.to(**like), 0)
    check_y(operator, y, prior, getattr(operator, "likelihood", None))
    return y
