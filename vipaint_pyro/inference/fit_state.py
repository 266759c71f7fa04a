"""What the next step of a fit depends on, taken between two steps and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyro
import torch
from torch import Tensor

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.inference.resting import Resting
from vipaint_pyro.inference.scheduled import optimizer_of, replayed
from vipaint_pyro.per_image_noise import PerImageNoise

__all__ = ["FitState", "under"]

_GLOBAL = "random/global"
#: In a file, in the place of the guide's name in a process.
_GUIDE = "<guide>"


@dataclass
class FitState:
    """The parts of a fit that change from step to step.

    Args:
        guide: with its parameters.
        optim: with a state per parameter.
        noise: with the images' streams and that of the levels.
        resting: whose fit has ended.
        device: of the fit.
        losses: one per step.
        history: the bound's terms by site, (N,) per step.
    """

    guide: Guide
    optim: pyro.optim.PyroOptim
    noise: PerImageNoise
    resting: Resting
    device: torch.device
    losses: list[float]
    history: dict[str, list[Tensor]]
    _waiting: dict[str, dict] = field(default_factory=dict)

    def tensors(self) -> dict[str, Tensor]:
        """All of it that is tensors, by names that say the part: copies, on the CPU."""
        found = {f"guide/{name}": value for name, value in self.guide.state_dict().items()}
        for name, state in self._of_optimizer().items():
            kept = state["state"].get(0, {})
            found |= {f"optim/{name}/{key}": torch.as_tensor(v, device=_place(v)) for key, v in kept.items()}
        streams = self.noise.streams.states(self.device)
        found |= {f"random/stream/{i}": state for i, state in enumerate(streams)}
        found |= {f"resting/{name}": value for name, value in self.resting.state().items()}
        found["random/levels"], found[_GLOBAL] = self.noise.levels.get_state(), torch.get_rng_state()
        if self.device.type == "cuda":
            found[f"{_GLOBAL}/cuda"] = torch.cuda.get_rng_state(self.device)
        found["losses"] = torch.tensor(self.losses, dtype=torch.float64, device="cpu")
        found |= {f"terms/{name.replace(self._name, _GUIDE)}": torch.stack(v) for name, v in self.history.items()}
        return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in found.items()}

    def rates(self) -> dict[str, dict[str, float | tuple[float, ...]]]:
        """What numbers the optimizer keeps per parameter, such as its rate, which some let fall."""
        groups = {name: state["param_groups"][0] for name, state in self._of_optimizer().items()}
        return {name: {k: v for k, v in group.items() if _is_rate(v)} for name, group in groups.items()}

    def put_back(self, tensors: Mapping[str, Tensor], rates: Mapping[str, Mapping[str, float]]) -> None:
        """Go back to :meth:`tensors` and :meth:`rates`; the optimizer's part waits for :meth:`meet`.

        Raises:
            KeyError, RuntimeError: where a part is missing, or is of another guide.
        """
        self.guide.load_state_dict(under("guide/", tensors))
        for name, numbers in rates.items():
            state = {key: _number(value) for key, value in under(f"optim/{name}/", tensors).items()}
            self._waiting[name] = {"state": {0: state} if state else {}, "rates": numbers}
        self.resting.return_to(under("resting/", tensors))
        self.noise.levels.set_state(tensors["random/levels"])
        torch.set_rng_state(tensors[_GLOBAL])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors[f"{_GLOBAL}/cuda"], self.device)
        streams = under("random/stream/", tensors)
        self.noise.streams.return_to([streams[str(i)] for i in range(len(streams))], self.device)
        self.losses[:] = tensors["losses"].tolist()
        self.history.clear()
        terms = under("terms/", tensors)
        self.history |= {name.replace(_GUIDE, self._name): list(values) for name, values in terms.items()}

    def meet(self) -> None:
        """Give the optimizer its state of parameters that wait for it, once a step has met them."""
        if not self._waiting:
            return
        store = pyro.get_param_store()
        for name, parameter in self.guide.named_parameters():
            known = store.param_name(parameter)
            if known is not None and name in self._waiting:
                waiting = self._waiting.pop(name)
                # Pyro makes an optimizer per parameter, with the options that its name has.
                made = replayed(self.optim._get_optim(parameter), self.losses)
                inner = optimizer_of(made)
                rates = {k: tuple(v) if isinstance(v, list) else v for k, v in waiting["rates"].items()}
                groups = [inner.state_dict()["param_groups"][0] | rates]
                inner.load_state_dict({"state": waiting["state"], "param_groups": groups})
                for key, value in waiting["state"].get(0, {}).items():
                    if isinstance(value, Tensor):  # torch casts what is in another precision than the parameter
                        inner.state[parameter][key] = inner.state[parameter][key].to(value.dtype)
                self.optim.optim_objs[parameter] = made
                clip: Any = self.optim._get_grad_clip  # takes the parameter, whatever its annotation says
                self.optim.grad_clip[parameter] = clip(parameter)

    @property
    def _name(self) -> str:
        """The guide's name in this process, which sites of AutoGuides have in theirs."""
        return self.guide._pyro_name

    def _of_optimizer(self) -> dict[str, dict]:
        """The optimizer's state by the guide's own names: Pyro's have the number of a guide in this process."""
        states, store = self.optim.get_state(), pyro.get_param_store()
        known = {name: store.param_name(parameter) for name, parameter in self.guide.named_parameters()}
        # Of a scheduler the optimizer's part: its own follows from its steps.
        return {n: states[full].get("optimizer", states[full]) for n, full in known.items() if full in states}


def _is_rate(value: object) -> bool:
    """Whether a number, or some of them as Adam has two, that a scheduler may move."""
    return type(value) is float or (type(value) is tuple and bool(value) and all(type(v) is float for v in value))


def _number(value: Tensor) -> Tensor | int:
    """Some optimizers count their steps in whole numbers."""
    return int(value) if value.ndim == 0 and value.dtype == torch.int64 else value


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin so, by what follows."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _place(value: Tensor | float) -> torch.device | str:
    """Where a number of an optimizer is, on the cpu if it is none of torch's."""
    return value.device if isinstance(value, Tensor) else "cpu"
