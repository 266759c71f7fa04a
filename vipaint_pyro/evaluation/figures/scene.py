"""What a figure is drawn of: a prior, images whose truth is known, and what is seen of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.evaluation.figures.quality import Quality, judged
from vipaint_pyro.evaluation.figures.watch import Watch, steps_of
from vipaint_pyro.evaluation.study.sources import make_source
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import MASKS, rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.plots import observed_picture
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.registry import make_sampler

__all__ = ["Scene", "scene_of", "tiles"]


@dataclass(frozen=True)
class Scene:
    """Images and what is seen of them.

    Args:
        prior: not yet conditioned.
        truth: (N, C, H, W) in [-1, 1].
        measurement: of the N images, an inpainting.
        labels: class per image; None for none.
        first: number of the first image in the test split.
        seed: added to an image's number, it seeds that image's noise.
        name: of the prior.
    """

    prior: DiffusionPrior
    truth: Tensor
    measurement: Measurement
    labels: Sequence[int | None] | None
    first: int = 0
    seed: int = 0
    name: str = ""

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def seeds(self) -> list[int]:
        """The seed of each image's generator."""
        return [self.seed + self.first + i for i in range(len(self))]

    @property
    def said(self) -> str:
        """Prior and images in words."""
        last = self.first + len(self) - 1
        images = f"test image {last}" if len(self) == 1 else f"test images {self.first} ... {last}"
        return f"{self.name}, {images}" if self.name else images

    def heading(self, *lines: str) -> str:
        """What a sheet of pictures says above them: prior, images, and more lines."""
        return "\n".join((f"{self.said}; lilac: hidden", *lines))

    @property
    def names(self) -> list[str]:
        """What a row per image is called."""
        return [f"image {self.first + i}" for i in range(len(self))]

    def of_labels(self, *labels: int | None) -> Scene:
        """The same with other labels."""
        return replace(self, labels=labels)

    def sampler(self, name: str, **settings: Any) -> Sampler:
        """A method by name, settled for these images.

        Raises:
            ValueError, TypeError: as :func:`~vipaint_pyro.samplers.registry.make_sampler` and ``settle``.
        """
        return make_sampler(name, **settings).settle(self._conditioned(), self.measurement)

    def run(self, name: str, sampler: Callable, samples: int, watch: Watch) -> tuple[Quality, Samples]:
        """A sampler's quality on the images, and what it gave.

        Args:
            name: for the progress line.
            sampler: called as a :class:`~vipaint_pyro.samplers.base.Sampler`.
            samples: S of each image.
            watch: is told of the steps.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        drawn = sampler(self._conditioned(), self.measurement, samples, generators, watch.of(name))
        return judged(drawn, self.truth, self.measurement), drawn

    def run_all(
        self, samplers: dict[str, Sampler], samples: int, watch: Watch
    ) -> tuple[dict[str, Quality], dict[str, Tensor]]:
        """The qualities of several, and their samples (S, N, C, H, W), not clipped, both by name."""
        for sampler in samplers.values():
            sampler.check_samples(samples)
            watch.expect(steps_of(sampler, samples))
        done = {name: self.run(name, sampler, samples, watch) for name, sampler in samplers.items()}
        return {name: quality for name, (quality, _) in done.items()}, {name: s.images for name, (_, s) in done.items()}

    def given(self, i: int) -> list[PIL.Image.Image]:
        """The truth of image i, and what is seen of it."""
        unit = from_model(self.truth[i])
        return [*tiles(self.truth[i : i + 1]), observed_picture(unit, self.measurement.operator.observed[i])]

    def _conditioned(self) -> DiffusionPrior:
        labels = self.labels if self.labels is not None or not self.prior.num_classes else [None] * len(self)
        return self.prior.conditioned(labels)


def tiles(x: Tensor) -> list[PIL.Image.Image]:
    """Images (N, C, H, W), about [-1, 1], as pictures."""
    return to_output(from_model(x.detach().cpu()), "pil")


def scene_of(prior: str, masks: str, images: int, first: int, seed: int, data: str | Path | None) -> Scene:
    """Test images of a built-in prior, their labels told, half of each hidden.

    Args:
        prior: its name.
        masks: a name in :data:`~vipaint_pyro.measurements.masks.MASKS`, each image's mask seeded with its number;
            or ``"upper half"``.
        images: how many.
        first: the number of the first.
        seed: of the samplers' noise.
        data: as :func:`~vipaint_pyro.evaluation.study.sources.make_source` takes them; None for the prior's own.

    Raises:
        ValueError, OSError, ImportError: as ``make_source``, or where there are fewer images.
    """
    loaded = DiffusionPrior.from_pretrained(prior)
    source, numbers = make_source(str(data or prior), "test", loaded), range(first, first + images)
    source.check(numbers)
    truth = torch.stack([source.truth(i) for i in numbers])
    operator = Inpainting(torch.stack([_mask(masks, (truth.shape[-2], truth.shape[-1]), i) for i in numbers]))
    seen = Measurement.of(operator, operator(truth))
    return Scene(loaded, truth, seen, [source.label(i) for i in numbers], first, seed, prior)


def _mask(name: str, size: tuple[int, int], image: int) -> Tensor:
    """What is seen of an image of this number, bool (1, H, W)."""
    if name == "upper half":
        return rotated_window(size, angle=180)
    return MASKS[name](size, torch.Generator().manual_seed(image))
