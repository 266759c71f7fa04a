"""The device that a command computes on."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["check_device", "chosen_device"]


def chosen_device(name: str) -> Any:
    """The device of this name, checked; for ``auto`` the accelerator where there is one that computes, else the cpu.

    What was chosen is printed. An accelerator that is there and cannot be used is named, with the reason.

    Raises:
        ValueError: as :func:`check_device`.
    """
    if name != "auto":
        return check_device(name)
    import torch

    device, why = torch.device("cpu"), "no accelerator is here"
    if torch.accelerator.is_available():
        found: Any = torch.accelerator.current_accelerator()
        try:
            device, why = check_device(found.type), "the accelerator that is here"
        except ValueError as error:
            why = str(error).partition(": ")[0]
    click.echo(f"device {device}: {why}")
    return device


def check_device(name: str) -> Any:
    """A device that computes; ValueError, with what there is, for any other, before a prior is loaded."""
    from textwrap import shorten

    import torch

    try:
        device = torch.device(name)
        if float(torch.ones((), device=device)) == 1:
            return device
        reason = "it computes nothing"
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = "it computes nothing" if name.startswith("meta") else str(error).splitlines()[0]
        if reason.startswith("Expected one of"):  # a list of all that torch may be built for
            reason = "torch has no device of that name; a GPU is cuda, mps or xpu"
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    here = "cpu" if accelerator is None else f"cpu and {accelerator.type}"
    cure = f"torch {torch.__version__} computes on {here} here; leave --device out for the cpu"
    if accelerator is None:
        cure += ", or install a driver and a torch that go together (https://pytorch.org/get-started/locally)"
    raise ValueError(f"device {name!r} cannot be used ({shorten(reason.split('. ')[0], 90)}): {cure}")
