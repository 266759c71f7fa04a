"""``vipaint completion``, and what the shell is told of options whose values are names. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS

__all__ = ["COMPLETERS", "completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete commands, options and the names that they take.

    In bash: eval "$(vipaint completion bash)", in ~/.bashrc for good; in zsh the same in ~/.zshrc; in fish: vipaint
    completion fish > ~/.config/fish/completions/vipaint.fish
    """
    kind = cast(type[ShellComplete], get_completion_class(shell))  # of the three that click knows
    click.echo(kind(context.find_root().command, {}, "vipaint", "_VIPAINT_COMPLETE").source())


def _beginning(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def _priors(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The built-in names; folders where none of them is meant."""
    from vipaint_pyro.priors.pretrained.built_in import BUILT_IN

    return _beginning(BUILT_IN, typed) or [CompletionItem(typed, type="dir")]


def _methods(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    return _beginning([*METHODS, *FOR_SCALE], typed)


def _method_list(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The last of names by commas."""
    before, comma, last = typed.rpartition(",")
    return [CompletionItem(before + comma + item.value) for item in _beginning([*METHODS, *FOR_SCALE], last)]


def _guides(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    from vipaint_pyro.guides.own import entry_points_by_name
    from vipaint_pyro.guides.registry import GUIDES

    return _beginning(dict.fromkeys((*GUIDES, *entry_points_by_name())), typed)


def _labels(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Of the prior on the line, where it is built in or a folder.

    A name of two words would not come through bash in one piece, and is offered as its number.
    """
    from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
    from vipaint_pyro.priors.pretrained.folder import read_labels, resolve

    prior = context.params.get("prior")
    try:
        if prior in BUILT_IN:
            names = read_labels(resolve(prior))["class_names"]
        elif prior and Path(prior).is_dir():
            names = read_labels(Path(prior))["class_names"]
        else:
            return []
    except (OSError, ValueError):  # the command will say what is wrong with it
        return []
    words = {name if len(name.split()) == 1 else str(number): name for number, name in enumerate(names or ())}
    return [CompletionItem(word, help=name) for word, name in words.items() if word.startswith(typed)]


#: Option -> what completes its value.
COMPLETERS: dict[str, Callable[[click.Context, click.Parameter, str], list[CompletionItem]]] = {
    "--prior": _priors,
    "--method": _methods,
    "--methods": _method_list,
    "--guide": _guides,
    "--label": _labels,
}
