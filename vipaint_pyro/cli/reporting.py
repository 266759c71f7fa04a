"""What a user can mend is said in one line; warnings too."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["in_options", "one_line_warnings", "only_errors", "reporting"]


class reporting:
    """Turn the errors a user can mend into one line and exit status 1."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception) and not isinstance(error, click.ClickException):
            from vipaint_pyro.own_errors import said_of_own

            if said := said_of_own(error):
                raise click.ClickException(said) from error
        if isinstance(error, (RuntimeError, MemoryError)):  # want of memory has many names
            from vipaint_pyro.faults import fault_of

            error = fault_of(error) or error
        if isinstance(error, (ValueError, TypeError, OSError, FloatingPointError, ImportError, MemoryError)):
            context = click.get_current_context(silent=True)
            text = in_options(str(error), context.command.params if context else [])
            raise click.ClickException(text) from error


def in_options(text: str, parameters: list[click.Parameter]) -> str:
    """An error with the command's options in place of Python's names for them: ``fit_steps`` is ``--fit-steps``.

    Names that are words besides (``zeta``, ``scale``) are changed only where a value is assigned to them, at the
    beginning, and where something is said of them (``and zeta is``, ``leave zeta out``); parts of file names never.
    """
    text = text.replace("mask_image='alpha'", "vipaint inpaint --mask-from-alpha")
    for parameter in parameters:
        if isinstance(parameter, click.Option):
            name, option = re.escape(parameter.name), parameter.opts[0]
            text = re.sub(rf"\b(?<!-){name}='([^']*)'", rf"{option} \1", text)
            text = re.sub(rf"(^|\band ){name}(?=,| is )", rf"\1{option}", text)
            text = re.sub(rf"\b(leave|lower|raise|turn) {name}(?![\w-])", rf"\1 {option}", text)
            if "_" in parameter.name:
                text = re.sub(rf"(?<![\w/.-]){name}(?![\w/-]|\.\w)", option, text)
    return text


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Warnings without the place in the code that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: click.echo(f"Warning: {message}", err=True)
        yield


@contextmanager
def only_errors() -> Iterator[None]:
    """Nothing from diffusers but errors."""
    from diffusers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
