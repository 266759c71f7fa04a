"""Words of messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = ["counted", "did_you_mean", "differences", "shown", "span"]


def counted(number: int, noun: str) -> str:
    """A number with its noun, of which more than one ends in s: "1 image", "2 images", "2 classes"."""
    many = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


def span(seconds: float) -> str:
    """A time in words: "40 s", "12 min", "3.4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest to one that is unknown, as a sentence and a space; empty where none is near.

    Capitals, and _ for -, do not matter.
    """
    names = {_plain(each): each for each in known}
    plain = _plain(name)

    def far(each: str) -> tuple:
        """Of those that are as near, letters that were swapped come first, then the same beginning."""
        alike = difflib.SequenceMatcher(a=each, b=plain).ratio()
        return -alike, sorted(each) != sorted(plain), each[:1] != plain[:1]

    near = sorted(difflib.get_close_matches(plain, names), key=far)
    return f"Did you mean {names[near[0]]!r}? " if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def differences(old: Mapping, new: Mapping) -> list[str]:
    """What differs between two mappings, "name: old -> new" each; of one within it, "outer name: old -> new"."""
    found = []
    for name in dict.fromkeys((*old, *new)):
        before, now = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            found += [f"{name} {text}" for text in differences(before, now)]
        elif before != now:
            found.append(f"{name}: {_said(before)} -> {_said(now)}")
    return found


def _said(value: object) -> str:
    return "not given" if value is None else _short(str(value))


def shown(value: object) -> str:
    """A value as it was written, in one line that is not long: of a tensor its beginning."""
    return _short(" ".join(repr(value).split()))


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
