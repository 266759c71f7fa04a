"""What may go wrong with one piece of a comparison while the others go on, and what a record says of it."""

from __future__ import annotations

from vipaint_pyro.own_errors import said_of_own

__all__ = ["FAILURES", "one_line", "said_of"]

#: Faults of numbers and of memory are among them.
FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


def said_of(error: BaseException) -> dict[str, str]:
    """The error of a record: its type and its message, which is not empty, of a user's class with its place."""
    return {"type": type(error).__name__, "message": said_of_own(error) or str(error) or type(error).__name__}


def one_line(said: dict[str, str]) -> str:
    """What a record's error comes to, ``failed: ...``."""
    return f"failed: {' '.join(said['message'].split())}"
