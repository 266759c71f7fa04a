r"""Denoisers: (z_t, t) -> E[z_0 | z_t]. One small class per parameterisation of the network.

Whatever the network predicts, and however it is conditioned, ends here: nothing else in the
library branches on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.calls import Condition, call_network
from vipaint_pyro.networks.frozen import weights_kept
from vipaint_pyro.networks.kinds import kind_of
from vipaint_pyro.networks.placement import device_of, dtype_of
from vipaint_pyro.priors.clipping import Fixed, clipping_of
from vipaint_pyro.priors.kernels import like
from vipaint_pyro.priors.schedulers import check_prediction, check_times, fields_taken
from vipaint_pyro.priors.schedules import NoiseSchedule, family_of

__all__ = [
    "Denoiser",
    "EDMDenoiser",
    "EpsilonDenoiser",
    "FlowDenoiser",
    "SampleDenoiser",
    "ScoreDenoiser",
    "VDenoiser",
    "denoiser_for",
]


Clip = Callable[[Tensor], Tensor]


class Denoiser(ABC):
    """The contract: ``denoiser(z, t, condition)`` returns E[z_0 | z_t = z].

    ``z`` has shape (B, C, H, W), ``t`` holds whole times with shape (B,) on the CPU, and ``condition``
    is None or tensors by name, each with a leading axis B: what the network takes beside z and its time
    (``class_labels``, ``encoder_hidden_states`` ...). The result has z's shape.

    Attributes:
        device: where z has to be.
        dtype: of z.
        network: the network that predicts, where there is one.
    """

    network: Any = None

    if TYPE_CHECKING:  # they are only read: an attribute will do, and a property

        @property
        def device(self) -> torch.device: ...

        @property
        def dtype(self) -> torch.dtype: ...

    @property
    def condition_dtype(self) -> torch.dtype:
        """Of the tensors of a condition: the network's own precision, which may be half of z's."""
        return self.dtype

    @abstractmethod
    def __call__(self, z: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor: ...

    def numbers(self) -> Mapping[str, Tensor]:
        """What decides its predictions beside the weights of a network, by name: of an exact one, the prior's own."""
        return {}

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        """The same before any clipping of the network's own sampler."""
        return self(z, t, condition)

    def clipped(self, z0: Tensor) -> Tensor:
        """What the network's own sampler makes of a prediction."""
        return z0


