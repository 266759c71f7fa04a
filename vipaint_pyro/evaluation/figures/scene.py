"""What a figure is drawn of: a prior, images whose truth is known, and what is seen of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import PIL.Image
from torch import Tensor

from vipaint_pyro.evaluation.benchmarks import completion, pictures
from vipaint_pyro.evaluation.figures.watch import Watch, steps_of
from vipaint_pyro.evaluation.quality import Quality, evaluate
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
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

    def sampler(self, name: str, **settings) -> Sampler:
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
        on_step, drawn = watch.of(name), []

        def watched(prior, measurement, num_samples, generators):
            drawn.append(sampler(prior, measurement, num_samples, generators, on_step))
            return drawn[0]

        seed = self.seed + self.first
        quality, _ = evaluate(watched, self.prior, self.truth, self.measurement, self.labels, samples, seed)
        return quality, drawn[0]

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


def scene_of(prior: str, masks: str, images: int, first: int, seed: int, data: str | Path) -> Scene:
    """Test images of a built-in prior, their labels told, half of each hidden.

    Args:
        prior: a name in :data:`~vipaint_pyro.evaluation.benchmarks.PRIORS`.
        masks: a name in :data:`~vipaint_pyro.measurements.masks.MASKS`, each image's mask seeded with its number;
            or ``"upper half"``.
        images: how many.
        first: the number of the first.
        seed: of the samplers' noise.
        data: folder of Fashion-MNIST.

    Raises:
        ValueError: where the split has fewer images.
        FileNotFoundError: where Fashion-MNIST is missing.
        ImportError: where what draws the faces is.
    """
    stop = first + images
    with tempfile.TemporaryDirectory() as cache:
        if masks == "upper half":
            truth, labels = pictures(prior, "test", stop, data, Path(cache))
            operator = Inpainting(rotated_window(tuple(truth.shape[-2:]), angle=180).expand(stop, -1, -1, -1))
            seen = Measurement.of(operator, operator(truth))
        else:
            benchmark = completion(prior, masks, stop, True, "test", data, Path(cache))
            truth, labels, seen = benchmark.truth, benchmark.labels, benchmark.measurement
    loaded = DiffusionPrior.from_pretrained(prior)
    return Scene(loaded, truth[first:], seen.part(first, stop), list(labels[first:]), first, seed, prior)
