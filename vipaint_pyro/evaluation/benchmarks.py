"""Benchmarks: images whose truth is known, and what is measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vipaint_pyro.datasets.fashion_mnist import fashion_mnist
from vipaint_pyro.evaluation.quality import Quality, evaluate
from vipaint_pyro.images import from_bytes
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.tasks import TASKS, make_operator, measure
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.wording import counted

__all__ = ["PRIORS", "Benchmark", "completion", "pictures", "restoration"]

#: The built-in priors, whose pictures there are.
PRIORS = ("fashion-mnist", "cartoon-faces")
# The noise of y shares no seed with the samplers, which have those of the images' numbers.
_NOISE = 10**6


@dataclass(frozen=True)
class Benchmark:
    """Images whose truth is known, what is measured of them, and what a sampler is told besides.

    Args:
        truth: (N, C, H, W) in [-1, 1].
        measurement: of the N images.
        labels: class per image; None for none.
        facts: what the results depend on, but for the sampler, its prior and the number of images; as JSON has it.
    """

    truth: Tensor
    measurement: Measurement
    labels: Sequence[int] | None
    facts: Mapping[str, object]

    def __len__(self) -> int:
        return len(self.truth)

    def evaluate(
        self, sampler: Sampler, prior: DiffusionPrior, num_samples: int, first: int, stop: int
    ) -> tuple[Quality, Tensor]:
        """A sampler's quality on the images first ... stop - 1, and its samples (S, stop - first, C, H, W)."""
        labels = None if self.labels is None else self.labels[first:stop]
        seen = self.measurement.part(first, stop)
        return evaluate(sampler, prior, self.truth[first:stop], seen, labels, num_samples, first)


def completion(
    prior: str, masks: str, images: int, labels: bool, split: str, data: str | Path, cache: Path
) -> Benchmark:
    """The first images of a split, each under a mask of its own seed.

    Args:
        prior, split, data, cache: of :func:`pictures`.
        masks: a name in :data:`~vipaint_pyro.measurements.masks.MASKS`.
        images: how many.
        labels: whether the sampler is told the classes.

    Raises:
        ValueError: where the split has fewer images.
    """
    truth, classes = pictures(prior, split, images, data, cache)
    size = tuple(truth.shape[-2:])
    observed = torch.stack([MASKS[masks](size, torch.Generator().manual_seed(i)) for i in range(images)])
    facts = {"prior": prior, "masks": masks, "labels": labels, "split": split}
    operator = Inpainting(observed)
    return Benchmark(truth, Measurement.of(operator, operator(truth)), classes if labels else None, facts)


def restoration(
    prior: str,
    task: str,
    images: int,
    labels: bool,
    split: str,
    data: str | Path,
    cache: Path,
) -> Benchmark:
    """The first images of a split, measured as a task says, with noise of a seed per image.

    Args:
        prior, split, data, cache: of :func:`pictures`.
        task: a name in :data:`~vipaint_pyro.measurements.tasks.TASKS`, with its own options and noise.
        images: how many.
        labels: whether the sampler is told the classes.

    Raises:
        ValueError: where the split has fewer images.
    """
    truth, classes = pictures(prior, split, images, data, cache)
    sigma, shape, options = TASKS[task].sigma, tuple(truth.shape[1:]), dict(TASKS[task].options)
    noise = [torch.Generator().manual_seed(_NOISE + i) for i in range(images)]
    operator = make_operator(task, shape, images)
    measurement = Measurement.of(operator, measure(operator, truth, sigma, noise))
    facts = {"prior": prior, "task": task, "options": options, "sigma": sigma, "labels": labels, "split": split}
    return Benchmark(truth, measurement, classes if labels else None, facts)


def pictures(prior: str, split: str, number: int, data: str | Path, cache: Path) -> tuple[Tensor, list[int]]:
    """The first images of a split, (N, C, H, W) in [-1, 1], and their classes.

    Args:
        prior: whose pictures, of :data:`PRIORS`.
        split: ``"test"``, or ``"train"``, what the prior was trained on.
        number: N.
        data: folder of Fashion-MNIST.
        cache: folder for the faces that were drawn.

    Raises:
        ValueError: where the split has fewer images.
        FileNotFoundError: where Fashion-MNIST is missing.
    """
    if prior == "cartoon-faces":
        return _faces(split, number, cache)
    images, classes = fashion_mnist(split, data)
    if number > len(images):
        raise ValueError(f"the split has {counted(len(images), 'image')}, not {number}")
    return images[:number], classes[:number].tolist()


def _faces(split: str, number: int, cache: Path) -> tuple[Tensor, list[int]]:
    # Drawing them takes packages that the garments do without.
    from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces

    cache.mkdir(parents=True, exist_ok=True)
    faces, attributes = cartoon_faces(split, number, cache / f"faces-{split}-{number}.safetensors")
    return from_bytes(faces), attributes[:, 0].tolist()  # the class is what is on the head
