"""Likelihoods of the observed entries of y: Laplace and Gaussian noise, and none."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.measurements.likelihood import Noise
from vipaint_pyro.measurements.operator import LinearOperator, Operator
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import number
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["Gaussian", "Laplace", "Noiseless"]


def check_noise(name: str, scale: float | Tensor) -> None:
    """Raise ValueError where the scale of a likelihood is not finite and positive."""
    if isinstance(scale, Tensor):
        check_tensor(f"the scale of {name}", scale, "that broadcasts against y", bools=False, error=ValueError)
        good = scale.numel() > 0 and bool((torch.isfinite(scale) & (scale > 0)).all())
    else:
        good = number(above=0).check(scale)
    if not good:
        words = f"the scale of {name} is finite and positive, but is {shown(scale)}"
        raise ValueError(f"{words}; for no noise take Noiseless()")


def check_scale(name: str, scale: float | Tensor, y: Tensor) -> None:
    """Raise ValueError where the scale of a likelihood does not broadcast against y (N, C', H', W')."""
    shape = tuple(scale.shape) if isinstance(scale, Tensor) else ()
    if len(shape) > y.ndim or any(a not in (1, b) for a, b in zip(shape[::-1], y.shape[::-1])):
        raise ValueError(f"the scale of {name}, {shape}, does not broadcast against y {tuple(y.shape)}")


def check_units(operator: Operator, y: Tensor) -> None:
    """Raise ValueError where y of a linear measurement holds whole numbers beyond [-1, 1], as pictures in bytes do."""
    if isinstance(operator, LinearOperator) and not y.is_floating_point() and y.float().abs().max() > 1:
        raise ValueError(
            f"y is in units of images in [-1, 1], as floating-point numbers, but holds {y.dtype}: of a picture in "
            "0 ... 255 it is picture / 127.5 - 1"
        )


@dataclass(frozen=True)
class _Scaled(Noise):
    """Noise of one scale, or of a tensor of them that broadcasts against y."""

    scale: float | Tensor

    def __post_init__(self) -> None:
        check_noise(type(self).__name__, self.scale)

    def check(self, operator: Operator, y: Tensor) -> None:
        check_units(operator, y)
        check_scale(type(self).__name__, self.scale, y)

    def part(self, start: int, stop: int) -> _Scaled:
        if not isinstance(self.scale, Tensor) or self.scale.ndim < 4 or len(self.scale) == 1:
            return self
        return self._of(self.scale[start:stop])

    def to(self, device: torch.device, dtype: torch.dtype) -> _Scaled:
        return self._of(self.scale.to(device, dtype)) if isinstance(self.scale, Tensor) else self

    def _of(self, scale: Tensor) -> _Scaled:
        """The same with another tensor for the scale, which needs no new check."""
        changed = copy(self)
        object.__setattr__(changed, "scale", scale)
        return changed


@dataclass(frozen=True)
class Laplace(_Scaled):
    """Independent Laplace noise: the paper's L1 reconstruction term is its negative logarithm.

    Args:
        scale: b > 0, in units of images in [-1, 1]; a tensor that broadcasts against y gives each image its own. The
            default 1 makes the term the plain sum of absolute errors, the weight that the paper's coefficients amount
            to on a pixel model.
    """

    scale: float | Tensor = 1.0

    def __call__(self, loc: Tensor) -> TorchDistributionMixin:
        return dist.Laplace(loc, self.scale)


@dataclass(frozen=True)
class Gaussian(_Scaled):
    """Independent Gaussian noise.

    Args:
        scale: its standard deviation > 0, in units of images in [-1, 1]; a tensor that broadcasts
            against y gives each image its own.
    """

    scale: float | Tensor = 0.1
    noise_alone: ClassVar[bool] = True

    @property
    def sigma(self) -> float | Tensor:
        return self.scale

    def __call__(self, loc: Tensor) -> TorchDistributionMixin:
        return dist.Normal(loc, self.scale)

    def floor(self, operator: Operator, y: Tensor, x: Tensor, noise: NoiseStreams) -> Tensor:
        r""":math:`\sigma_y\sqrt{d_y}` over the d_y observed entries, one per image."""
        entries = operator.observed.expand(y.shape).to(y)
        return (torch.as_tensor(self.scale, dtype=y.dtype, device=y.device) ** 2 * entries).sum((-3, -2, -1)).sqrt()


@dataclass(frozen=True)
class Noiseless(Noise):
    """y = A x as it stands, or with noise of which nothing is known."""

    noise_alone: ClassVar[bool] = True
    sigma: ClassVar[float] = 0.0

    def __call__(self, loc: Tensor) -> TorchDistributionMixin:
        return dist.Delta(loc)

    def check(self, operator: Operator, y: Tensor) -> None:
        check_units(operator, y)
