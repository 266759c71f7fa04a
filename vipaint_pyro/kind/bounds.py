"""Whether the bound of a fit is usual for a prior: against fits to pictures of its own kind, at default settings.

Nearly all of minus the bound is the residual of what is seen, which grows with how much that is: bounds are compared
divided by the share of the picture that is seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LAST", "final_bound", "range_of_bounds", "said_of_bound"]

#: The bound's estimates of so many last steps are averaged.
LAST = 5

#: How far beyond the range of the measured fits, in units of its width, a bound is still usual.
MARGIN = 0.25


def final_bound(terms: Mapping[str, Tensor], image: int = 0) -> float | None:
    """The bound on log p(y) that a fit came to, in nats per dimension of z; None where there is none.

    Args:
        terms: minus its shares by site, (steps, N), as a fit's record has them.
        image: whose.
    """
    rows = [[float(step[image]) for step in list(term)[-LAST:]] for term in terms.values()]
    if not rows or not rows[0]:
        return None
    return -sum(sum(row) / len(row) for row in rows)


def range_of_bounds(bounds: Sequence[float], settings: Mapping[str, object]) -> dict[str, object]:
    """What is kept of fits to pictures of the kind.

    Args:
        bounds: of :func:`final_bound`, each divided by the share that was seen.
        settings: those that the fits had, as JSON has them.
    """
    ordered = sorted(bounds)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return {"lowest": ordered[0], "median": middle, "highest": ordered[-1], "fits": len(ordered),
            "settings": dict(settings)}  # fmt: skip


def said_of_bound(
    bound: float | None, share: float, known: Mapping[str, Any], settings: Mapping[str, object]
) -> dict:
    """What to say of a fit's bound: ``{"verdict", "nats_per_dim", "usual", "text"}``.

    Args:
        bound: of :func:`final_bound`.
        share: of the picture that is seen, above 0.
        known: of :func:`range_of_bounds`, or empty.
        settings: of the fit, compared with those in ``known``; one that is nowhere said there was left at nothing.
    """
    if bound is None:
        return _said("unknown", None, None, "nothing was fitted, so that there is no bound")
    text = f"the bound is {bound:.2f} nats per dimension; whether that is usual for this prior is unknown: "
    if not known:
        return _said("unknown", bound, None, text + "its folder has no range of bounds")
    there = {**dict.fromkeys(settings), **known["settings"]}
    other = [name for name, value in there.items() if (settings.get(name) or None) != (value or None)]
    if other:
        what = ", ".join(other)
        return _said("unknown", bound, None, f"{text}the range was measured with other settings ({what})")
    low, high = share * float(known["lowest"]), share * float(known["highest"])
    slack = MARGIN * (high - low)
    usual, verdict = [low - slack, high + slack], "usual"
    if not math.isfinite(bound) or bound < usual[0]:
        verdict = "unusually low"
    elif bound > usual[1]:
        verdict = "unusually high"
    range_text = f"{known['fits']} fits to pictures of its kind, as much of them seen, came to {low:.2f} to {high:.2f}"
    means = {
        "usual": "",
        "unusually low": ": the guide explains what is seen badly, so look at the samples before you trust them",
        "unusually high": ": what is seen is easier than the prior's own pictures are",
    }[verdict]
    said = f"the bound, {bound:.2f} nats per dimension, is {verdict} for this prior ({range_text}){means}"
    return _said(verdict, bound, usual, said)


def _said(verdict: str, bound: float | None, usual: list[float] | None, text: str) -> dict:
    return {"verdict": verdict, "nats_per_dim": bound, "usual": usual, "text": text}
