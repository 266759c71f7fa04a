"""Pyro models: the diffusion prior and the likelihood as one probabilistic program."""

from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.models.marginal import DiffusionMarginal
from vipaint_pyro.models.red_diff import REDDiffModel

__all__ = ["DiffusionMarginal", "DiffusionModel", "ImageModel", "REDDiffModel"]
