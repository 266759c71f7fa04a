r"""How particles step below T_s: the prior's step, moved towards y."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.measurements.given_y import added_by
from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.settings import checked, whole

__all__ = ["Pulled", "PosteriorMean", "Proposal"]


class Proposal(ABC):
    r"""A Gaussian step :math:`N(m, \varsigma^2)` from z_t to z_s, with the spread of the prior's own.

    Whatever it knows of y it takes from z_t alone, so that it can be weighed against the prior's step.
    """

    @abstractmethod
    def check(self, measurement: Measurement) -> None:
        """Raise ValueError where the proposal is not for this measurement."""

    @abstractmethod
    def towards(self, measurement: Measurement, prediction: Prediction, log_likelihood: Tensor) -> Tensor:
        """What moves the step, (S, N, C, H, W); the prediction's z has a graph, and so has log p(y | z_t), (S, N)."""

    @abstractmethod
    def moments(self, model: DiffusionModel, at: Prediction, towards: Tensor, s: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of z_s, that broadcast against (S, N, C, H, W)."""


@dataclass(frozen=True)
class Pulled(Proposal):
    r""":math:`m = \mu(z_t, \hat z_0) + \varsigma^2 \nabla_{z_t} \log p(y | z_t)` (Wu et al., arXiv:2306.17775)."""

    def check(self, measurement: Measurement) -> None:
        """It is for every one with a likelihood."""

    def towards(self, measurement: Measurement, prediction: Prediction, log_likelihood: Tensor) -> Tensor:
        return torch.autograd.grad(log_likelihood.sum(), prediction.z)[0]

    def moments(self, model: DiffusionModel, at: Prediction, towards: Tensor, s: int) -> tuple[Tensor, Tensor]:
        mean, std = model.prior.reverse(at.z, at.t, s, model.eta, at.z0)
        return mean + std**2 * towards, std


@dataclass(frozen=True)
class PosteriorMean(Proposal):
    r""":math:`m = \mu(z_t, E[z_0 | z_t, y])`, the step of MMPS (Rozet et al., arXiv:2405.13712), through a decoder too.

    Args:
        iterations: of conjugate gradients, a backward call of the network each.

    Raises:
        ValueError: for no iterations.
    """

    iterations: int = 1

    def __post_init__(self) -> None:
        checked("iterations", self.iterations, whole(1))

    def check(self, measurement: Measurement) -> None:
        sigma = measurement.likelihood.sigma
        if sigma is None or not (torch.as_tensor(sigma, device=measurement.y.device) > 0).all():
            raise ValueError("a step to E[z_0 | z_t, y] is for Gaussian noise above 0: give Gaussian or MomentMatched")

    def towards(self, measurement: Measurement, prediction: Prediction, log_likelihood: Tensor) -> Tensor:
        seen = Linearised.of(measurement.operator, prediction)
        away = seen.away(measurement.y)
        sigma = torch.as_tensor(measurement.likelihood.sigma, dtype=away.dtype, device=away.device)
        return added_by(seen, away, sigma**2, self.iterations).to(prediction.z)

    def moments(self, model: DiffusionModel, at: Prediction, towards: Tensor, s: int) -> tuple[Tensor, Tensor]:
        return model.prior.reverse(at.z, at.t, s, model.eta, model.prior.clipped(at.z0 + towards))
