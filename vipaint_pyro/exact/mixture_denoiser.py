r"""E[x | z_t] of a Gaussian mixture, as a denoiser like any network's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.networks.calls import Condition
from vipaint_pyro.priors.denoisers import Denoiser

if TYPE_CHECKING:
    from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior

__all__ = ["MixtureDenoiser"]


class MixtureDenoiser(Denoiser):
    r"""The exact denoiser of a Gaussian mixture: E[x | z_t] = :math:`\sum_k r_k m_k`.

    .. math:: m_k = \mu_k + \alpha_t \Sigma_k V_k(t)^{-1} (z_t - \alpha_t \mu_k)
    """

    def __init__(self, prior: GaussianMixturePrior) -> None:
        self._prior = prior

    @property
    def device(self) -> torch.device:
        return self._prior.components.means.device

    @property
    def dtype(self) -> torch.dtype:
        return self._prior.components.means.dtype

    def __call__(self, z: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        # One time for all has one |mu_k|^2 / V for all: of a time each it would be another product (B, D) x (D, K).
        alike = t.ndim == 1 and len(t) > 1 and bool((t == t[0]).all())
        return self._prior.posterior(z, t[0] if alike else t).mean

    def numbers(self) -> Mapping[str, Tensor]:
        parts, schedule = self._prior.components, self._prior.schedule
        times = torch.arange(schedule.num_timesteps, device="cpu")
        rotated = {} if parts.basis is None else {"basis": parts.basis}
        return {
            "means": parts.original, "eigenvalues": parts.eigenvalues, **rotated, "weights": self._prior.log_weights,
            "alpha": schedule.alpha(times), "sigma": schedule.sigma(times),
        }  # fmt: skip

    def variance(self, t: Tensor, z: Tensor) -> Tensor:
        """Var[x | z_t] of every entry."""
        return self._prior.posterior(z, t).variance
