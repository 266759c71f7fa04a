"""Pyro models: the diffusion prior and the likelihood as one probabilistic program."""

from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.models.marginal import DiffusionMarginal

__all__ = ["DiffusionMarginal", "DiffusionModel"]
