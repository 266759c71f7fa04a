r"""A Gaussian prior, whose every quantity is known in closed form: the oracle of the tests."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.kernels import forward_step, like, posterior_std
from vipaint_pyro.priors import DiffusionPrior
from vipaint_pyro.schedules import NoiseSchedule

__all__ = ["GaussianDenoiser", "GaussianPrior"]


class GaussianDenoiser:
    r"""The exact denoiser of pixels that are independently N(mean, std^2).

    .. math:: E[z_0 | z_t] = m + \frac{\alpha_t s^2}{\alpha_t^2 s^2 + \sigma_t^2} (z_t - \alpha_t m)

    Args:
        mean: m, with shape (C, H, W).
        std: s > 0, with the same shape.
        schedule: the noise levels.
    """

    def __init__(self, mean: Tensor, std: Tensor, schedule: NoiseSchedule) -> None:
        self.mean, self.std, self.schedule = mean, std, schedule

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    def __call__(self, z: Tensor, t: Tensor, class_labels: Tensor | None = None) -> Tensor:
        alpha, sigma = like(self.schedule.alpha(t), z), like(self.schedule.sigma(t), z)
        gain = alpha * self.std**2 / (alpha**2 * self.std**2 + sigma**2)
        return self.mean + gain * (z - alpha * self.mean)

    def variance(self, t: Tensor, z: Tensor) -> Tensor:
        r"""Var[z_0 | z_t] = :math:`s^2\sigma_t^2 / (\alpha_t^2 s^2 + \sigma_t^2)`."""
        alpha, sigma = like(self.schedule.alpha(t), z), like(self.schedule.sigma(t), z)
        return self.std**2 * sigma**2 / (alpha**2 * self.std**2 + sigma**2)


class GaussianPrior(DiffusionPrior):
    """Pixels that are independently N(mean, std^2), with the exact denoiser and reverse kernel.

    Every quantity of VIPaint has a closed form under it, so the tests measure against the truth.

    Args:
        mean: with shape (C, H, W), in image units.
        std: with the same shape, positive.
        schedule: the noise levels.
    """

    def __init__(self, mean: Tensor, std: Tensor, schedule: NoiseSchedule) -> None:
        super().__init__(schedule, GaussianDenoiser(mean, std, schedule), mean.shape)
        self.mean, self.std = mean, std

    def reverse(self, z_t, t, s, eta=1.0, z0=None):
        """The exact p(z_s | z_t): the DDPM step, widened by what z_t leaves unknown about z_0.

        Raises:
            ValueError: for eta other than 1, since the exact kernel is the ancestral one.
        """
        if eta != 1:
            raise ValueError("a Gaussian prior knows the exact (ancestral) reverse kernel: eta is 1")
        mean, _ = super().reverse(z_t, t, s, 1.0, z0)
        t, s = torch.as_tensor(t), torch.as_tensor(s)
        _, v = forward_step(self.schedule, s, t)
        gain = self.schedule.alpha(s) * v / self.schedule.sigma(t) ** 2
        variance = like(posterior_std(self.schedule, t, s) ** 2, z_t) + like(
            gain**2, z_t
        ) * self.denoiser.variance(t, z_t)
        return mean, variance.sqrt()

    def marginal(self, t: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of p(z_t), with shape (C, H, W)."""
        alpha, sigma = float(self.schedule.alpha(t)), float(self.schedule.sigma(t))
        return alpha * self.mean, (alpha**2 * self.std**2 + sigma**2).sqrt()
