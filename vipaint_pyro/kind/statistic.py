r"""What a prior makes of the seen part of a picture: its errors at falling noise levels, in a few calls.

A walk down from much noise to little. At each level the seen pixels are the picture's, the hidden ones what the prior
predicted a level above; all are noised, and predicted anew:

.. math:: x \leftarrow M y + (1 - M) \hat x, \quad z_t = \alpha_t E(x) + \sigma_t \epsilon, \quad
          \hat x \leftarrow D(E[z_0 | z_t]), \quad e_t = M (\hat x - y)^2

with M the mask, E and D the codec. What the picture hides has no part in it, and the grey that the first level starts
from little, since that is nearly all noise. Beside these errors stand that of the codec alone and how rough the picture
is, since errors by themselves would favour smooth pictures. All are kept by place, in coarse cells:
:mod:`vipaint_pyro.kind.range` compares each with what is usual there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["CELLS", "RATIOS", "Local", "local", "names_of"]

#: The noise-to-signal ratios sigma/alpha of the levels, one call of the denoiser each.
RATIOS = (10.0, 4.0, 2.0, 1.0, 0.5, 0.2)

#: Cells along a side of the picture.
CELLS = 8


@dataclass(frozen=True)
class Local:
    """Mean squares of what is seen, by cell.

    Attributes:
        squares: (N, Q, CELLS^2), float64 on the CPU, in the order of :func:`names_of`; 0 where nothing is seen.
        seen: the share of each cell that is, (N, CELLS^2).
    """

    squares: Tensor
    seen: Tensor


def names_of(prior: DiffusionPrior) -> tuple[str, ...]:
    """What is looked at: Q names."""
    codec = ("codec",) if prior.is_latent else ()
    return ("roughness", *codec, *(f"denoising at {ratio:g}" for ratio in RATIOS))


@torch.no_grad()
def local(prior: DiffusionPrior, y: Tensor, observed: Tensor) -> Local:
    """How rough the seen part is, the codec's error there, and the denoiser's at each level.

    Args:
        prior: conditioned on nothing, or on a label or text for each image.
        y: (N, C, H, W) in [-1, 1], its hidden pixels of any value.
        observed: bool (N, 1 or C, H, W), True where seen.
    """
    seen = observed.expand_as(y)
    y = torch.where(seen, y, 0)
    generator = torch.Generator("cpu").manual_seed(0)  # the same noise for every picture: a number of it, no draw
    noise = torch.randn(len(RATIOS), *prior.latent_shape, generator=generator, device="cpu").to(y)
    levels, x_hat = [], torch.zeros_like(y)
    for ratio, epsilon in zip(RATIOS, noise):
        t = prior.schedule.time_of_ratio(ratio)
        alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
        z = alpha * prior.encode(torch.where(seen, y, x_hat)) + sigma * epsilon
        x_hat = prior.decode(prior.denoise(z, t)).clamp(-1, 1)
        levels.append((x_hat - y).square())
    if prior.is_latent:
        rebuilt = prior.decode(prior.encode(torch.where(seen, y, x_hat)))
        levels.insert(0, (rebuilt - y).square())
    squares = torch.stack([_roughness(y, seen), *(_by_cell(v, seen) for v in levels)], 1)
    return Local(squares.double().cpu(), _pooled(seen.to(y)).double().cpu())


def _pooled(values: Tensor) -> Tensor:
    """(N, CELLS^2), means over channels and cells of (N, C, H, W)."""
    return nn.functional.adaptive_avg_pool2d(values.mean(1, keepdim=True), CELLS).flatten(1)


def _by_cell(values: Tensor, where: Tensor) -> Tensor:
    """Means of (N, C, H, W) over each cell's entries that count, 0 where none does."""
    count = _pooled(where.to(values))
    return _pooled(values * where) / torch.where(count > 0, count, 1)


def _roughness(y: Tensor, seen: Tensor) -> Tensor:
    """The mean square difference to the right and the lower neighbour, of those that are seen."""
    total, count = torch.zeros_like(y), torch.zeros_like(y)
    for axis in (-1, -2):
        length = y.shape[axis] - 1
        both = seen.narrow(axis, 1, length) & seen.narrow(axis, 0, length)
        off = (y.narrow(axis, 1, length) - y.narrow(axis, 0, length)).square() * both
        total.narrow(axis, 0, length).add_(off)
        count.narrow(axis, 0, length).add_(both)
    n = _pooled(count)
    return _pooled(total) / torch.where(n > 0, n, 1)
