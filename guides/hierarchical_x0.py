r"""VIPaint's guide in its later form, that of the prediction of z_0.

Agarwal et al., "VIPaint", arXiv:2411.18929, as published for Stable Diffusion 3.5.
"""

from __future__ import annotations

import pyro.distributions as dist
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.guides.hierarchical import HierarchicalGuide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = ["HierarchicalX0Guide"]


class HierarchicalX0Guide(HierarchicalGuide):
    r"""A Gaussian at T_e, and below it the prior's own step from a shifted prediction.

    .. math:: q(z_{T_e}) &= N(\alpha_{T_e} \mu_{T_e},\; \tau_{T_e}^2) \\
              q(z_s | z_t) &= N(c_0\, \tilde z_0 + c_t\, z_t,\; \tau_s^2), \quad
              \tilde z_0 = \gamma_s\, E[z_0 | z_t] + \mu_s

    with c_0 and c_t of the prior's reverse step (:func:`vipaint_pyro.priors.kernels.reverse_step`). Where
    :class:`HierarchicalGuide` mixes the *step* with a free mean, this mixes the *prediction*: z_t
    itself keeps its weight c_t, so that a kernel cannot forget z_t whatever gamma is. Parameters as
    there, but mu_s below T_e is an offset, in units of z_0.

    Args:
        model: the model, in its bridge or its marginal form.
        y: measurements (N, C', H', W'), 0 where not observed; mu at T_e starts at its encoded estimate,
            below at 1 - gamma times it, so that the shifted prediction is that much of the way to it.
        gamma, std_scale: as in :class:`HierarchicalGuide`.

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
        super().__init__(model, y, gamma=gamma, std_scale=std_scale)
        for s in model.timesteps[1:]:
            setattr(self, f"mu_{s}", (1 - getattr(self, f"gamma_{s}").detach()) * getattr(self, f"mu_{s}"))

    def kernel(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        mu, tau, gamma = (getattr(self, f"{name}_{s}") for name in ("mu", "tau", "gamma"))
        model = self.model
        shifted = gamma * model.denoise(z_t, t) + mu
        mean, _ = model.prior.reverse(z_t, t, s, model.eta, z0=shifted)
        return dist.Normal(mean, tau).to_event(3)
