"""An operator of one's own, tried once on random images: whether it keeps its axes, is linear, and has its adjoint."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import reason_of
from vipaint_pyro.measurements.operator import LinearOperator, Operator
from vipaint_pyro.places import is_ours

__all__ = ["check_gradient", "check_linear", "slack_of", "try_operator"]

#: The largest number of entries of N images that are tried: more would cost what a step of a fit costs.
_MOST = 2**24
_TRIED = "_tried_once"
#: On how many batches of images a gradient may be 0 everywhere before it is said to be 0: a clamp has none of some.
_BATCHES = 8


def slack_of(dtype: torch.dtype) -> float:
    """By how much of its size a linear map may be off in this precision."""
    return max(1e-6, 200 * torch.finfo(dtype).eps)


def check_linear(what: str, A: Callable[[Tensor], Tensor], u: Tensor, Au: Tensor, v: Tensor) -> float:
    """Raise ValueError where a function is not finite, not 0 at 0, or not linear in u and v.

    Args:
        what: the function, for the message.
        A: the function.
        u, v: what it is called with, of one shape.
        Au: A(u).

    Returns:
        How far off a value of its may be.
    """
    Av = A(v)
    if not (Au.isfinite().all() and Av.isfinite().all()):
        raise ValueError(f"{what} gives values that are not finite for images of finite ones")
    slack = slack_of(Au.dtype) * float(Au.abs().max() + Av.abs().max())
    cure = "a nonlinear measurement goes through a likelihood instead: vipaint_pyro.measurements.nonlinear.Nonlinear"
    if not A(torch.zeros_like(u)).abs().max() <= slack:
        raise ValueError(f"{what} is not linear: it is not 0 at 0. Take its constant off; {cure}")
    # A factor of each sign, and neither a power of 2.
    if not (A(2.3 * u - 0.7 * v) - (2.3 * Au - 0.7 * Av)).abs().max() <= 3 * slack:
        raise ValueError(f"{what} is not linear: A(2.3 u - 0.7 v) is not 2.3 A u - 0.7 A v; {cure}")
    return slack


def check_gradient(what: str, A: Callable[[Tensor], Tensor], u: Tensor, Au: Tensor) -> None:
    """Raise ValueError where no gradient passes from A u to u; where it is 0, neither of further random images.

    Args:
        what: the function, for the message.
        A: the function; called again, with images like u in [-1, 1], only where the gradient is 0 everywhere.
        u: images that require a gradient.
        Au: A of them, made where gradients are recorded.
    """
    generator = torch.Generator().manual_seed(2)
    for batch in range(_BATCHES):
        if batch:
            with torch.no_grad():
                u = torch.rand(u.shape, generator=generator, dtype=torch.float64, device="cpu").to(u) * 2 - 1
            with torch.enable_grad():
                Au = A(u.requires_grad_().clone())
        # Random weights: those of a plain sum would cancel in what has no mean.
        w = torch.randn(Au.shape, generator=generator, dtype=torch.float64, device="cpu").to(Au)
        back = _pulled(what, Au, u, w)
        if back is None:
            raise ValueError(
                f"{what} cannot be differentiated: no gradient passes from A x to x, without which pictures would "
                "ignore y. Leave out detach, no_grad, numpy and whole numbers"
            )
        if back.any():
            return
    raise ValueError(
        f"{what} has a gradient of 0 for all random images that it was tried on: pictures would ignore y. What is "
        "measured has to change with the image; a rounding or a threshold goes into the family of a Nonlinear "
        "measurement, as the probability of each value of y"
    )


def _pulled(what: str, Au: Tensor, u: Tensor, w: Tensor) -> Tensor | None:
    """The gradient of <A u, w>; None where there is none."""
    if not Au.requires_grad:
        return None
    try:
        return torch.autograd.grad(Au, u, w, allow_unused=True)[0]
    except RuntimeError as error:
        raise ValueError(f"{what} cannot be differentiated: {reason_of(error)}") from error


@torch.no_grad()
def try_operator(operator: Operator) -> None:
    """Raise ValueError where an operator of a user's does not hold to its contract; each is tried once.

    One that is not linear has to have a gradient, too.

    It is called with images (1, N, C, H, W), in double precision or, where it cannot, in single. One that cannot be
    called with either (its constants are on another device, say) is left to say so itself where it is used.

    Args:
        operator: whose ``observed`` and ``image_shape`` have been looked at.
    """
    observed, shape = operator.observed, tuple(operator.image_shape)
    ours = is_ours(type(operator).__module__)
    if ours or _TRIED in vars(operator) or observed.is_meta or len(observed) * torch.Size(shape).numel() > _MOST:
        return
    name, generator = f"the operator {type(operator).__name__}", torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1, len(observed), *shape, generator=generator, dtype=torch.float64, device="cpu")
    for dtype in (torch.float64, torch.float32):
        u, v = noise.to(observed.device, dtype)
        try:
            Au = operator(u)
        except Exception:  # whatever a user's function does
            continue
        _check_shape(name, observed, u, Au)
        if isinstance(operator, LinearOperator):
            check_linear(name, operator, u, Au, v)
            _check_adjoint(name, operator, u, Au)
        else:  # a linear one may do without: what goes by its adjoint alone asks for no gradient
            _check_followed(name, operator, u)
        vars(operator)[_TRIED] = True
        return


def _check_followed(name: str, operator: Operator, u: Tensor) -> None:
    with torch.inference_mode(False), torch.enable_grad():
        u = u.clone().requires_grad_()
        try:
            Au = operator(u.clone())
        except Exception as error:  # whatever a user's function does; without a gradient it has passed
            raise ValueError(f"{name} cannot be differentiated: {reason_of(error)}") from error
        check_gradient(name, operator, u, Au)


def _check_shape(name: str, observed: Tensor, u: Tensor, Au: object) -> None:
    shape = tuple(Au.shape) if isinstance(Au, Tensor) else type(Au).__name__
    sides = zip(observed.shape[1:], shape[2:]) if isinstance(shape, tuple) else ()
    if not isinstance(Au, Tensor) or Au.ndim != 5 or shape[:2] != u.shape[:2] or any(
        o not in (1, n) for o, n in sides
    ):  # fmt: skip
        raise ValueError(
            f"{name} makes {shape} of images {tuple(u.shape)}: A x has shape (*, N, C', H', W') with all axes on its "
            f"left as they came, and by its observed the last four are {tuple(observed.shape)} (keepdim=True keeps an "
            "axis that is summed over)"
        )


def _check_adjoint(name: str, operator: LinearOperator, u: Tensor, Au: Tensor) -> None:
    """<A u, w> = <u, A^T w> of each image, for w that is 0 where y is."""
    generator = torch.Generator().manual_seed(1)
    w = torch.randn(Au.shape, generator=generator, dtype=torch.float64, device="cpu").to(Au)
    w = torch.where(operator.observed, w, 0)
    back = operator.adjoint(w)
    if back.shape != u.shape:
        raise ValueError(
            f"{name} makes images {tuple(back.shape)} of y {tuple(w.shape)} by its adjoint, but A^T y has the images' "
            f"shape, {tuple(u.shape)}"
        )
    image = (-3, -2, -1)
    gap = ((Au * w).sum(image) - (u * back).sum(image)).abs()
    size = (Au.square().sum(image) * w.square().sum(image)).sqrt()
    if not (gap <= slack_of(Au.dtype) * size).all():
        raise ValueError(
            f"{name} has an adjoint that is none: <A u, w> is {float((Au * w).sum()):.4g}, but <u, A^T w> is "
            f"{float((u * back).sum()):.4g}. Its gradients would be bent: mend adjoint, or take "
            "vipaint_pyro.LinearMap(function, image_shape), which has it of autograd"
        )

