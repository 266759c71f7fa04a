"""The command that was given, for what is written to say how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

__all__ = ["keep_command", "the_command"]

_KEPT = "vipaint_pyro.command"


def keep_command(context: click.Context, arguments: Sequence[str]) -> None:
    """Keep what stands behind ``vipaint``."""
    context.meta[_KEPT] = shlex.join(["vipaint", *arguments])


def the_command() -> str | None:
    """The command that is running, as a shell takes it; None in Python."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(_KEPT)
