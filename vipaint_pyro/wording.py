"""Words of messages."""

from __future__ import annotations

__all__ = ["counted", "shown"]


def counted(number: int, noun: str) -> str:
    """A number with its noun, of which more than one ends in s: "1 image", "2 images", "2 classes"."""
    many = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


def shown(value: object) -> str:
    """A value as it was written, in one line that is not long: of a tensor its beginning."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."
