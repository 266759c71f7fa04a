"""The sets of pictures that are priors: training garments, and drawn faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from vipaint_pyro.datasets import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, cartoon_faces
from vipaint_pyro.exact.dataset_prior import DatasetPrior
from vipaint_pyro.images import from_bytes
from vipaint_pyro.priors.schedules import NoiseSchedule

__all__ = ["ATOMS", "SHAPES", "STD", "Atoms", "load_atoms"]

#: Pictures of a set.
ATOMS = 2000
#: Standard deviation of each picture's Gaussian, in units of [-1, 1]: seven times smaller than what the nearest two of
#: 2,000 garments differ by (root mean square 0.134), and 2.5 times than the nearest two faces (0.050).
STD = 0.02
#: (C, H, W). A face's side is halved from 64, which makes every call of its denoiser four times as cheap.
SHAPES = {"garments": (1, 28, 28), "faces": (3, 32, 32)}


@dataclass(frozen=True, eq=False)
class Atoms:
    """Pictures, each as probable as any other.

    Args:
        name: of the set.
        images: (K, C, H, W) in [-1, 1], float64.
        labels: (K, L) whole numbers: L classes of each picture, a garment's one, a face's eleven attributes.
        classes: how many there are of each of the L.
        outside: pictures of the same kind that are not among them (M, C, H, W), float64.
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: Sequence[int]
    outside: Tensor

    @cached_property
    def prior(self) -> DatasetPrior:
        """As a prior, under DDPM's linear schedule of 1,000 times."""
        return DatasetPrior(self.images, STD, NoiseSchedule.variance_preserving(), kernel="gaussian")


def load_atoms(
    name: str, number: int, outside: int, kept: Path | None = None, data: Path = FASHION_MNIST_FOLDER
) -> Atoms:
    """The first pictures of a training split, and the first of the test split as those that are not among them.

    Args:
        name: "garments" (Fashion-MNIST, 28 x 28) or "faces" (cartoon faces, 32 x 32).
        number: K.
        outside: M.
        kept: a folder for drawn faces, 24 MB of 2,000, which take half a minute to draw; None draws them anew.
        data: the folder of Fashion-MNIST.

    Raises:
        FileNotFoundError: where a file of Fashion-MNIST is missing.
        ImportError: without the extra ``faces``, for faces.
    """
    load = _garments if name == "garments" else _faces
    images, labels, classes = load("train", number, kept, data)
    others = load("test", outside, kept, data)[0] if outside else images[:0]
    return Atoms(name, images, labels, classes, others)


_Loaded = tuple[Tensor, Tensor, tuple[int, ...]]


def _garments(split: str, number: int, kept: Path | None, data: Path) -> _Loaded:
    images, labels = fashion_mnist(split, data)
    return images[:number].double(), labels[:number, None], (10,)


def _faces(split: str, number: int, kept: Path | None, data: Path) -> _Loaded:
    cache = None if kept is None else kept / f"faces-{split}-{number}.safetensors"
    images, attributes = cartoon_faces(split, number, cache)
    halved: Callable[[Tensor], Tensor] = torch.nn.AvgPool2d(2)
    return halved(from_bytes(images).double()), attributes, tuple(len(odds) for odds in ATTRIBUTES.values())
