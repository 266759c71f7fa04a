"""What can go wrong on the way: numbers that stop being finite, and memory that does not suffice; said in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames

import torch
from torch import Tensor

__all__ = ["Fault", "NonFiniteError", "OutOfMemory", "Stopped", "check_finite", "fault_of", "freed", "located"]


class Fault(Exception):
    """Where a computation could not go on.

    Attributes:
        what: the trouble, in a few words.
        phase: ``"fit"``, ``"refinement"``, ``"decoding"`` ...; None outside of them.
        step: of the phase, counted from 0; None where it has none.
        time: of the diffusion; None where it is not of one time.
        advice: what to do about it.
        samples: the :class:`~vipaint_pyro.samplers.Samples` that were finished before, or None.
        output: of a pipeline, the same as its output, or None.
    """

    phase: str | None = None
    step: int | None = None
    time: int | None = None
    samples: object = None
    output: object = None

    def __init__(self, what: str, *, time: int | None = None, advice: str = "") -> None:
        self.what, self.time, self.advice = what, time, advice
        super().__init__(what)

    def __str__(self) -> str:
        where = "" if self.phase is None else f" in {self.phase}" if self.step is None else f" at {self.phase} step "
        where += "" if self.step is None else str(self.step)
        where += "" if self.time is None else f" (time {self.time})"
        return f"{self.what}{where}{self.advice and '; '}{self.advice}"

    def place(self, phase: str, step: int | None, time: int | None, advice: str) -> None:
        """Say where it was, as far as that is not known yet; the outermost advice counts."""
        if self.phase is None:
            self.phase, self.step = phase, step
        self.time = time if self.time is None else self.time
        self.advice = advice or self.advice


class NonFiniteError(Fault, FloatingPointError):
    """A number is not finite any more: NaN or infinite.

    Attributes:
        name: of a fit, the sample site or the parameter where it was seen first, else what it is a number of.
    """

    def __init__(self, name: str, what: str = "", *, time: int | None = None, advice: str = "") -> None:
        self.name = name
        super().__init__(what or f"{name} is not finite", time=time, advice=advice)


class OutOfMemory(Fault, MemoryError):
    """The memory of the device or of the machine did not suffice. The cause has torch's own words."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C, after some samples were finished.

    Attributes:
        samples, output: what was finished, as :class:`Fault` has it.
    """

    samples: object = None
    output: object = None


def check_finite(value: Tensor, name: str, time: object = None) -> None:
    """Raise NonFiniteError where an entry of a tensor is NaN or infinite.

    Args:
        value: of any shape. Its sum is looked at first, which is cheap.
        name: what it is, for the message.
        time: of the diffusion; anything but a whole number is left out.
    """
    value = value.detach()
    if not torch.isfinite(value.sum()) and not torch.isfinite(value).all():  # a sum of finite numbers may overflow
        raise NonFiniteError(name, time=time if isinstance(time, int) else None)


def fault_of(error: BaseException) -> Fault | None:
    """The fault that an error of torch or Pyro comes down to, or None where it is another error."""
    if isinstance(error, Fault):
        return error
    text = str(error)
    memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    if memory or (isinstance(error, RuntimeError) and _NO_MEMORY.search(text)):
        size = re.search(r"allocate ([\d.]+ ?[KMGT]?i?B|\d+ bytes)", text)
        return OutOfMemory("out of memory" + (f" ({size[1]} more were asked for)" if size else ""))
    if isinstance(error, ValueError) and (refused := _REFUSED.search(text)):
        what = f"the {refused['what']} of {refused['of']} is not finite"
        if _NO_NUMBER.search(text):
            return NonFiniteError(refused["what"], what)
        if "..." in text:  # the entry that is refused is not shown
            return NonFiniteError(refused["what"], f"{what}, or out of its range")
    if isinstance(error, RuntimeError) and "non-finite" in text:
        return NonFiniteError("a matrix")
    return None


_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|ALLOC_FAILED", re.IGNORECASE)

# What torch.distributions says of a parameter or a value that it does not take. (Of the real numbers only NaN is none.)
_REFUSED = re.compile(r"Expected (?:parameter )?(?P<what>\w+)(?s:.*?)of (?:the )?distribution (?P<of>\w+)")
_NO_NUMBER = re.compile(r"Real\(|\bnan\b|\binf\b")


@contextmanager
def located(
    phase: str, step: int | None = None, time: int | None = None, *, broken: str = "", memory: str = ""
) -> Iterator[None]:
    """A block whose faults say where they were, in one line; errors of other kinds pass as they are.

    Args:
        phase, step, time: where it is.
        broken: what to do about numbers that are not finite.
        memory: what to do about memory that does not suffice.
    """
    try:
        yield
    except (Fault, ValueError, RuntimeError, MemoryError) as error:
        fault = fault_of(error)
        if fault is None:
            plain = _plain(error)
            if plain is error:
                raise
            raise plain from plain.__cause__
        fault.place(phase, step, time, memory if isinstance(fault, OutOfMemory) else broken)
        if fault is error:
            raise
        raise fault from error


def freed(error: BaseException) -> BaseException:
    """An error that is kept for later, without the tensors that the frames on its way hold."""
    link: BaseException | None = error
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    return error


def _plain(error: BaseException) -> BaseException:
    """An error as it was raised, without the shapes of all sites that Pyro adds at every frame."""
    while "Trace Shapes:" in str(error) and error.__cause__ is not None:
        error = error.__cause__
    return error
