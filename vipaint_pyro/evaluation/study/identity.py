"""Which picture a number stands for: its name and its pixels, so that a study notices other pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vipaint_pyro.images import to_bytes
from vipaint_pyro.wording import counted

__all__ = ["Picture", "check_same", "name_in", "pixels_of", "titled"]

_SHOWN = 3


@dataclass(frozen=True)
class Picture:
    """What a study knows a picture by.

    Attributes:
        name: as :meth:`~vipaint_pyro.evaluation.study.sources.Source.name` has it; None where it is not known.
        pixels: :func:`pixels_of` it; None where it cannot be read.
    """

    name: str | None = None
    pixels: str | None = None


def pixels_of(truth: Tensor) -> str:
    """16 hex digits of the SHA-256 of an image (C, H, W) in [-1, 1]: of its size and its pixels in 8 bits, which is
    how ``truth/`` keeps it."""
    eight = to_bytes(truth.cpu())
    return hashlib.sha256(repr(tuple(eight.shape)).encode() + eight.contiguous().numpy().tobytes()).hexdigest()[:16]


def name_in(record: Mapping) -> str | None:
    """The name of a record's picture; None where it has none, as records of before did not."""
    picture = record.get("picture")
    name = picture.get("name") if isinstance(picture, Mapping) else None
    return name if isinstance(name, str) else None


def titled(number: int, name: str | None) -> str:
    """An image in words, "image 3 (cat/c.png)"; a name that says no more than the number is left out."""
    return f"image {number}" if name is None or name.endswith(f" {number}") else f"image {number} ({name})"


def check_same(before: Mapping[int, Picture], now: Mapping[int, Picture], where: object) -> None:
    """Refuse pictures that are others than those that a study has.

    A picture that could not be read may be mended.

    Args:
        before: by number, what is there.
        now: by number, what is to be computed.
        where: the study's folder.

    Raises:
        ValueError: with the first differences, old -> new, and what to do.
    """
    found = [_change(i, before[i], picture) for i, picture in now.items() if i in before]
    changes = [change for change in found if change]
    if changes:
        more = len(changes) - _SHOWN
        changes[_SHOWN:] = [f"{counted(more, 'image')} more"] if more > 0 else []
        raise ValueError(f"the pictures are others than those of the study in {where} ({'; '.join(changes)}): put them "
                         "back as they were (new ones named so that they sort behind them), or choose another "
                         "--out")  # fmt: skip


def _change(number: int, old: Picture, new: Picture) -> str:
    if old.name is not None and old.name != new.name:
        return f"image {number}: {old.name} -> {new.name}"
    if old.pixels is None or old.pixels == new.pixels:
        return ""
    return f"{titled(number, new.name)}: pixels {old.pixels} -> {new.pixels or 'cannot be read'}"
