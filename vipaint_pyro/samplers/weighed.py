"""Samples of weighed particles: all of one cloud, or each of a cloud of its own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

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
        cloud: so many particles per image of a run, weighed down to the image.
        size: particles per image, of all clouds together.
        source: what each particle goes back to a draw of, in words.
        sigma: of the Gaussian noise in y.
        advice: what else may help where weights leave one draw of all.
    """

    cloud: Callable[[Run, int], Particles]
    size: int
    source: str
    sigma: float | Tensor
    advice: str

    def together(self, run: Run) -> Samples:
        """Of one cloud's final particles, equally weighted, as many as are asked for."""
        particles = self.cloud(run, self.size)
        # Systematic resampling leaves copies side by side: an even stride spreads over the cloud.
        chosen = torch.linspace(0, self.size - 1, run.num_samples, dtype=torch.float32, device="cpu").round().long()
        if run.stopped:  # particles on their way weigh no image
            return Samples(particles.images[chosen])
        evidence, ess, ancestors = _figures(particles)
        collapsed = (ancestors == 1).long()
        if self.size > 1 and collapsed.any():
            self._warn(f"all {self.size} particles{_of_images(ancestors == 1)}", ess, self.advice)
        said = self._said(log_evidence=evidence, ess=ess, ancestors=ancestors, collapsed=collapsed)
        return Samples(particles.images[chosen], diagnostics=said)

    def apart(self, run: Run) -> Samples:
        """One particle at random of each of as many independent clouds as there are samples."""
        size, more = divmod(self.size, run.num_samples)

        def one(part: Run) -> tuple[Tensor, ...]:
            particles = self.cloud(part, size + (part.first < more))
            images = particles.images
            # At random: the first of those resampled in their order would be the first of all, whatever it weighs.
            k = (NoiseStreams(run.generator, images.shape[1]).uniform(images) * len(images)).long()
            kept = images[k.clamp_max(len(images) - 1), torch.arange(images.shape[1], device=images.device)]
            return kept[None], *(f[None] for f in _figures(particles))

        images, evidence, ess, ancestors = run.in_chunks(1, one)
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
        return Samples(images, diagnostics=self._said(
            log_evidence=mean, ess=smallest, ancestors=own, collapsed=collapsed
        ))  # fmt: skip

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
    return settled(particles.log_evidence), particles.ess.min(0).values, particles.ancestors