class _NetworkDenoiser(Denoiser):
    """Shared by the parameterisations: a diffusers network and its schedule.

    Args:
        network: e.g. a ``UNet2DModel``; left as it is. It is called in evaluation mode and without gradients for its
            weights (:mod:`vipaint_pyro.networks.frozen`).
        schedule: the noise levels of its times.
        clip: what the network's own sampler does to z0_hat (:mod:`vipaint_pyro.priors.clipping`), the denoiser
            does too; a number stands for clipping to [-clip, clip]. The gradient passes through unchanged: a clipped
            pixel would otherwise never hear of the measurement.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule, clip: Clip | float | None = None) -> None:
        self.network = network
        self.schedule = schedule
        self.clip = Fixed(clip) if isinstance(clip, (int, float)) else clip

    @property
    def device(self) -> torch.device:
        return device_of(self.network)

    @property
    def dtype(self) -> torch.dtype:
        """Of z: the network's, but at least float32. A half-precision fit would round its steps away."""
        return torch.promote_types(dtype_of(self.network), torch.float32)

    @property
    def condition_dtype(self) -> torch.dtype:
        return dtype_of(self.network)

    def output(self, z: Tensor, time: Tensor, condition: Condition | None) -> Tensor:
        """The network's own output; a learned variance in further channels is left out."""
        with weights_kept(self.network):
            out = call_network(self.network, z.to(dtype_of(self.network)), time.to(z.device), condition)
        return out[:, : z.shape[1]].to(z.dtype)

    def __call__(self, z: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        return self.clipped(self.predict(z, t, condition))

    def clipped(self, z0: Tensor) -> Tensor:
        """What the network's own sampler makes of a prediction; the derivative is that of the identity."""
        return z0 if self.clip is None else z0 + (self.clip(z0) - z0).detach()

    @abstractmethod
    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        """z0_hat from the network's output, before any clipping."""

    def _levels(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return like(self.schedule.alpha(t), z), like(self.schedule.sigma(t), z)


class EpsilonDenoiser(_NetworkDenoiser):
    r"""The network predicts the noise: :math:`\hat z_0 = (z_t - \sigma_t \hat\epsilon) / \alpha_t`."""

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        alpha, sigma = self._levels(z, t)
        return (z - sigma * self.output(z, t, condition)) / alpha


class VDenoiser(_NetworkDenoiser):
    r"""The network predicts :math:`v = \alpha_t\epsilon - \sigma_t z_0`.

    Hence :math:`\hat z_0 = \alpha_t z_t - \sigma_t \hat v`.

    Salimans and Ho (arXiv:2202.00512), appendix D; for variance-preserving schedules.
    """

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        alpha, sigma = self._levels(z, t)
        return alpha * z - sigma * self.output(z, t, condition)


class SampleDenoiser(_NetworkDenoiser):
    """The network predicts z_0 itself."""

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        return self.output(z, t, condition)


class ScoreDenoiser(_NetworkDenoiser):
    r"""A variance-exploding score network: :math:`\hat z_0 = z_t + \sigma_t^2 \, s(z_t, \sigma_t)`.

    Song et al. (arXiv:2011.13456); diffusers' ``ScoreSdeVePipeline`` networks take sigma as time.

    Args:
        unit: whether the network knows images in [0, 1], to which that pipeline clamps. z is :math:`2 z' - 1` of the
            network's z' then, and sigma twice the network's, so that
            :math:`\hat z_0 = 2 (z' + \sigma'^2 s(z', \sigma')) - 1 = z + \tfrac12 \sigma_t^2\, s(z', \sigma_t / 2)`.
    """

    def __init__(
        self, network: nn.Module, schedule: NoiseSchedule, clip: Clip | float | None = None, unit: bool = False
    ) -> None:
        super().__init__(network, schedule, clip)
        self._scale, self._shift = (2.0, -1.0) if unit else (1.0, 0.0)

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        _, sigma = self._levels(z, t)
        time = (self.schedule.sigma(t) / self._scale).to(z.dtype)
        score = self.output((z - self._shift) / self._scale, time, condition)
        return z + sigma**2 / self._scale * score


class EDMDenoiser(_NetworkDenoiser):
    r"""Preconditioned network, :math:`\hat z_0 = c_{skip} z + c_{out} F(c_{in} z, \tfrac14\ln\sigma)`.

    Karras et al. (arXiv:2206.00364), eq. 7; the coefficients are those of the diffusers scheduler.
    """

    def __init__(
        self, network: nn.Module, schedule: NoiseSchedule, scheduler: Any, clip: Clip | float | None = None
    ) -> None:
        super().__init__(network, schedule, clip)
        self._scheduler = scheduler

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        _, sigma = self._levels(z, t)
        time = self._scheduler.precondition_noise(self.schedule.sigma(t)).to(z.dtype)
        f = self.output(self._scheduler.precondition_inputs(z, sigma), time, condition)
        return self._scheduler.precondition_outputs(z, f, sigma)


class FlowDenoiser(_NetworkDenoiser):
    r"""Rectified flow: the network predicts :math:`v = \epsilon - z_0`.

    Hence :math:`\hat z_0 = z_t - \sigma_t \hat v`.

    Liu et al. (arXiv:2209.03003), eq. 1, with alpha = 1 - sigma; Esser et al. (arXiv:2403.03206) as diffusers
    has it, whose networks take sigma in thousandths as time.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule, num_train_timesteps: int = 1000) -> None:
        super().__init__(network, schedule)
        self._unit = num_train_timesteps

    def predict(self, z: Tensor, t: Tensor, condition: Condition | None) -> Tensor:
        _, sigma = self._levels(z, t)
        return z - sigma * self.output(z, (self._unit * self.schedule.sigma(t)).to(z.dtype), condition)


def denoiser_for(network: nn.Module, scheduler: Any, schedule: NoiseSchedule, unit: bool = False) -> Denoiser:
    """The denoiser that a diffusers network and its scheduler's config describe, for z of this schedule.

    ``unit`` is of a score network, as of :class:`ScoreDenoiser`.

    Raises:
        ValueError: for a prediction type that is not known, or eps-prediction on a schedule whose
            last level holds no signal (alpha_T = 0).
    """
    config, family = fields_taken(scheduler), family_of(scheduler)
    # Old Stable Diffusion folders leave clipping on; diffusers' own pipeline turns it off.
    clip = clipping_of(config, unclipped=kind_of(network, ("UNet2DConditionModel",)) is not None)
    check_times(network, scheduler, schedule)
    check_prediction(scheduler, schedule)
    if family == "EDM":
        return EDMDenoiser(network, schedule, scheduler, clip)
    if family == "FlowMatch":
        return FlowDenoiser(network, schedule, config["num_train_timesteps"])
    if family == "ScoreSdeVe":
        return ScoreDenoiser(network, schedule, clip, unit)
    kinds: dict[str, Callable[..., Denoiser]] = {
        "epsilon": EpsilonDenoiser,
        "v_prediction": VDenoiser,
        "sample": SampleDenoiser,
    }
    prediction = config.get("prediction_type", "epsilon")
    return kinds[prediction](network, schedule, clip)
