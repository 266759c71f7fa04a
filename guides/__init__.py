"""Pyro guides over the latents of a diffusion model: one file each, all of them by name."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "AUTO_GUIDES": "vipaint_pyro.guides.auto_names",
    "GUIDES": "vipaint_pyro.guides.registry",
    "FlowGuide": "vipaint_pyro.guides.flow",
    "GaussianGuide": "vipaint_pyro.guides.gaussian",
    "Guide": "vipaint_pyro.guides.base",
    "HierarchicalGuide": "vipaint_pyro.guides.hierarchical",
    "HierarchicalGuidedGuide": "vipaint_pyro.guides.hierarchical_guided",
    "HierarchicalX0Guide": "vipaint_pyro.guides.hierarchical_x0",
    "MarkovGuide": "vipaint_pyro.guides.markov",
    "MeanFieldGuide": "vipaint_pyro.guides.mean_field",
    "MixtureGuide": "vipaint_pyro.guides.mixture",
    "REDDiffGuide": "vipaint_pyro.guides.red_diff",
    "PyroAutoGuide": "vipaint_pyro.guides.auto",
    "Recipe": "vipaint_pyro.guides.registry",
    "make_guide": "vipaint_pyro.guides.registry",
    "recipe": "vipaint_pyro.guides.registry",
}

if TYPE_CHECKING:
    from vipaint_pyro.guides.auto import PyroAutoGuide as PyroAutoGuide
    from vipaint_pyro.guides.auto_names import AUTO_GUIDES as AUTO_GUIDES
    from vipaint_pyro.guides.base import Guide as Guide
    from vipaint_pyro.guides.flow import FlowGuide as FlowGuide
    from vipaint_pyro.guides.gaussian import GaussianGuide as GaussianGuide
    from vipaint_pyro.guides.hierarchical import HierarchicalGuide as HierarchicalGuide
    from vipaint_pyro.guides.hierarchical_guided import HierarchicalGuidedGuide as HierarchicalGuidedGuide
    from vipaint_pyro.guides.hierarchical_x0 import HierarchicalX0Guide as HierarchicalX0Guide
    from vipaint_pyro.guides.markov import MarkovGuide as MarkovGuide
    from vipaint_pyro.guides.mean_field import MeanFieldGuide as MeanFieldGuide
    from vipaint_pyro.guides.mixture import MixtureGuide as MixtureGuide
    from vipaint_pyro.guides.red_diff import REDDiffGuide as REDDiffGuide
    from vipaint_pyro.guides.registry import GUIDES as GUIDES
    from vipaint_pyro.guides.registry import Recipe as Recipe
    from vipaint_pyro.guides.registry import make_guide as make_guide
    from vipaint_pyro.guides.registry import recipe as recipe

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
