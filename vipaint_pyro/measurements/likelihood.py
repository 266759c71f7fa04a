r"""The contract of a likelihood, p(y | z_t)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import Seen, check_distribution
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.wording import shown

__all__ = ["Likelihood", "Noise", "PlugIn", "as_likelihood"]


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
        check_distribution(self._called, law, "dist.Normal(loc, 0.1)")
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


def as_likelihood(given: Likelihood | Callable[[Tensor], TorchDistributionMixin]) -> Likelihood:
    """A likelihood as it is, or a function of A x as a plug-in one."""
    if not isinstance(given, Likelihood) and not callable(given):
        raise TypeError(f"a likelihood is one of vipaint_pyro.measurements, or a function of A x, not {shown(given)}")
    if isinstance(given, type):
        raise TypeError(f"a likelihood is made of its class: {given.__name__}(), not {given.__name__}")
    return given if isinstance(given, Likelihood) else PlugIn(given)
