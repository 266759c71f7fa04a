"""What every diagnostic asks of its input, and where its random numbers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vipaint_pyro.settings import number
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["Said", "check", "check_levels", "check_problems", "own_generator", "uniform"]

# Unlike 0 no seed that the data are likely to come from: references drawn from the stream of the
# truths would depend on them.
_SEED = 180406788


class Said(ABC):
    """A result that says what came out in a line, in the place of its tensors."""

    @property
    @abstractmethod
    def verdict(self) -> str:
        """In words."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.verdict})"


def check(name: str, x: Tensor, shape: str, infinite: float | None = None, bools: bool = False) -> None:
    """Raise ValueError unless x is a non-empty tensor with as many axes as ``shape`` and finite entries.

    Args:
        name: of the argument, for the message.
        x: the argument.
        shape: as the docstring gives it, ``"(P, L, Q)"``; a leading ``*`` stands for any number of axes.
        infinite: the one infinity that is allowed, if any.
        bools: whether truth values are numbers, too.
    """
    check_tensor(name, x, shape, bools=bools, error=ValueError)
    axes = [a.strip() for a in shape.strip("()").split(",") if a.strip()]
    enough = x.ndim >= len(axes) - 1 if axes[0] == "*" else x.ndim == len(axes)
    if not enough or x.numel() == 0:
        raise ValueError(f"{name} has the shape {shape}, none of it zero, not {tuple(x.shape)}")
    bad = ~torch.isfinite(x)
    if infinite is not None:
        bad &= x != infinite
    if bad.any():
        extra = "" if infinite is None else f" (or {infinite})"
        raise ValueError(f"{name} has to be finite{extra}: {int(bad.sum())} of its {x.numel()} values are not")


def check_problems(truths: Tensor, samples: Tensor, last: str = "Q") -> None:
    """Raise ValueError unless truths are (P, last) and samples (P, L, last), of the same P and last."""
    check("truths", truths, f"(P, {last})", bools=last == "Q")
    check("samples", samples, f"(P, L, {last})", bools=last == "Q")
    if samples.shape[0] != truths.shape[0] or samples.shape[2] != truths.shape[1]:
        raise ValueError(
            f"truths (P, {last}) and samples (P, L, {last}) differ in P or {last}: "
            f"{tuple(truths.shape)} and {tuple(samples.shape)}"
        )


def check_levels(levels: Sequence[float]) -> Tensor:
    """The levels as a float64 tensor (A,); ValueError unless there are some, all between 0 and 1."""
    listed = levels.flatten().tolist() if isinstance(levels, (Tensor, np.ndarray)) else levels
    good = isinstance(listed, Sequence) and len(listed) and not isinstance(listed, str)
    if not good or not all(number(above=0, most=1).check(a) and a < 1 for a in listed):
        raise ValueError(f"levels lie between 0 and 1, both excluded, one or more in a list, not {shown(levels)}")
    return torch.tensor(listed, dtype=torch.float64, device="cpu")


def own_generator(generator: torch.Generator | None) -> torch.Generator:
    """The generator given, else a new one with a fixed seed: the global random state is never used.

    Raises:
        TypeError: for anything but a torch generator.
    """
    if generator is None:
        return torch.Generator().manual_seed(_SEED)
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator is a torch.Generator, not {type(generator).__name__}; "
            "for a seed write torch.Generator().manual_seed(seed)"
        )
    return generator


def uniform(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Float64 numbers in [0, 1), drawn where the generator lives and moved to where ``like`` is."""
    u = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return u.to(like.device)
