"""One call of a sampler: what it draws from, what it reports, what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vipaint_pyro.faults import Fault, freed, located
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.randomness import Draws, NoiseStreams
from vipaint_pyro.samplers.known import Known

__all__ = ["OnStep", "Progress", "Run", "Stop"]


@dataclass(frozen=True, eq=False)
class Progress:
    """One step that has been made.

    Attributes:
        phase: ``"fit"`` or ``"refinement"``.
        step: its number in the phase, from 0.
        t: of a refinement, the time that was stepped down from.
        z: of a refinement, the new latents (S, N, C, H, W), S being the samples that are drawn at once.
        z0: of a refinement, the prediction at time t (of weighed particles, at the time stepped down to).
        loss: of a fit, minus the bound in nats.
        terms: of a fit, the bound's terms by site, nats per dimension, (N,) each.
        settled: of a fit that ends image by image, bools (N,): whose has ended; None of one that does not.
        guide: of VIPaint's fit, the guide as it stands by now.
        first: of a refinement, the number of the first sample in z; above 0 where samples are drawn in chunks, each of
            which counts its steps from 0.
    """

    phase: str
    step: int
    t: int | None = None
    z: Tensor | None = None
    z0: Tensor | None = None
    loss: float | None = None
    terms: dict[str, Tensor] = field(default_factory=dict)
    first: int = 0
    settled: Tensor | None = None
    guide: Guide | None = None


@dataclass(frozen=True, eq=False)
class Stop:
    """What a caller answers to a step that is to be the last: the run finishes with what there is.

    Attributes:
        z: latents to finish with in place of the step's own, if others are wanted.
    """

    z: Tensor | None = None


OnStep = Callable[[Progress], Tensor | Stop | None]


class Run:
    """What a sampler's :meth:`~vipaint_pyro.samplers.base.Sampler.draw` is given.

    Args:
        prior: conditioned; here it is a copy whose calls are counted.
        measurement: where the prior is, in its precision.
        num_samples: S.
        generator: one, or a list with one per image.
        on_step: called after each step.

    Attributes:
        noise: a stream per image.
        known: of an inpainting, what known pixels say of the latents.
        first: number of the first sample; see :meth:`in_chunks`.
        ended: the fault or Ctrl-C that ended :meth:`in_chunks` early, or None.
        guide: that is being fitted, for the caller to look at.
        calls, backward, seconds: by phase; calls per image.
        stopped: whether the caller wants no further step, of this phase or of a later one.
    """

    def __init__(
        self,
        prior: DiffusionPrior,
        measurement: Measurement,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        self.prior, self._counted = count_calls(prior)
        self.measurement = measurement.to(prior.device, prior.dtype)
        self.num_samples, self.generator, self._on_step = num_samples, generator, on_step
        self.noise = NoiseStreams(generator, measurement.num_images)
        self.known = Known(self.prior, self.measurement)
        self.first = 0
        self.ended: BaseException | None = None
        self.guide: Guide | None = None
        self.calls: dict[str, int] = {}
        self.backward: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.stopped = False

    @contextmanager
    def phase(self, name: str, broken: str = "", memory: str = "") -> Iterator[None]:
        """A block whose calls, seconds and faults are those of this phase."""
        n, counted, start = self.measurement.num_images, self._counted, time.perf_counter()
        forward, backward = counted.total, counted.backward
        with located(name, broken=broken, memory=memory):
            yield
        self.calls[name] = (counted.total - forward) // n
        self.backward[name] = (counted.backward - backward) // n
        self.seconds[name] = time.perf_counter() - start

    @contextmanager
    def counted(self) -> Iterator[None]:
        """A block whose calls are those of the refinement, where it opens no phase of its own."""
        n, start = self.measurement.num_images, time.perf_counter()
        yield
        if not self.calls and self._counted.total:
            self.calls["refinement"] = self._counted.total // n
            self.backward["refinement"] = self._counted.backward // n
            self.seconds["refinement"] = time.perf_counter() - start

    def report(self, progress: Progress) -> Tensor | None:
        """Tell the caller of a step; latents to go on with in their place, if it wants others."""
        answer = None if self._on_step is None else self._on_step(replace(progress, first=self.first))
        if isinstance(answer, Stop):
            self.stopped, answer = True, answer.z
        return answer

    def fitted(self, step: int, loss: float, terms: dict[str, Tensor], settled: Tensor | None = None) -> bool:
        """Tell the caller of a step of a fit; whether it was the last. What :func:`~vipaint_pyro.fit` calls."""
        self.report(Progress("fit", step, loss=loss, terms=terms, settled=settled, guide=self.guide))
        return self.stopped

    def in_chunks(self, at_once: int, draw: Callable[[Run], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What ``draw`` gives for some samples at a time, each tensor (S, ...), joined.

        The noise, and with it every sample, is the same whatever ``at_once`` is. Where a fault or Ctrl-C comes after
        the first chunk, what is finished is given, and ``ended`` says what came.

        Args:
            at_once: so many samples, the last time fewer.
            draw: of a run of those samples alone; its ``first`` says which they are.
        """
        if at_once >= self.num_samples:
            return draw(self)
        draws, done = Draws(self.noise, self.num_samples), []
        for start in range(0, self.num_samples, at_once):
            part, stop = copy(self), min(start + at_once, self.num_samples)
            part.noise, part.first, part.num_samples = draws.part(start, stop), start, stop - start
            try:
                done.append(draw(part))
            except (Fault, KeyboardInterrupt) as error:
                if not done:
                    raise
                self.ended = freed(error)
                break
            if part.stopped and not self.stopped:  # in this chunk: there is no next one
                self.stopped = True
                break
        return tuple(torch.cat(tensors) for tensors in zip(*done, strict=True))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape of latents (*, N, C, H, W), each image's from its own stream."""
        return self.noise.normal(like.shape, like.ndim - 4, like)

    def terminal(self) -> Tensor:
        """z_T, noise (S, N, C, H, W)."""
        prior, shape = self.prior, (self.num_samples, self.measurement.num_images, *self.prior.latent_shape)
        return prior.schedule.terminal_std * self.noise.normal(shape, 1, self.measurement.y)
