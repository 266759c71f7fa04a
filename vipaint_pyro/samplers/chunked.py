"""Samplers whose samples are drawn some at a time."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.chunk import chunk_for, chunk_setting
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import remade
from vipaint_pyro.wording import shown

__all__ = ["ChunkedSampler"]


@dataclass(frozen=True)
class ChunkedSampler(Sampler):
    """A method that draws each sample by itself, and so any number of them at once.

    Args:
        chunk: how many samples per image are drawn at once. What a run needs in memory grows with it; results do not
            change, but for the rounding of networks that compute batches of another size by other means. None: 25,
            and of small images as many as have 2^18 entries.
    """

    chunk: int | None = chunk_setting()

    @abstractmethod
    def images(self, run: Run) -> Tensor:
        """The images (S, N, C, H, W) of a run, or of the samples of a chunk, about [-1, 1], not clipped."""

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        settled = super().settle(prior, measurement)
        return remade(settled, chunk=settled.chunk or chunk_for(prior.image_shape))

    def at_once(self, num_samples: int) -> int:
        return min(self.chunk or num_samples, num_samples)

    def draw(self, run: Run) -> Samples:
        with run.phase("refinement"):
            (images,) = run.in_chunks(self.at_once(run.num_samples), lambda part: (self._images(part),))
        return Samples(images)

    def _images(self, part: Run) -> Tensor:
        """:meth:`images`; one error where a subclass's gives something else."""
        images: object = self.images(part)
        if not isinstance(images, Tensor):
            name = type(self).__name__
            raise TypeError(f"{name}.images gives a tensor (S, N, C, H, W), but gave {shown(images)}")
        return images

    def cure(self) -> str:
        """What to do where a sample stops being finite."""
        return "check the prior's precision"

    def relief(self, at_once: int) -> str:
        """What to do where the memory does not suffice for so many samples at once."""
        return f"lower chunk, the samples at once (here {at_once})" if at_once > 1 else "take a smaller image or prior"
