"""Measuring the range of a prior's kind: pictures of it, under masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vipaint_pyro.kind.range import Range, range_of
from vipaint_pyro.kind.statistic import Local, local, names_of
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["KINDS_OF_MASK", "all_local", "masks_for", "measured_range"]

#: Masks of these families of :data:`vipaint_pyro.measurements.masks.MASKS`, in turn.
KINDS_OF_MASK = ("rotated", "random", "small")


def masks_for(number: int, size: tuple[int, int], seed: int) -> Tensor:
    """So many masks (N, 1, H, W), True where seen, of :data:`KINDS_OF_MASK` in turn."""
    generator = torch.Generator("cpu").manual_seed(seed)
    kinds = [KINDS_OF_MASK[i % len(KINDS_OF_MASK)] for i in range(number)]
    return torch.stack([MASKS[kind](size, generator) for kind in kinds])


def all_local(
    prior: DiffusionPrior, x: Tensor, observed: Tensor, batch: int = 25, progress: Callable[[int], None] | None = None
) -> Local:
    """:func:`vipaint_pyro.kind.statistic.local` of many pictures (N, C, H, W) in [-1, 1], some at a time."""
    plain, parts = prior.conditioned(None) if prior.null_class is not None else prior, []
    for i in range(0, len(x), batch):
        some = slice(i, i + batch)
        parts.append(local(plain, x[some].to(prior.device, prior.dtype), observed[some].to(prior.device)))
        if progress is not None:
            progress(min(i + batch, len(x)))
    return Local(torch.cat([p.squares for p in parts]), torch.cat([p.seen for p in parts]))


def measured_range(
    prior: DiffusionPrior,
    x: Tensor,
    about: Mapping[str, object],
    seed: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Range:
    """The range of a prior's kind, of pictures of it (N, C, H, W) in [-1, 1], under masks of three families.

    The first half says what is usual, the second how far a picture of the kind may be off.

    Args:
        prior: not conditioned; of a class-conditional one labels are left out.
        x: a few hundred, in no order.
        about: what they are, for people.
        seed: of the masks.
        progress: called with the number of pictures that have been looked at.

    Raises:
        ValueError: for too few pictures, or a prior that needs a label or a text.
    """
    height, width = x.shape[-2:]
    found = all_local(prior, x, masks_for(len(x), (height, width), seed), progress=progress)
    half = len(x) // 2
    first, held_out = (Local(found.squares[part], found.seen[part]) for part in (slice(half), slice(half, None)))
    return range_of(names_of(prior), first, held_out, {**about, "pictures": len(x), "masks": ", ".join(KINDS_OF_MASK)})
