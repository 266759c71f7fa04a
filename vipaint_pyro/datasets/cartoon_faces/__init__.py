"""Cartoon faces: the generator, its exact posterior, and a classifier that reads faces."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "cartoon_faces": "vipaint_pyro.datasets.cartoon_faces.faces",
    "face_posterior": "vipaint_pyro.datasets.cartoon_faces.posterior",
    "read_attributes": "vipaint_pyro.datasets.cartoon_faces.classifier",
}

if TYPE_CHECKING:
    from vipaint_pyro.datasets.cartoon_faces.classifier import read_attributes as read_attributes
    from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces as cartoon_faces
    from vipaint_pyro.datasets.cartoon_faces.posterior import face_posterior as face_posterior

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
