"""What every tensor that comes from outside has to be: one of real numbers that are there to be looked at."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from vipaint_pyro.wording import shown

__all__ = ["check_device", "check_mode", "check_tensor"]


def check_tensor(
    name: str, value: object, shape: str, *, bools: bool = True, error: type[Exception] = TypeError
) -> None:
    """Raise where something is no dense tensor of real numbers.

    Args:
        name: of the argument, for the message.
        value: the argument.
        shape: as the docstring gives it, for the message.
        bools: whether truth values are numbers, too.
        error: what is raised.
    """
    if not isinstance(value, Tensor):
        many = isinstance(value, (np.ndarray, list, tuple))
        mend = "; torch.as_tensor makes one of it" if many else ""
        raise error(f"{name} is a tensor of shape {shape}, not {type(value).__name__}{mend}")
    said = f"{name} is a dense tensor of real numbers, of shape {shape}, but"
    if value.layout != torch.strided:
        raise error(f"{said} came in the layout {value.layout}: give .to_dense()")
    if value.is_meta and type(value) in (Tensor, torch.nn.Parameter):  # a subclass may keep its numbers elsewhere
        raise error(f"{said} is on the device 'meta', where it has no values")
    if value.is_complex() or (value.dtype == torch.bool and not bools):
        raise error(f"{said} holds {value.dtype}")


def check_device(device: object) -> None:
    """Raise ValueError where something names no device of torch; None is the default one."""
    try:
        if device is not None:
            torch.empty(0, device=cast(Any, device))
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"device is one that torch has here, like 'cpu', but is {shown(device)}") from error


def check_mode(what: str) -> None:
    """Raise RuntimeError inside ``torch.inference_mode``, whose tensors take part in no gradient, then or later."""
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            f"{what} is of no use in torch.inference_mode, whose tensors take part in no gradient: take torch.no_grad()"
        )
