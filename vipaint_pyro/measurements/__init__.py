"""A measurement = operator, likelihood and y."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Gaussian": "vipaint_pyro.measurements.likelihoods",
    "Inpainting": "vipaint_pyro.measurements.inpainting",
    "Laplace": "vipaint_pyro.measurements.likelihoods",
    "LinearMap": "vipaint_pyro.measurements.linear_map",
    "Matrix": "vipaint_pyro.measurements.matrix",
    "Nonlinear": "vipaint_pyro.measurements.nonlinear",
    "Likelihood": "vipaint_pyro.measurements.likelihood",
    "LinearOperator": "vipaint_pyro.measurements.operator",
    "Measurement": "vipaint_pyro.measurements.measurement",
    "Noiseless": "vipaint_pyro.measurements.likelihoods",
    "Operator": "vipaint_pyro.measurements.operator",
    "make_operator": "vipaint_pyro.measurements.tasks",
    "measure": "vipaint_pyro.measurements.tasks",
}

if TYPE_CHECKING:
    from vipaint_pyro.measurements.inpainting import Inpainting as Inpainting
    from vipaint_pyro.measurements.likelihood import Likelihood as Likelihood
    from vipaint_pyro.measurements.likelihoods import Gaussian as Gaussian
    from vipaint_pyro.measurements.likelihoods import Laplace as Laplace
    from vipaint_pyro.measurements.likelihoods import Noiseless as Noiseless
    from vipaint_pyro.measurements.linear_map import LinearMap as LinearMap
    from vipaint_pyro.measurements.matrix import Matrix as Matrix
    from vipaint_pyro.measurements.measurement import Measurement as Measurement
    from vipaint_pyro.measurements.nonlinear import Nonlinear as Nonlinear
    from vipaint_pyro.measurements.operator import LinearOperator as LinearOperator
    from vipaint_pyro.measurements.operator import Operator as Operator
    from vipaint_pyro.measurements.tasks import make_operator as make_operator
    from vipaint_pyro.measurements.tasks import measure as measure

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
