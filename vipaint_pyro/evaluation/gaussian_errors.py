"""Draws against the exact posterior where prior, measurement and so the posterior are Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.calibration import sliced_wasserstein
from vipaint_pyro.exact.gaussian_prior import GaussianPrior
from vipaint_pyro.exact.posterior import ExactPosterior, exact_posterior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.settings import checked, number, whole

__all__ = ["COLUMNS", "GaussianProblem", "errors", "gaussian_problem"]

#: What :func:`errors` gives, in words.
COLUMNS = {
    "mean_hidden": "error of the mean in the hole, rms, in posterior standard deviations",
    "std_hidden": "standard deviation over the exact one in the hole",
    "kl_hidden": "KL of the Gaussian with the draws' moments from the posterior, in the hole, nats per pixel",
    "mean_seen": "error of the mean where seen, rms, in units of [-1, 1]",
    "std_seen": "standard deviation over the exact one where seen",
    "sliced_w1": "sliced W1 to as many exact draws",
}


@dataclass(frozen=True)
class GaussianProblem:
    """Images of a Gaussian prior, seen through one mask.

    Attributes:
        prior: of unit-free pixels about [-1, 1]; takes the steps that a network's does.
        measurement: of N images drawn from the prior.
        sigma: of the noise in y; 0 for none.
        truth: the images, (N, C, H, W).
    """

    prior: GaussianPrior
    measurement: Measurement
    sigma: float
    truth: Tensor

    @property
    def hidden(self) -> Tensor:
        """Which pixels the mask hides, bool (D,)."""
        return ~self.measurement.operator.observed[0].expand(self.prior.latent_shape).flatten()

    def posterior(self) -> ExactPosterior:
        """The exact one; without noise in y, that with noise of a millionth."""
        seen = self.measurement
        return exact_posterior(self.prior, seen.operator, seen.y, max(self.sigma, 1e-6))


def gaussian_problem(
    size: int, length: float, observed: Tensor, sigma: float = 0.0, num_images: int = 4, seed: int = 0
) -> GaussianProblem:
    """Square images of pixels N(0, 1/4), whose correlation falls by e over ``length`` pixels.

    Args:
        size: of a side.
        length: above 0; 0 for independent pixels.
        observed: bool (size, size).
        sigma: of the noise, at least 0.
        num_images: N.
        seed: of the images and of the noise.

    Raises:
        ValueError: for numbers that cannot be, or a mask of another size.
    """
    for name, value, kind in (
        ("size", size, whole(1, 64)), ("length", length, number(least=0)), ("sigma", sigma, number(least=0)),
        ("num_images", num_images, whole()),
    ):  # fmt: skip
        checked(name, value, kind)
    if observed.dtype != torch.bool or observed.shape != (size, size):
        raise ValueError(f"observed is bool ({size}, {size}), but came as {observed.dtype} {tuple(observed.shape)}")
    side = torch.arange(size, dtype=torch.float64, device="cpu")
    place = torch.cartesian_prod(side, side)
    away = torch.cdist(place, place)
    covariance = 0.25 * (torch.exp(-away / length) if length else (away == 0).double())
    schedule, mean = NoiseSchedule.variance_preserving(), torch.zeros(1, size, size, dtype=torch.float64, device="cpu")
    prior = GaussianPrior(mean, None, schedule, covariance=covariance, kernel="gaussian")
    generator = torch.Generator().manual_seed(seed)
    factor = torch.linalg.cholesky(covariance)
    noise = torch.randn(2, num_images, size * size, generator=generator, dtype=torch.float64, device="cpu")
    truth = (noise[0] @ factor.mT).reshape(num_images, 1, size, size)
    operator = Inpainting(observed.expand(num_images, 1, size, size))
    y = torch.where(operator.observed, truth + sigma * noise[1].reshape_as(truth), 0)
    measurement = Measurement(operator, Gaussian(sigma), y) if sigma else Measurement.of(operator, y)
    return GaussianProblem(prior, measurement, float(sigma), truth)


@torch.no_grad()
def errors(problem: GaussianProblem, x: Tensor, num_slices: int = 200, seed: int = 0) -> dict[str, list[float]]:
    """What is wrong with draws, one number per image for each of :data:`COLUMNS`; without noise no ``std_seen``.

    Args:
        x: (S, N, C, H, W).
        num_slices: directions of the sliced distance.
        seed: of the exact draws and of the directions.
    """
    posterior, hidden = problem.posterior(), problem.hidden
    means, covariances = posterior.means[:, 0], posterior.covariances[:, 0]
    exact = posterior.sample(len(x), torch.Generator().manual_seed(20_000 + seed)).flatten(2)
    x = x.flatten(2).to(means)
    result: dict[str, list[float]] = {name: [] for name in COLUMNS if problem.sigma or name != "std_seen"}
    for i, (mean, covariance) in enumerate(zip(means, covariances)):
        drawn, std = x[:, i], covariance.diagonal().sqrt()
        away, ratio = drawn.mean(0) - mean, drawn.std(0) / std
        result["mean_hidden"].append(float((away / std)[hidden].square().mean().sqrt()))
        result["std_hidden"].append(float(ratio[hidden].mean()))
        result["kl_hidden"].append(_kl(drawn[:, hidden], mean[hidden], covariance[hidden][:, hidden]))
        result["mean_seen"].append(float(away[~hidden].square().mean().sqrt()))
        if problem.sigma:
            result["std_seen"].append(float(ratio[~hidden].mean()))
        generator = torch.Generator().manual_seed(seed)
        result["sliced_w1"].append(float(sliced_wasserstein(drawn, exact[:, i], num_slices, generator).distance))
    return result


def _kl(drawn: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """KL(fitted || exact) in nats per dimension; infinite where the draws lie in a plane."""
    d = len(mean)
    fitted, away = torch.cov(drawn.mT).reshape(d, d), drawn.mean(0) - mean
    inverse = torch.linalg.inv(covariance)
    volume = torch.linalg.slogdet(fitted)
    if volume.sign <= 0:
        return float("inf")
    kl = (inverse * fitted).sum() + away @ inverse @ away - d + torch.logdet(covariance) - volume.logabsdet
    return float(kl) / 2 / d
