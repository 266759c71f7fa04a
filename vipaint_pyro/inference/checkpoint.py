"""A fit kept in a file as it goes, so that it goes on from there whatever has ended the process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyro
from pyro.infer import ELBO
from torch import Tensor

from vipaint_pyro.files import write_tensors
from vipaint_pyro.files.reading_back import digest_of, read_tensors
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.inference.fit_state import FitState, under
from vipaint_pyro.inference.settling import Settling
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.wording import shown

__all__ = ["Checkpoints", "changes"]

#: Of the file; another number is another layout.
FORMAT = 1


@dataclass(eq=False)
class Checkpoints:
    """A callback of :func:`~vipaint_pyro.fit` that writes all that the next step depends on every few steps.

    Where the file is there already, the fit goes on from it: parameters, Adam's state, random streams, losses and
    terms are those of an unbroken fit, bit for bit, on the same machine with the same versions. The file is
    safetensors with JSON in its head, no pickle, and takes the place of the one before in one move.

    Args:
        path: the file.
        facts: what the numbers depend on and the fit does not know itself (weights, seed ...), as JSON has it: of
            other facts nothing is gone on from.
        every: steps from one to the next; the last step has one, too.
        then: called after each step, as the fit's callback. Of a
            :class:`~vipaint_pyro.inference.settling.Settling` what it has seen is kept, of others nothing.

    Raises:
        ValueError: for fewer than one step.
    """

    path: str | Path
    facts: Mapping[str, object]
    every: int = 5
    then: Callable[[int, float, dict[str, Tensor]], object] | None = None

    def __post_init__(self) -> None:
        checked("every", self.every, whole())

    def around(self, then: Callable[[int, float, dict[str, Tensor]], object]) -> Checkpoints:
        """The same, with this callback."""
        return replace(self, then=then)

    def __call__(self, step: int, loss: float, terms: dict[str, Tensor]) -> object:
        return None if self.then is None else self.then(step, loss, terms)

    def begin(self, model: object, y: Tensor, loss: ELBO, state: FitState) -> int:
        """Go to where the file says that the fit was; after how many steps that is, 0 where there is no file.

        Raises:
            TypeError: for a model, a guide or an optimizer whose state is not known.
            ValueError: for a damaged file, one of another format, or a fit of other settings, with the difference.
        """
        if not isinstance(model, DiffusionModel) or not isinstance(state.guide, Guide):
            what = f"{type(model).__name__} and a {type(state.guide).__name__}"
            raise TypeError(f"checkpoints are of fits of a DiffusionModel and a Guide, not of a {what}")
        self.facts = {**self.facts, **_own(model, y, loss, state)}
        if not Path(self.path).exists():
            return 0
        tensors, said = read(self.path)
        other = changes(said["facts"], self.facts)
        if other:
            raise ValueError(f"{self.path} is of a fit with other settings ({'; '.join(other)}): give those, or "
                             "begin anew")  # fmt: skip
        try:
            state.put_back(tensors, said["rates"])
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{self.path} is of another fit ({str(error).splitlines()[0]})") from error
        if isinstance(self.then, Settling):
            self.then.return_to(under("settling/", tensors))
        return said["step"]

    def made(self, step: int, last: bool, state: FitState) -> None:
        """So many steps have been made: write the file where it is time."""
        if not last and step % self.every:
            return
        tensors = state.tensors()
        if isinstance(self.then, Settling):
            tensors |= {f"settling/{name}": value for name, value in self.then.state().items()}
        said = {"format": FORMAT, "step": step, "facts": self.facts, "rates": state.rates()}
        text = json.dumps(said | {"sha256": digest_of(tensors)})
        write_tensors(self.path, tensors, {"vipaint-pyro checkpoint": text})


def read(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors of a checkpoint, and ``step``, ``facts`` and ``rates``.

    Raises:
        ValueError: where it is damaged, is none, or has another format.
    """
    tensors, head = read_tensors(Path(path))
    try:
        said = json.loads(head["vipaint-pyro checkpoint"])
        form, digest, step = said["format"], said["sha256"], said["step"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint of a fit") from error
    if form != FORMAT:
        raise ValueError(f"{path} has the format {form!r}, and this version reads {FORMAT}: begin the fit anew")
    if digest != digest_of(tensors) or not whole().check(step):
        raise ValueError(f"{path} is damaged (its numbers are not those that were written)")
    return tensors, said


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What is another fact now, "fit_steps: 50 -> 60", as JSON has both."""
    now = json.loads(json.dumps(now))
    names = dict.fromkeys((*before, *now))
    return [f"{n}: {_said(before, n)} -> {_said(now, n)}" for n in names if before.get(n) != now.get(n)]


def _said(facts: Mapping[str, object], name: str) -> str:
    value = facts.get(name)
    return "none" if value is None else shown(value) if isinstance(value, str) else json.dumps(value)


def _named(optim: pyro.optim.PyroOptim) -> str:
    made: list[Any] = [optim.pt_optim_constructor]
    if isinstance(optim, pyro.optim.PyroLRScheduler):
        made.append(optim.pt_scheduler_constructor)
    return ", ".join(kind.__name__ for kind in made)


def _own(model: DiffusionModel, y: Tensor, loss: ELBO, state: FitState) -> dict[str, object]:
    """What the fit knows itself that its numbers depend on."""
    return {
        "guide": type(state.guide).__name__,
        "optimizer": _named(state.optim),
        "loss": f"{type(loss).__name__}, {loss.num_particles} chains",
        "beta": float(model.beta),
        "precision": str(model.prior.dtype).removeprefix("torch."),
        "y": digest_of({"y": y, "observed": model.operator.observed})[:16],
        "timesteps": list(model.timesteps),
    }
