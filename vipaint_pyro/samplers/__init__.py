"""Samplers: a prior and a measurement in, images out. One file per method."""

from vipaint_pyro.inference.draws import draw
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.dps import DPSSampler
from vipaint_pyro.samplers.levels import timesteps_for
from vipaint_pyro.samplers.red_diff import REDDiffSampler
from vipaint_pyro.samplers.vipaint import VIPaintSampler

__all__ = ["DPSSampler", "REDDiffSampler", "Samples", "VIPaintSampler", "draw", "timesteps_for"]
