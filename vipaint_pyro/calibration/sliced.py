r"""Sliced Wasserstein distance: the mean distance of two samples' one-dimensional projections.

The metric of Cardoso et al. 2024, "Monte Carlo guided diffusion for Bayesian linear inverse
problems", arXiv:2308.07983 (order 1). The distances on a line are those of POT's ``emd2_1d`` and of
``scipy.stats.wasserstein_distance``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check, own_generator
from vipaint_pyro.calibration.drawing import axes_or_new
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SlicedWasserstein", "sliced_wasserstein"]

_CHUNK = 2**22  # projected numbers held at a time


@dataclass(frozen=True, eq=False, repr=False)
class SlicedWasserstein(Said):
    """A distance between two samples.

    Attributes:
        slices: (n,), the Wasserstein distance W_p of each projection, in the data's unit.
        distance: the p-th root of the mean of their p-th powers; for order 1 their mean.
        standard_error: of the distance, over the choice of directions only, not of the samples;
            NaN for one direction.
        order: p.
    """

    slices: Tensor
    distance: float
    standard_error: float
    order: float

    @property
    def verdict(self) -> str:
        """In words: the distance, and how sure it is."""
        error = "" if math.isnan(self.standard_error) else f" ± {self.standard_error:.1g}"
        return f"W{self.order:g} = {self.distance:.3g}{error} over {counted(len(self.slices), 'direction')}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the histogram of the slices' distances and the sliced distance; returns the Axes."""
        ax = axes_or_new(ax)
        ax.hist(self.slices.cpu().numpy(), bins=30)
        ax.axvline(self.distance, color="black", ls="--", label=f"{self.distance:.3g} +- {self.standard_error:.1g}")
        ax.set(xlabel=f"W{self.order:g} of a projection", ylabel="directions")
        ax.legend(fontsize=8)
        return ax


def random_directions(num: int, dim: int, generator: torch.Generator | None = None) -> Tensor:
    """Unit vectors (num, dim), uniform on the sphere, float64; None is a new one with a fixed seed."""
    generator = own_generator(generator)
    v = torch.randn((num, dim), generator=generator, device=generator.device, dtype=torch.float64)
    return v / v.norm(dim=1, keepdim=True)


def _plan(n: int, m: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Optimal transport of n to m sorted points of equal mass: which goes where, and how much.

    The steps i/n and j/m of the two quantile functions are merged as the whole numbers i m and j n,
    so that no two steps differ by rounding.
    """
    steps = torch.cat([torch.arange(n + 1, device=device) * m, torch.arange(m, device=device) * n]).unique()
    start = steps[:-1]
    return start // m, start // n, steps.diff().double() / (n * m)


def sliced_wasserstein(
    a: Tensor,
    b: Tensor,
    num_slices: int = 1000,
    generator: torch.Generator | None = None,
    order: float = 1,
    directions: Tensor | None = None,
) -> SlicedWasserstein:
    r"""Sliced Wasserstein distance between the samples a and b, each of equally likely points.

    Args:
        a: (S, D).
        b: (S', D); S' may differ from S.
        num_slices: of random directions, uniform on the sphere.
        generator: of the directions; None is a new one with a fixed seed, hence always the same ones.
        order: p >= 1.
        directions: (n, D), unit vectors to use instead of random ones.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, directions that are not of
            length 1, num_slices < 1 or order < 1.
    """
    check("a", a, "(S, D)")
    check("b", b, "(S', D)")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a (S, D) and b (S', D) differ in D: {tuple(a.shape)} and {tuple(b.shape)}")
    if num_slices < 1 or order < 1:
        raise ValueError(f"num_slices and order are 1 or more, not {num_slices} and {order}")
    if directions is None:
        directions = random_directions(num_slices, a.shape[1], generator)
    check("directions", directions, "(n, D)")
    if directions.shape[1] != a.shape[1] or ((directions.norm(dim=1) - 1).abs() > 1e-3).any():
        raise ValueError(f"directions are unit vectors of shape (n, {a.shape[1]}), not {tuple(directions.shape)}")
    # Half precision would round a projection of many coordinates to three digits.
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    a, b, directions = a.to(dtype), b.to(dtype), directions.to(a.device, dtype)
    to_a, to_b, mass = _plan(len(a), len(b), a.device)
    powers = []
    for part in directions.split(max(1, _CHUNK // (len(a) + len(b)))):
        x, y = (part @ v.T for v in (a, b))
        x, y = x.sort(1).values, y.sort(1).values
        if len(a) != len(b):
            x, y = x[:, to_a], y[:, to_b]
        powers.append(((x - y).abs().double() ** order) @ mass)
    joined = torch.cat(powers)
    mean = joined.mean().item()
    error = joined.std().item() / math.sqrt(len(joined)) if len(joined) > 1 else math.nan
    distance = mean ** (1 / order)
    if order != 1 and mean > 0:
        error *= distance / (order * mean)  # delta method for the p-th root
    return SlicedWasserstein(joined ** (1 / order), distance, error, order)
