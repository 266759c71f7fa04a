"""What takes its time before anything is computed is said first, in a line each on stderr."""

from __future__ import annotations

import sys

import click

__all__ = ["loading_libraries", "loading_prior"]


def loading_libraries(quiet: bool = False) -> None:
    """Say that torch and diffusers are loaded, where they are not yet; said before anything imports them."""
    if not quiet and "torch" not in sys.modules:
        click.echo("loading torch and diffusers ...", err=True)


def loading_prior(name: str, quiet: bool = False) -> None:
    """Say which prior is loaded."""
    if not quiet:
        click.echo(f"loading the prior {name} ...", err=True)
