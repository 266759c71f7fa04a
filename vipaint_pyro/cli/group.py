"""The command line's group: a call that cannot be understood, and Ctrl-C, are said in one line as errors are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from vipaint_pyro.cli.command import keep_command

__all__ = ["OneLineGroup"]


class _Misused(click.ClickException):
    """click's own usage error has three lines."""

    exit_code = click.UsageError.exit_code


class OneLineGroup(click.Group):
    """A group of commands whose usage errors and whose end by Ctrl-C are one line each.

    A ``KeyboardInterrupt`` may carry a text that says what was kept; without one nothing was.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The group's own options; nothing at all asks for its help."""
        if not args:
            return super().parse_args(ctx, args)
        keep_command(ctx, args)
        with _one_line():
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, and what is left for it, in which no option stands where a value should."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _check_values(click.Context(command, ctx, info_name=name), rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> object:
        """The command, parsed and called."""
        with _one_line():
            return super().invoke(ctx)


def _check_values(context: click.Context, given: list[str]) -> None:
    """Raise UsageError for an option whose value was forgotten: click would take the next option for it."""
    options = [p for p in context.command.get_params(context) if isinstance(p, click.Option)]
    known = {name: option for option in options for name in (*option.opts, *option.secondary_opts)}
    given = given[: given.index("--")] if "--" in given else given
    for word, following in zip(given, [*given[1:], None]):
        takes = word in known and not (known[word].is_flag or known[word].count)
        if takes and following in known:
            raise click.UsageError(f"{word} takes a value, but {following} follows it", context)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        text = " ".join(error.format_message().split()).rstrip(".")
        more = f"; {error.ctx.command_path} --help says what there is" if error.ctx else ""
        raise _Misused(text + more) from error
    except KeyboardInterrupt as error:
        if sys.stderr.isatty():  # behind the terminal's ^C
            click.echo(err=True)
        raise click.ClickException(f"stopped by Ctrl-C: {str(error) or 'nothing was written'}") from error
