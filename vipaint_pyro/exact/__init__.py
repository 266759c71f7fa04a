"""The laboratory: priors whose posteriors are known, and the tables that measure guides against them."""

from vipaint_pyro.exact.mixture import Components, GaussianMixture
from vipaint_pyro.exact.priors import DatasetPrior, GaussianMixturePrior, GaussianPrior

__all__ = ["Components", "DatasetPrior", "GaussianMixture", "GaussianMixturePrior", "GaussianPrior"]
