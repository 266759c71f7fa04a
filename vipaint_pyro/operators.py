"""The documented names of measurement operators, which lie in :mod:`vipaint_pyro.measurements`."""

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.operator import Operator

__all__ = ["Inpainting", "Matrix", "Operator"]
