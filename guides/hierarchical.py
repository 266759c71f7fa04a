r"""VIPaint's hierarchical guide. Agarwal et al., "VIPaint", arXiv:2411.18929, eq. 11-12."""

from __future__ import annotations

import math

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.guides.markov import MarkovGuide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.priors.kernels import reverse_step

__all__ = ["HierarchicalGuide"]


class HierarchicalGuide(MarkovGuide):
    r"""A Gaussian at T_e, and below it a mixture of means between the prior's step and a free mean.

    .. math:: q(z_{T_e}) &= N(\alpha_{T_e} \mu_{T_e},\; \tau_{T_e}^2) \\
              q(z_s | z_t) &= N(\gamma_s\, m^p(z_t) + (1 - \gamma_s)\, \alpha_s \mu_s,\; \tau_s^2)

    with :math:`m^p` the mean of the prior's own reverse step. Parameters, each with shape
    (N, C, H, W), so one per element and image: ``mu_{t}`` (real, in units of z_0), ``tau_{t}``
    (positive) and below T_e ``gamma_{t}`` (between 0 and 1).

    Args:
        model: the model, in its bridge or its marginal form.
        y: measurements (N, C', H', W'), 0 where not observed; every mu starts at its encoded
            estimate (:meth:`Guide.encoded`), scaled by alpha once, on use.
        gamma: where gamma starts. None: 0.88 for pixel priors, 0.2 for latent ones, whose code of what is known is
            close to z_0 already: from 0.88 fifty steps often leave the guide with another hat than the one that
            is seen, and its bound hundreds to thousands of nats lower.
        std_scale: tau below T_e starts at this fraction of the prior's own standard deviation;
            at T_e it starts at sigma_{T_e}, where q(z_{T_e}) is the forward process of mu.

    Latents of a latent prior that no known pixel decides (:func:`vipaint_pyro.priors.codecs.latent_mask`) start as the
    prior does, and not at the code of a grey hole: mu = 0, tau = (alpha^2 + sigma^2)^(1/2) for latents of
    unit variance, and below T_e gamma = 0.99 and the prior's own standard deviation.

    Raises:
        ValueError: where y does not fit the model.
    """

    def __init__(
        self,
        model: DiffusionModel,
        y: Tensor | Measurement,
        *,
        gamma: float | None = None,
        std_scale: float = 0.7,
    ) -> None:
        super().__init__(model)
        if gamma is None:
            gamma = 0.2 if model.prior.is_latent else 0.88
        schedule, start, known = model.prior.schedule, self.encoded(y), self.known_latents()
        top = model.timesteps[0]
        alpha, sigma = float(schedule.alpha(top)), float(schedule.sigma(top))
        start = torch.where(known, start, 0)

        def split(here: float, hidden: float) -> Tensor:
            """One value for known latents, another for hidden ones."""
            return torch.where(known, start.new_tensor(here), start.new_tensor(hidden))

        self.real(f"mu_{top}", start)
        self.positive(f"tau_{top}", start, split(sigma, math.hypot(alpha, sigma)))
        for t, s in zip(model.timesteps, model.timesteps[1:]):
            self.real(f"mu_{s}", start)
            std = float(reverse_step(schedule, t, s, model.eta)[-1])
            self.positive(f"tau_{s}", start, split(std_scale * std, std))
            self.unit(f"gamma_{s}", start, split(gamma, max(gamma, 0.99)))

    def top(self) -> TorchDistributionMixin:
        t = self.model.timesteps[0]
        mu, tau = getattr(self, f"mu_{t}"), getattr(self, f"tau_{t}")
        return dist.Normal(float(self.model.prior.schedule.alpha(t)) * mu, tau).to_event(3)

    def kernel(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        mu, tau, gamma = (getattr(self, f"{name}_{s}") for name in ("mu", "tau", "gamma"))
        prior_mean, _ = self.model.reverse(z_t, t, s)
        alpha = float(self.model.prior.schedule.alpha(s))
        return dist.Normal(gamma * prior_mean + (1 - gamma) * alpha * mu, tau).to_event(3)
