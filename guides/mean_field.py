r"""The mean-field guide: every noise level on its own."""

from __future__ import annotations

import pyro.distributions as dist
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.guides.markov import MarkovGuide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.priors.kernels import reverse_step

__all__ = ["MeanFieldGuide"]


class MeanFieldGuide(MarkovGuide):
    r"""Independent levels, :math:`q(z_s) = N(\alpha_s \mu_s,\; \tau_s^2)`.

    Levels are strongly correlated under the posterior, the more so the closer they lie, and this guide
    cannot say so: where the posterior of the levels is Gaussian with precision matrix
    :math:`\Lambda`, its best variances are :math:`1/\Lambda_{ss}`, below the marginal ones (Blei et al.,
    "Variational Inference: A Review", arXiv:1601.00670, section 2.3). It is here to be compared with.

    Parameters, each with shape (N, C, H, W): ``mu_{t}`` (real, in units of z_0) and ``tau_{t}``
    (positive).

    Args:
        model: the model, in its bridge or its marginal form.
        y: measurements (N, C', H', W'), 0 where not observed; every mu starts at its encoded estimate.
        std_scale: tau below T_e starts at this fraction of the prior's own standard deviation of one
            step; at T_e it starts at sigma_{T_e}.

    Raises:
        ValueError: where y does not fit the model.
    """

    def __init__(self, model: DiffusionModel, y: Tensor | Measurement, *, std_scale: float = 0.7) -> None:
        super().__init__(model)
        schedule, start = model.prior.schedule, self.encoded(y)
        top = model.timesteps[0]
        self.real(f"mu_{top}", start)
        self.positive(f"tau_{top}", start, schedule.sigma(top))
        for t, s in zip(model.timesteps, model.timesteps[1:]):
            self.real(f"mu_{s}", start)
            self.positive(f"tau_{s}", start, std_scale * reverse_step(schedule, t, s, model.eta)[-1])

    def top(self) -> TorchDistributionMixin:
        return self._level(self.model.timesteps[0])

    def kernel(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        return self._level(s).expand(z_t.shape[:-3])

    def marginals(self) -> dict[int, dist.Normal]:
        """q(z_t) of every level."""
        return {t: self._level(t).base_dist for t in self.model.timesteps}

    def _level(self, t: int) -> TorchDistributionMixin:
        alpha = float(self.model.prior.schedule.alpha(t))
        return dist.Normal(alpha * getattr(self, f"mu_{t}"), getattr(self, f"tau_{t}")).to_event(3)
