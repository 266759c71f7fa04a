r"""The contract of a likelihood, p(y | z_t)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyro
import torch
from pyro import poutine
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import Seen, check_distribution
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.wording import shown

__all__ = ["Likelihood", "Noise", "PlugIn", "as_likelihood", "check_depends"]

_EXAMPLE = "dist.Normal(loc, 0.1)"
_FUNCTION = f"lambda loc: {_EXAMPLE}"


class Likelihood(ABC):
    """What y is expected to be, given what a prior predicts at z_t.

    Attributes:
        noise_alone: whether it stands for the noise of y alone, and not for what a prediction of the image leaves
            open: a guide is then fitted under a broader one.
        sigma: standard deviation of the noise in y where that is Gaussian, 0 for none, None for noise of another kind.
    """

    noise_alone: ClassVar[bool] = False
    if TYPE_CHECKING:  # only read: an attribute will do, and a property

        @property
        def sigma(self) -> float | Tensor | None: ...
    else:
        sigma = None

    @abstractmethod
    def at(self, operator: Operator, prediction: Prediction) -> TorchDistributionMixin:
        """p(y | z_t), with event shape (C', H', W'); at t = ``CLEAN`` that of y given the image."""

    def distance(self, operator: Operator, y: Tensor, x: Tensor) -> Tensor:
        """How far images x (*, N, C, H, W) are from explaining y, (*, N) and at least 0: the norm of y - A x.

        A refinement goes down it: 0 where x explains y as well as can be, with a gradient everywhere, and in units in
        which a step of DPS is a sensible one.
        """
        residual = torch.where(operator.observed, y - operator(x), 0)
        # The norm has no gradient at 0, where there is nothing left to correct.
        return residual.pow(2).sum((-3, -2, -1)).clamp_min(1e-20).sqrt()

    def floor(self, operator: Operator, y: Tensor, x: Tensor, noise: NoiseStreams) -> Tensor | float:
        """What noise leaves of the distance where x is the truth, (*, N) or what broadcasts against it; 0 by default.

        Args:
            noise: what is drawn for it, if anything, from each image's own stream.
        """
        return 0.0

    def check(self, operator: Operator, y: Tensor) -> None:
        """Raise ValueError where y (N, C', H', W') holds what this likelihood cannot give, or cannot be judged by it.

        By default anything goes.
        """
        return None

    def part(self, start: int, stop: int) -> Likelihood:
        """That of the images start ... stop - 1 alone, where each has its own."""
        return self

    def to(self, device: torch.device, dtype: torch.dtype) -> Likelihood:
        """The same where y is on another device or in another precision."""
        return self


class Noise(Likelihood):
    """Noise that is independent in every entry of y: a plug-in likelihood, p(y | A x) at x = E[x | z_t].

    Entries that are not observed count for nothing, and are 0 where y is drawn.
    """

    @abstractmethod
    def __call__(self, loc: Tensor) -> TorchDistributionMixin:
        """The distribution of every entry of y, given A x."""

    def at(self, operator: Operator, prediction: Prediction) -> TorchDistributionMixin:
        loc = operator(prediction.x)
        return Seen(self._of_entries(self(loc), loc), operator.observed).to_event(3)

    @property
    def _called(self) -> str:
        return f"the likelihood {type(self).__name__}"

    def _of_entries(self, law: TorchDistributionMixin, loc: Tensor) -> TorchDistributionMixin:
        """What was given for A x; one error where it is no distribution of every entry."""
        check_distribution(self._called, law, _EXAMPLE)
        batch, shape = tuple(law.batch_shape), tuple(loc.shape)
        if law.event_shape or batch not in ((), shape):
            raise ValueError(
                f"{self._called} gives a distribution of each entry of A x by itself, of batch shape {shape} and event "
                f"shape (), but gave batch shape {batch} and event shape {tuple(law.event_shape)}: leave to_event out, "
                "which is done here"
            )
        return law


@dataclass(frozen=True, eq=False)
class PlugIn(Noise):
    """Any function from A x to a distribution of every entry of y."""

    function: Callable[[Tensor], TorchDistributionMixin]

    @property
    def _called(self) -> str:
        return f"the likelihood {shown(self.function)}"

    def __call__(self, loc: Tensor) -> TorchDistributionMixin:
        return self.function(loc)

    def check(self, operator: Operator, y: Tensor) -> None:
        """Raise ValueError where the distribution is the same whatever A x is; TypeError where it is none of Pyro's.

        Asked with y in the place of A x. What the function does not take is left for its use to say.
        """
        loc = y if y.is_floating_point() else y.float()
        check_depends(self._called, self.function, loc, loc)


def check_depends(
    called: str, function: Callable[[Tensor], TorchDistributionMixin], loc: Tensor, y: Tensor
) -> None:
    """Raise ValueError where a function gives one distribution of y whatever A x is, TypeError where it gives none.

    Args:
        called: what it is called in the message.
        function: of A x.
        loc: A x, which it is asked with.
        y: of the same precision.
    """
    with torch.inference_mode(False), torch.enable_grad(), _forgotten():
        loc = loc.detach().clone().requires_grad_()
        try:
            law = function(loc)
        except Exception:  # whatever a user's function does
            return
        if not isinstance(law, torch.distributions.Distribution):
            check_distribution(called, law, _EXAMPLE)
        try:
            seen = [law.log_prob(y), *([law.rsample()] if law.has_rsample else [])]
        except Exception:  # y is none of its values, or whatever a user's class does
            return
        if not any(_follows(value, loc) for value in seen):
            raise ValueError(
                f"{called} gives a distribution that does not depend on A x, so that pictures would ignore y: put A x "
                f"into it, as in {_FUNCTION}"
            )


@contextmanager
def _forgotten() -> Iterator[None]:
    """A block that leaves nothing behind of a function that is a program of its own: no draws, sites and parameters."""
    store = pyro.get_param_store()
    before = {*store.keys()}
    try:
        with isolated(0), poutine.block():
            yield
    finally:
        for name in {*store.keys()} - before:
            del store[name]


def _follows(value: Tensor, loc: Tensor) -> bool:
    if not value.requires_grad:
        return False
    return torch.autograd.grad(value.sum(), loc, allow_unused=True, retain_graph=True)[0] is not None


def as_likelihood(given: Likelihood | Callable[[Tensor], TorchDistributionMixin]) -> Likelihood:
    """A likelihood as it is, or a function of A x as a plug-in one."""
    if _is_law(given):
        said = f"the class {given.__name__}" if isinstance(given, type) else f"the distribution {shown(given)}"
        raise TypeError(f"a likelihood is a function of A x to a distribution, as in {_FUNCTION}, not {said}")
    if not isinstance(given, Likelihood) and not callable(given):
        raise TypeError(
            f"a likelihood is one of vipaint_pyro.measurements, or a function of A x as in {_FUNCTION}, not "
            f"{shown(given)}"
        )
    if isinstance(given, type):
        raise TypeError(f"a likelihood is made of its class: {given.__name__}(), not {given.__name__}")
    return given if isinstance(given, Likelihood) else PlugIn(given)


def _is_law(given: object) -> bool:
    """Whether something is a distribution or a class of them: Pyro's can be called, but draw then."""
    law = torch.distributions.Distribution
    return issubclass(given, law) if isinstance(given, type) else isinstance(given, law)
