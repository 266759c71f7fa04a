r"""VIPaint's guide, its kernels guided by y: each steps from E[z_0 | z_t, y] in place of E[z_0 | z_t]."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.guides.hierarchical import HierarchicalGuide
from vipaint_pyro.guides.keeping import KeepsY
from vipaint_pyro.measurements.given_y import added_by
from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.settings import checked, number, whole

__all__ = ["HierarchicalGuidedGuide"]


class HierarchicalGuidedGuide(HierarchicalGuide, KeepsY):
    r"""A Gaussian at T_e, and below it the prior's step from a prediction that knows y, mixed with a free mean.

    .. math:: q(z_{T_e}) &= N(\alpha_{T_e} \mu_{T_e},\; \tau_{T_e}^2) \\
              q(z_s | z_t) &= N\big(\gamma_s (c_0\, \hat z_0^y + c_t\, z_t) + (1 - \gamma_s)\, \alpha_s \mu_s,\;
              \tau_s^2\big), \quad
              \hat z_0^y = E[z_0 | z_t] + g_s\, \Delta(z_t)

    Delta is what y adds to the prediction under Gaussian moments
    (:func:`~vipaint_pyro.measurements.given_y.added_by`; the step of MMPS, Rozet et al., arXiv:2405.13712). In
    :class:`HierarchicalGuide` a kernel pulls every z_t to the same place; here each goes where y calls it from where it
    is, so that modes that y leaves open stay apart, whichever directions y sees. A kernel costs ``iterations`` backward
    calls of the network more. Gradients of a fit do not go through Delta. z_0^y is clipped where the prior clips its
    predictions.

    Args:
        model: the model, in its bridge or its marginal form.
        y: measurements (N, C', H', W'), 0 where not observed, or a
            :class:`~vipaint_pyro.measurements.measurement.Measurement`, whose sigma is that of the noise.
        gamma, std_scale: as in :class:`HierarchicalGuide`; the step mixed in is the better one here, so that gamma
            starts at 0.99.
        iterations: of conjugate gradients for Delta.
        measurement_scale: sigma_y > 0, in units of [-1, 1], where neither y nor the model's likelihood is of Gaussian
            noise.

    Parameters beside those of :class:`HierarchicalGuide`: below T_e ``gain_{s}``, g_s, positive, one per image, which
    starts at 1.

    Raises:
        ValueError: where y does not fit the model, or for settings that cannot be.
    """

    #: Of conjugate gradients, by default.
    ITERATIONS = 2

    def __init__(
        self,
        model: DiffusionModel,
        y: Tensor | Measurement,
        *,
        gamma: float | None = 0.99,
        std_scale: float = 0.7,
        iterations: int = ITERATIONS,
        measurement_scale: float = 0.03,
    ) -> None:
        checked("iterations", iterations, whole())
        checked("measurement_scale", measurement_scale, number(above=0))
        super().__init__(model, y, gamma=gamma, std_scale=std_scale)
        self._iterations = iterations
        sigma = y.likelihood.sigma if isinstance(y, Measurement) else model.likelihood.sigma
        y = self.measured(y)
        sigma = torch.as_tensor(measurement_scale if sigma is None else sigma, dtype=y.dtype, device=y.device)
        self.register_buffer("_y", y)
        self.register_buffer("_variance", torch.where(sigma > 0, sigma, measurement_scale).square())
        one = y.new_ones(len(y), 1, 1, 1)
        for s in model.timesteps[1:]:
            self.positive(f"gain_{s}", one, 1.0)

    def kept_y(self) -> Tensor:
        """The measurements that guide every kernel."""
        return self._y

    def kernel(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        mu, tau, gamma, gain = (getattr(self, f"{name}_{s}") for name in ("mu", "tau", "gamma", "gain"))
        z0, added = self._guided(z_t, t)
        model, alpha = self.model, float(self.model.prior.schedule.alpha(s))
        mean, _ = model.prior.reverse(z_t, t, s, model.eta, model.prior.clipped(z0 + gain * added))
        return dist.Normal(gamma * mean + (1 - gamma) * alpha * mu, tau).to_event(3)

    def _guided(self, z_t: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """E[z_0 | z_t], with its graph in a fit, and what y adds to it, without one."""
        model = self.model
        if z_t.requires_grad:
            z0 = model.denoise(z_t, t)
            return z0, self._added(z_t, t, z0)
        # Each piece's graph is gone before the next one's is made.
        pieces = z_t.split(model.prior.pieces or len(z_t)) if z_t.ndim > 4 else (z_t,)
        z0, added = (torch.cat(parts) for parts in zip(*(self._drawn(piece, t) for piece in pieces)))
        model.keep(z_t, t, z0)
        return z0, added

    def _drawn(self, z: Tensor, t: int) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            z0 = self.model.prior.denoise(z, t)
        return z0.detach(), self._added(z, t, z0)

    def _added(self, z: Tensor, t: int, z0: Tensor) -> Tensor:
        """Delta of z, of which z0 is a function."""
        seen = Linearised(self.model.operator, Prediction(self.model.prior, z, t, z0))
        return added_by(seen, seen.away(self._y), self._variance, self._iterations).to(z)
