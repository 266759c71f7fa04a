"""Pyro guides over the latents of a diffusion model: one file each."""

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.guides.hierarchical import HierarchicalGuide
from vipaint_pyro.guides.markov import MarkovGuide

__all__ = ["Guide", "HierarchicalGuide", "MarkovGuide"]
