"""Samples of weighed particles: all of one cloud, or each of a cloud of its own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.inference.clouds import NoiseOfClouds, apart
from vipaint_pyro.inference.particles import Particles
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import settled
from vipaint_pyro.wording import counted, shown

__all__ = ["Weighed"]


@dataclass(frozen=True)
class Weighed:
    """How particles become samples.

    Args:
        cloud: so many particles per image of a run, in so many clouds, weighed down to the image.
        size: particles per image, of all clouds together.
        source: what each particle goes back to a draw of, in words.
        sigma: of the Gaussian noise in y.
        advice: what else may help where weights leave one draw of all.
        at_once: clouds of their own that are drawn at once, of the run's noise; None for one after the other, each of
            whose noise is the generator's, as a guide's draws have it.
        of_y: whether the weights say log p(y); those of particles that start at a draw of a guide say log p(y | z_t).
    """

    cloud: Callable[[Run, int, int], Particles]
    size: int
    source: str
    sigma: float | Tensor
    advice: str
    at_once: int | None = None
    of_y: bool = True

    def together(self, run: Run) -> Samples:
        """Of one cloud's final particles, equally weighted, as many as are asked for."""
        particles = self.cloud(run, self.size, 1)
        images = self._spread(run, particles.images)
        if run.stopped:  # particles on their way weigh no image
            return Samples(images)
        evidence, ess, ancestors = _figures(particles)
        collapsed = (ancestors == 1).long()
        if self.size > 1 and collapsed.any():
            self._warn(f"all {self.size} particles{_of_images(ancestors == 1)}", ess, self.advice)
        said = self._said(log_evidence=evidence, ess=ess, ancestors=ancestors, collapsed=collapsed)
        return Samples(images, diagnostics=said)

    def _spread(self, run: Run, images: Tensor) -> Tensor:
        """As many as are asked for, an even stride apart, since systematic resampling leaves copies side by side; it
        begins at random, for the first of all is the first of those resampled, whatever it weighs."""
        u = NoiseStreams(run.generator, run.measurement.num_images).uniform(images).double()
        first = torch.arange(run.num_samples, dtype=u.dtype, device=u.device)[:, None]
        k = ((first + u) * (self.size / run.num_samples)).long().clamp_max(self.size - 1)
        return images[k, torch.arange(len(u), device=u.device)]

    def apart(self, run: Run) -> Samples:
        """One particle at random of each of as many independent clouds as there are samples."""
        size, more = divmod(self.size, run.num_samples)

        def some(part: Run) -> tuple[Tensor, ...]:
            count = part.num_samples
            particles = self.cloud(part, (size + (part.first < more)) * count, count)
            images = apart(particles.images, count)
            # At random: the first of those resampled in their order would be the first of all, whatever it weighs.
            k = (self._uniform(part, images) * len(images)).long().clamp_max(len(images) - 1)
            kept = images[k, torch.arange(len(k), device=images.device)].unflatten(0, (count, -1))
            return kept, *(f.reshape(count, -1) for f in _figures(particles))

        images, evidence, ess, ancestors = run.in_chunks(self.at_once or 1, some)
        if run.stopped:
            return Samples(images)
        mean = evidence.logsumexp(0) - math.log(len(evidence))  # of unbiased estimates of p(y)
        smallest, collapsed = ess.min(0).values, (ancestors == 1).sum(0)
        many = 2 * collapsed > len(images)
        if many.any():
            which = f"in {int(collapsed.max())} of {counted(len(images), 'cloud')}{_of_images(many)} all particles"
            self._warn(which, smallest, "take more particles a sample")
        # Each image that is kept goes back to one draw.
        own = torch.full_like(ancestors[0], len(images))
        known = {"log_evidence": mean} if self.of_y else {}
        return Samples(images, diagnostics=self._said(**known, ess=smallest, ancestors=own, collapsed=collapsed))

    def _uniform(self, part: Run, like: Tensor) -> Tensor:
        """A number for each cloud and image of a part, (K N,), uniform on [0, 1)."""
        n = part.measurement.num_images
        if self.at_once is None:
            return NoiseStreams(part.generator, n).uniform(like)
        return NoiseOfClouds(part.noise, part.num_samples).uniform(like)

    def _warn(self, which: str, ess: Tensor, advice: str) -> None:
        """Say that weights have left one draw of all."""
        warnings.warn(
            f"sequential Monte Carlo: {which} go back to one draw of {self.source}; {ess.min().item():.1f} of them "
            f"counted where they were fewest. Modes weighed by them are not to be relied on: {advice}",
            RuntimeWarning,
            stacklevel=3,
        )

    def _said(self, **figures: Tensor) -> dict[str, list[float] | str]:
        """The diagnostics, one number per image each, and under which likelihood the evidence is."""
        # The last target is the image, where what is matched in its moments is the noise alone.
        return {"likelihood": shown(Gaussian(self.sigma)), **{name: v.tolist() for name, v in figures.items()}}


def _of_images(which: Tensor) -> str:
    """Of how many images, bools (N,), where there are more than one."""
    return f" of {int(which.sum())} of {len(which)} images" if len(which) > 1 else ""


def _figures(particles: Particles) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image: the estimate of log p(y), the smallest effective sample size, the ancestors."""
    return settled(particles.log_evidence), particles.ess.amin(0), particles.ancestors
