r"""Least squares with a linear operator that is known by what it does and its adjoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from vipaint_pyro.measurements.operator import LinearOperator

__all__ = ["explaining_most", "least_squares"]

_IMAGE = (-3, -2, -1)


def _dot(u: Tensor, v: Tensor) -> Tensor:
    """Of each image alone, to broadcast over (C, H, W)."""
    return (u * v).sum(_IMAGE, keepdim=True)


def explaining_most(operator: LinearOperator, y: Tensor, x: Tensor) -> Tensor:
    r"""The multiple of x that explains y best: :math:`c x`, c minimising :math:`\lVert y - c A x\rVert_2`.

    Args:
        operator: of N images.
        y: measurements (*, N, C', H', W'), 0 where not observed.
        x: images (*, N, C, H, W), each with a c of its own.

    Returns:
        Images (*, N, C, H, W); 0 where A x is 0.
    """
    back = operator(x) * operator.observed
    return _dot(back, y) / _dot(back, back).clamp_min(1e-20) * x


@torch.no_grad()
def least_squares(
    operator: LinearOperator, y: Tensor, num_steps: int = 200, damping: Tensor | float = 0.0
) -> Tensor:
    r"""The shortest x of those with the least :math:`\lVert y - A x\rVert_2^2 + d \lVert x\rVert_2^2`.

    Entries that are not observed do not count.

    Conjugate gradients on the normal equations, each image by itself (CGLS; Bjorck, Numerical Methods for Least
    Squares Problems, 1996, section 7.4.1), begun at 0, until the gradient is what rounding leaves,
    :math:`\epsilon \lVert A \rVert \lVert y \rVert`, with the largest :math:`\lVert A p \rVert / \lVert p \rVert`
    met for the norm of A. With d > 0 it is :math:`A^T (A A^T + d I)^{-1} y`, and with a d for every entry of y
    :math:`A^T (A A^T + \mathrm{diag}(d))^{-1} y`.

    Args:
        operator: of N images.
        y: (*, N, C', H', W').
        num_steps: at most so many, of one A and one A^T each.
        damping: d >= 0, one number, one per image, or one per entry of y, of which those below a millionth of an
            image's largest are taken for that.

    Returns:
        Images (*, N, C, H, W).
    """
    damping = torch.as_tensor(damping, dtype=y.dtype, device=y.device)
    weight: Tensor | float = 1.0
    if damping.ndim >= 3 and damping.shape[-3:].numel() > 1:
        # Entries weighed by the root of what they are damped by have one damping for all.
        most = damping.amax(_IMAGE, keepdim=True)
        weight = (most / damping.clamp_min(1e-6 * most)).nan_to_num(1.0, 1.0).sqrt()
        damping = most
    r = torch.where(operator.observed, weight * y, 0)
    s = operator.adjoint(weight * r)
    x, p, gamma = torch.zeros_like(s), s, _dot(s, s)
    rounding = torch.finfo(y.dtype).eps ** 2 * _dot(r, r)
    steepest = enough = torch.zeros_like(gamma)
    for _ in range(num_steps):
        if (gamma <= enough).all():
            break
        q = torch.where(operator.observed, weight * operator(p), 0)
        length = _dot(p, p)
        curvature = _dot(q, q) + damping * length
        # Past rounding a step may go uphill, further every time: an image that is done stays.
        step = torch.where(gamma > enough, gamma / curvature.clamp_min(torch.finfo(y.dtype).tiny), 0)
        x, r = x + step * p, r - step * q
        s = operator.adjoint(weight * r) - damping * x
        steepest = torch.maximum(steepest, curvature / length.clamp_min(torch.finfo(y.dtype).tiny))
        enough = steepest * rounding
        before, gamma = gamma, _dot(s, s)
        p = s + gamma / before.clamp_min(torch.finfo(y.dtype).tiny) * p
    return x
