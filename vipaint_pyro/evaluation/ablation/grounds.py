"""From what an ablation is asked to be measured on to where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vipaint_pyro.evaluation.ablation.exact import OnMixtures
from vipaint_pyro.evaluation.ablation.ground import Ground
from vipaint_pyro.evaluation.ablation.pictures import OnPictures

__all__ = ["ground_of"]

_CELL = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*")


def ground_of(on: str | Iterable[str], out: str | Path, values: Mapping[str, Any]) -> Ground:
    """Cells of exact problems, or pictures.

    Args:
        on: cells ``"8,1"``, or one prior.
        out: the ablation's folder.
        values: of which those that the ground has in :attr:`~Ground.about` are taken.

    Raises:
        ValueError: for cells that cannot be, or anything else that is not one prior.
    """
    names = [on] if isinstance(on, str) else [*on]
    found = [_CELL.fullmatch(name) for name in names if isinstance(name, str)]
    cells = [cell for cell in found if cell is not None]
    if names and len(cells) == len(names):
        about = {name: values[name] for name in OnMixtures.about if name in values}
        return OnMixtures(tuple(dict.fromkeys((int(c[1]), int(c[2])) for c in cells)), Path(out), **about)
    if len(names) != 1 or not isinstance(names[0], str) or not names[0].strip():
        raise ValueError(f"an ablation is on cells of exact problems, like 8,1, or on one prior, not on {names}")
    about = {name: values[name] for name in OnPictures.about if name in values}
    return OnPictures(names[0], Path(out), about)
