"""The laboratory: priors whose posteriors are known, and the tables that measure guides against them."""

from vipaint_pyro.exact.components import Components
from vipaint_pyro.exact.dataset_prior import DatasetPrior
from vipaint_pyro.exact.evidence import GaussianEvidence, MixtureEvidence
from vipaint_pyro.exact.gaussian_prior import GaussianPrior
from vipaint_pyro.exact.mixture import GaussianMixture
from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.exact.posterior import ExactPosterior, exact_posterior
from vipaint_pyro.exact.problems import Problems, mixture_problems, stein_toy

__all__ = [
    "Components", "DatasetPrior", "ExactPosterior", "GaussianMixture", "GaussianMixturePrior", "GaussianPrior",
    "GaussianEvidence", "MixtureEvidence", "Problems", "exact_posterior", "mixture_problems", "stein_toy",
]  # fmt: skip
