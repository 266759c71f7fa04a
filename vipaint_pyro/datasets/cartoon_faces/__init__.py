"""Cartoon faces: the generator, its exact posterior, and a classifier that reads faces."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "cartoon_faces": "vipaint_pyro.datasets.cartoon_faces.faces",
    "face_posterior": "vipaint_pyro.datasets.cartoon_faces.posterior",
    "read_attributes": "vipaint_pyro.datasets.cartoon_faces.classifier",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
