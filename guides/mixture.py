r"""A mixture of Gaussians at T_e, so that several meanings of one image survive the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.nn import PyroParam
from torch import Tensor

from vipaint_pyro.distributions import NormalMixture
from vipaint_pyro.guides.markov import MarkovGuide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["MixtureGuide"]


class MixtureGuide(MarkovGuide):
    r"""M Gaussians at T_e with weights of their own per image, and below it the kernel of the nearest.

    .. math:: q(z_{T_e}) &= \sum_m w_m\, N(\alpha_{T_e} \mu_{m,T_e},\; \tau_{m,T_e}^2) \\
              q(z_s | z_t) &= N\Big(\sum_m r_m(z_t)\,\big[\gamma_{m,s}\, m^p(z_t)
              + (1 - \gamma_{m,s})\, \alpha_s \mu_{m,s}\big],\; \tau_s^2\Big)

    with :math:`m^p` the mean of the prior's own reverse step, as in
    :class:`~vipaint_pyro.guides.HierarchicalGuide`. The responsibilities :math:`r_m(z_t)` are those of z_t
    alone, so that the guide stays a Markov chain: component m at T_e is read as a Gaussian over z_0,
    noised to T_e, and noised to t instead,

    .. math:: r_m(z_t) \propto w_m\, N\big(z_t;\; \alpha_t \mu_{m,T_e},\; \alpha_t^2 v_m + \sigma_t^2\big), \quad
              v_m = \max(\tau_{m,T_e}^2 - \sigma_{T_e}^2,\, 0) / \alpha_{T_e}^2,

    and at t = T_e those of q(z_{T_e}) itself.

    Parameters: ``logits`` (M, N); ``mu_{t}`` (M, N, C, H, W) in units of z_0; ``tau_{T_e}``
    (M, N, C, H, W) and ``tau_{s}`` (N, C, H, W), positive; ``gamma_{s}`` (M, N, C, H, W), between 0 and 1.

    q(z_{T_e}) has no closed form above T_e: give it a model with ``form="marginal"``, and a
    ``Trace_ELBO`` of two chains or more (see :class:`NormalMixture`).

    Args:
        model: the model in its marginal form.
        y: measurements (N, C', H', W'), 0 where not observed.
        num_components: M, at least 1.
        spread: standard deviation, in units of z_0, of the noise that parts the starting means from the
            encoded estimate of y, where the first component stays.
        starts: the starting means (M, N, C, H, W) in units of z_0, instead of the last two.
        generator: of that noise, one, or a list with one per image; by default each image has the
            same fixed noise, and the global state is left alone.
        gamma, std_scale: as in :class:`~vipaint_pyro.guides.HierarchicalGuide`.

    Raises:
        ValueError: where y or starts do not fit the model, or for fewer than one component.
    """

    recipe: ClassVar[Mapping[str, object]] = {"form": "marginal"}
    pathwise: ClassVar[bool] = False

    def __init__(
        self,
        model: DiffusionModel,
        y: Tensor | Measurement,
        *,
        num_components: int = 8,
        spread: float = 0.5,
        starts: Tensor | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        gamma: float = 0.88,
        std_scale: float = 0.7,
    ) -> None:
        super().__init__(model)
        encoded = self.encoded(y)
        if starts is None:
            starts = self._spread(encoded, num_components, spread, generator)
        elif starts.ndim != 5 or starts.shape[1:] != encoded.shape:
            raise ValueError(f"starts have shape (M, {', '.join(map(str, encoded.shape))}), not {tuple(starts.shape)}")
        starts = starts.to(encoded)
        schedule, top = model.prior.schedule, model.timesteps[0]
        self.logits: Any = PyroParam(starts.new_zeros(starts.shape[:2]), constraints.real)
        self.real(f"mu_{top}", starts)
        self.positive(f"tau_{top}", starts, schedule.sigma(top))
        for t, s in zip(model.timesteps, model.timesteps[1:]):
            self.real(f"mu_{s}", starts)
            self.positive(f"tau_{s}", encoded, std_scale * reverse_step(schedule, t, s, model.eta)[-1])
            self.unit(f"gamma_{s}", starts, gamma)

    @staticmethod
    def _spread(
        encoded: Tensor, m: int, spread: float, generator: torch.Generator | Sequence[torch.Generator] | None
    ) -> Tensor:
        if m < 1:
            raise ValueError(f"num_components is at least 1, but is {m}")
        n = len(encoded)
        if generator is None:
            generator = [torch.Generator().manual_seed(0) for _ in range(n)]
        noise = spread * NoiseStreams(generator, n).normal((m, *encoded.shape), 1, encoded)
        noise[0] = 0
        return encoded + noise

    def share(self, name: str, parameter: Tensor, image: int) -> Tensor:
        if name.rpartition(".")[-1].startswith("logits"):
            return parameter[:, image]
        return super().share(name, parameter, image)

    @property
    def weights(self) -> Tensor:
        """w with shape (M, N)."""
        return self.logits.softmax(0)

    def top(self) -> NormalMixture:
        e = self.model.timesteps[0]
        alpha = float(self.model.prior.schedule.alpha(e))
        return NormalMixture(self.logits, alpha * getattr(self, f"mu_{e}"), getattr(self, f"tau_{e}"))

    def at(self, t: int) -> NormalMixture:
        """The components as they are at level t <= T_e, by which responsibilities go."""
        e, schedule = self.model.timesteps[0], self.model.prior.schedule
        if t == e:
            return self.top()
        (alpha_e, sigma_e), (alpha_t, sigma_t) = ((float(schedule.alpha(k)), float(schedule.sigma(k))) for k in (e, t))
        v = (getattr(self, f"tau_{e}") ** 2 - sigma_e**2).clamp_min(0) / alpha_e**2
        return NormalMixture(self.logits, alpha_t * getattr(self, f"mu_{e}"), (alpha_t**2 * v + sigma_t**2).sqrt())

    def kernel(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        r = self.at(t).log_responsibilities(z_t).exp()[..., None, None, None]
        mu, gamma = (self._beside(getattr(self, f"{name}_{s}"), z_t) for name in ("mu", "gamma"))
        prior_mean, _ = self.model.reverse(z_t, t, s)
        alpha = float(self.model.prior.schedule.alpha(s))
        mean = (r * (gamma * prior_mean + (1 - gamma) * alpha * mu)).sum(0)
        return dist.Normal(mean, getattr(self, f"tau_{s}")).to_event(3)

    @staticmethod
    def _beside(value: Tensor, z: Tensor) -> Tensor:
        """(M, N, C, H, W) to broadcast against (M, *, N, C, H, W)."""
        return value.reshape(len(value), *(1,) * (z.ndim - 4), *value.shape[1:])
