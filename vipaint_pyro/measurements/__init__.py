"""A measurement = operator, likelihood and y."""

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

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
