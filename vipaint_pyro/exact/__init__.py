"""The laboratory: priors whose posteriors are known, and the tables that measure guides against them."""

from vipaint_pyro.exact.measurement import Measurement, MixtureMeasurement
from vipaint_pyro.exact.mixture import Components, GaussianMixture
from vipaint_pyro.exact.posterior import ExactPosterior, exact_posterior
from vipaint_pyro.exact.priors import DatasetPrior, GaussianMixturePrior, GaussianPrior
from vipaint_pyro.exact.problems import Problems, mixture_problems, stein_toy

__all__ = [
    "Components", "DatasetPrior", "ExactPosterior", "GaussianMixture", "GaussianMixturePrior", "GaussianPrior",
    "Measurement", "MixtureMeasurement", "Problems", "exact_posterior", "mixture_problems", "stein_toy",
]  # fmt: skip
