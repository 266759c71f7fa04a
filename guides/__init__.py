"""Pyro guides over the latents of a diffusion model: one file each, all of them by name."""

from vipaint_pyro.guides.auto import AUTO_GUIDES, PyroAutoGuide
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.guides.flow import FlowGuide
from vipaint_pyro.guides.gaussian import GaussianGuide
from vipaint_pyro.guides.hierarchical import HierarchicalGuide
from vipaint_pyro.guides.hierarchical_guided import HierarchicalGuidedGuide
from vipaint_pyro.guides.hierarchical_x0 import HierarchicalX0Guide
from vipaint_pyro.guides.markov import MarkovGuide
from vipaint_pyro.guides.mean_field import MeanFieldGuide
from vipaint_pyro.guides.mixture import MixtureGuide
from vipaint_pyro.guides.red_diff import REDDiffGuide
from vipaint_pyro.guides.registry import GUIDES, Recipe, make_guide, recipe

__all__ = [
    "AUTO_GUIDES",
    "GUIDES",
    "FlowGuide",
    "GaussianGuide",
    "Guide",
    "HierarchicalGuide",
    "HierarchicalGuidedGuide",
    "HierarchicalX0Guide",
    "MarkovGuide",
    "MeanFieldGuide",
    "MixtureGuide",
    "REDDiffGuide",
    "PyroAutoGuide",
    "Recipe",
    "make_guide",
    "recipe",
]
