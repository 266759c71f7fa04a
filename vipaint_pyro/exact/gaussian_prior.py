"""One Gaussian as a diffusion prior: the oracle of the tests."""

from __future__ import annotations

import pyro.distributions as dist
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.exact.components import numbers
from vipaint_pyro.exact.mixture import GaussianMixture
from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["GaussianPrior"]


class GaussianPrior(GaussianMixturePrior):
    """One Gaussian: the oracle of the tests.

    Args:
        mean: with shape (C, H, W), in image units.
        std: of independent entries, with the same shape, positive.
        schedule: the noise levels.
        covariance: (D, D) with D = C H W, instead of std.
        kernel: see :class:`GaussianMixturePrior`.
    """

    def __init__(
        self,
        mean: Tensor,
        std: Tensor | None,
        schedule: NoiseSchedule,
        *,
        covariance: Tensor | None = None,
        kernel: str = "exact",
    ) -> None:
        check_tensor("mean", mean, "(C, H, W)")
        if mean.ndim != 3 or not mean.is_floating_point():
            raise ValueError(f"mean has shape (C, H, W), but came with {tuple(mean.shape)} of {mean.dtype}")
        if std is not None:
            std = numbers("std", std, mean)
            if std.numel() != 1 and std.shape != mean.shape:
                shapes = f"{tuple(mean.shape)}, but came with {tuple(std.shape)}"
                raise ValueError(f"std is one number or has the shape of mean, {shapes}")
            if not (std > 0).all() or not std.isfinite().all():
                raise ValueError(f"std must be positive and finite, but is {shown(std)}")
        super().__init__(
            mean.new_ones(1),
            mean[None],
            schedule,
            variances=None if std is None else std**2,
            covariances=covariance,
            kernel=kernel,
        )
        self.mean, self.std = mean, self.marginal(CLEAN).stddev.expand_as(mean)

    def marginal(self, t: int) -> TorchDistributionMixin:
        return self._as_normal(super().marginal(t))

    def transition(
        self, z_t: Tensor, t: int | Tensor, s: int | Tensor, eta: float = 1.0, z0: Tensor | None = None
    ) -> TorchDistributionMixin:
        return self._as_normal(super().transition(z_t, t, s, eta, z0))

    def _as_normal(self, mixture: TorchDistributionMixin) -> TorchDistributionMixin:
        """Independent entries as a Normal, so that Pyro knows its KL divergences."""
        if self.components.basis is not None or not isinstance(mixture, GaussianMixture):
            return mixture
        return dist.Normal(mixture.mean, mixture.stddev).to_event(3)
