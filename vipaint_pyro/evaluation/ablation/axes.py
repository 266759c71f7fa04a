"""Which setting of a grid lies where in its picture."""

from __future__ import annotations

from collections.abc import Sequence

from vipaint_pyro.evaluation.ablation.ground import Combination
from vipaint_pyro.evaluation.ablation.summary import varying

__all__ = ["chosen_axes"]


def chosen_axes(
    combinations: Sequence[Combination], x: str | None = None, color: str | None = None, panels: str | None = None
) -> tuple[str, list[str], str | None]:
    """The setting along the axis, those that a line stands for, and that of the panels.

    Args:
        combinations: settings by name.
        x: by default the varying setting of the most numbers; without numbers, the first.
        color: by default the guide where it varies, else the next that does. What varies besides joins it.
        panels: by default the next where more than two vary.

    Raises:
        ValueError: for a setting that the grid does not have, or one in two places.
    """
    known, free = list(combinations[0]), varying(combinations)
    for name in (x, color, panels):
        if name is not None and name not in known:
            raise ValueError(f"the grid has no setting {name!r}: it has {', '.join(known)}")
    given = [name for name in (x, color, panels) if name is not None]
    if len(set(given)) < len(given):
        raise ValueError(f"a setting has one place in the picture, but {', '.join(given)} are asked for")
    rest = [name for name in free if name not in given]
    if x is None:
        x = max(rest or known, key=lambda name: _numbers(combinations, name))
        rest = [name for name in rest if name != x]
    if color is None and rest:
        color = "guide" if "guide" in rest else rest[0]
        rest.remove(color)
    if panels is None and rest:
        panels = rest.pop(0)
    return x, [*filter(None, [color]), *rest], panels


def _numbers(combinations: Sequence[Combination], name: str) -> int:
    values = {c[name] for c in combinations}
    return len([v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)])
