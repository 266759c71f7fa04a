"""Pyro guides over the latents of a diffusion model: one file each, all of them by name."""

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

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
