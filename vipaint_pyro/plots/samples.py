"""Samples side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vipaint_pyro.plots.choosing import most_different
from vipaint_pyro.plots.pictures import Picture, as_picture, as_samples
from vipaint_pyro.plots.tiles import SIDE, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["samples_figure"]


def samples_figure(
    samples: Tensor,
    *,
    observed: Picture | None = None,
    truth: Picture | None = None,
    most_different_first: bool = False,
    names: list[str] | None = None,
    columns: int | None = None,
    title: str = "",
    side: int = SIDE,
) -> Figure:
    """Samples in rows, each under its name, after the truth and what was observed.

    Args:
        samples: (S, C, H, W) in [0, 1].
        observed: what was given, of the same size: a PIL image or a tensor (C, H, W) in [0, 1].
        truth: the same of the truth.
        most_different_first: whether they stand in the order of :func:`~vipaint_pyro.plots.most_different`, else in
            their own.
        names: one per sample; by default ``"sample 0"``, ``"sample 1"`` ...
        columns: pictures in a row; by default four to seven, so that few places stay empty.
        title: above all.
        side: about how many pixels the longer side of a picture takes.

    Raises:
        TypeError, ValueError: for samples of another shape or range, or another number of names.
    """
    x = as_samples("samples", samples)
    names = [f"sample {k}" for k in range(len(x))] if names is None else list(names)
    if len(names) != len(x):
        raise ValueError(f"{len(names)} names for {len(x)} samples: give one each")
    given = {"truth": truth, "observed": observed}
    shown = [(as_picture(name, picture), name) for name, picture in given.items() if picture is not None]
    order = most_different(x) if most_different_first else range(len(x))
    shown += [(x[k], names[k]) for k in order]
    across = columns or _columns(len(shown))
    rows = [shown[k : k + across] for k in range(0, len(shown), across)]
    figure, _ = tiles(
        [[picture for picture, _ in row] for row in rows], [[name for _, name in row] for row in rows],
        title=title, side=side,
    )  # fmt: skip
    return figure


def _columns(count: int) -> int:
    """Pictures in a row: the number from four to seven that leaves the fewest places empty, the largest of those."""
    return count if count <= 7 else min((7, 6, 5, 4), key=lambda n: -count % n)
