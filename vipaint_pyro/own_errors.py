"""What went wrong in a user's own class, and where in its file."""

from __future__ import annotations

import os
from traceback import extract_tb

from vipaint_pyro.places import is_own

__all__ = ["said_of_own"]

#: Where a class refuses what it is not for: a ValueError of these is its own message.
_REFUSING = ("settle", "check_samples")


def said_of_own(error: BaseException) -> str | None:
    """The error with its type and the last line of the user's file that it came through; None where it came through
    none, or is a refusal: a ValueError out of ``settle`` or ``check_samples``.
    """
    through = [frame for frame in extract_tb(error.__traceback__) if is_own(frame.filename)]
    if not through or (isinstance(error, ValueError) and through[-1].name in _REFUSING):
        return None
    last = through[-1]
    said = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}{said and ': '}{said} ({os.path.basename(last.filename)}, line {last.lineno}, in {last.name})"
