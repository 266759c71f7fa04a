r"""VIPaint's hierarchical guide. Agarwal et al., "VIPaint", arXiv:2411.18929, eq. 11-12."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn import PyroParam
from torch import Tensor
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.models.diffusion import DiffusionModel, site

from vipaint_pyro.kernels import posterior_std

__all__ = ["HierarchicalGuide"]


class HierarchicalGuide(Guide):
    r"""A Gaussian at T_e, and below it a mixture of means between the prior's step and a free mean.

    .. math:: q(z_{T_e}) &= N(\alpha_{T_e} \mu_{T_e},\; \tau_{T_e}^2) \\
              q(z_s | z_t) &= N(\gamma_s\, m^p(z_t) + (1 - \gamma_s)\, \alpha_s \mu_s,\; \tau_s^2)

    with :math:`m^p` the mean of the prior's own reverse step. Parameters, each with shape
    (N, C, H, W), so one per element and image: ``mu_{t}`` (real, in units of z_0), ``tau_{t}``
    (positive) and below T_e ``gamma_{t}`` (between 0 and 1).

    Args:
        model: the model, in its bridge form.
        y: measurements (N, C', H', W'), 0 where not observed; every mu starts at its encoded
            adjoint, scaled by alpha once, on use.
        gamma: where gamma starts.
        std_scale: tau below T_e starts at this fraction of the prior's own standard deviation;
            at T_e it starts at sigma_{T_e}, where q(z_{T_e}) is the forward process of mu.

    Raises:
        ValueError: where y does not fit the model, or the model is in its marginal form.
    """

    def __init__(
        self,
        model: DiffusionModel,
        y: Tensor,
        *,
        gamma: float = 0.88,
        std_scale: float = 0.7,
    ) -> None:
        super().__init__(model)
        prior = model.prior
        if model.form != "bridge":
            raise ValueError("HierarchicalGuide is for a model in its bridge form (form='bridge')")
        if y.shape[0] != model.num_images:
            raise ValueError(f"y holds {y.shape[0]} images, the model {model.num_images}")
        with torch.no_grad():
            start = prior.encode(model.operator.adjoint(y.to(prior.device, prior.dtype)))
        top = model.timesteps[0]
        self._real(f"mu_{top}", start)
        self._positive(f"tau_{top}", start, prior.schedule.sigma(top))
        for t, s in zip(model.timesteps, model.timesteps[1:]):
            self._real(f"mu_{s}", start)
            self._positive(f"tau_{s}", start, std_scale * posterior_std(prior.schedule, t, s))
            self._unit(f"gamma_{s}", start, gamma)

    def _real(self, name: str, like: Tensor) -> None:
        setattr(self, name, PyroParam(like.clone(), constraints.real, event_dim=3))

    def _positive(self, name: str, like: Tensor, value: Tensor) -> None:
        full = torch.full_like(like, float(value))
        setattr(self, name, PyroParam(full, constraints.positive, event_dim=3))

    def _unit(self, name: str, like: Tensor, value: float) -> None:
        full = torch.full_like(like, value)
        setattr(self, name, PyroParam(full, constraints.unit_interval, event_dim=3))

    def forward(self, y: Tensor | None = None) -> Tensor:
        """Run the guide; y is not looked at, it is there since the model takes it.

        Returns:
            z_{T_s} with shape (*, N, C, H, W).
        """
        model = self.model
        alpha = model.prior.schedule.alpha
        top = model.timesteps[0]
        with model.images(), model.weight():
            mu, tau = getattr(self, f"mu_{top}"), getattr(self, f"tau_{top}")
            mean = float(alpha(top)) * mu
            q_top = dist.Normal(mean, tau).to_event(3)
            if model.bridged:
                self.terminal(mean, tau)
                z = pyro.sample(site(top), q_top.mask(False))
                self.bridge(mean, tau)
            else:  # T_e = T: its density is known
                z = pyro.sample(site(top), q_top)
            for t, s in zip(model.timesteps, model.timesteps[1:]):
                mu, tau, gamma = (getattr(self, f"{name}_{s}") for name in ("mu", "tau", "gamma"))
                prior_mean, _ = model.reverse(z, t, s)
                mean = gamma * prior_mean + (1 - gamma) * float(alpha(s)) * mu
                z = pyro.sample(site(s), dist.Normal(mean, tau).to_event(3))
        return z

    @staticmethod
    def learning_rate(name: str) -> float:
        """Adam's rate for a parameter by its name: means, log standard deviations, gamma logits."""
        kind = name.rsplit(".", 1)[-1].split("_")[0]
        return {"mu": 0.1, "tau": 0.02, "gamma": 0.05}[kind]
