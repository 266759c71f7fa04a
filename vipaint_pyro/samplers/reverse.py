"""The walk from noise to the image that many samplers share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.faults import check_finite, located
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step, reverse_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.chunked import ChunkedSampler
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.settings import number, setting, whole
from vipaint_pyro.wording import shown

__all__ = ["ReverseSampler", "flow"]


@torch.no_grad()
def flow(prior: DiffusionPrior, z: Tensor, times: Sequence[int]) -> Tensor:
    """z at the last of these times, from the first one down the probability flow: DDIM's steps with eta = 0."""
    for t, s in zip(times, times[1:]):
        c_0, c_t, _ = (float(c) for c in reverse_step(prior.schedule, t, s, 0.0))
        z = c_0 * prior.denoise(z, t) + c_t * z
    return z


@dataclass(frozen=True)
class ReverseSampler(ChunkedSampler):
    """A walk down the noise levels, one :meth:`step` from each time to the next.

    Args:
        num_steps: evenly spaced steps from the start to the clean image.
        eta: of the DDIM kernel, in [0, 1]; 1 is ancestral sampling.
        chunk: as in :class:`~vipaint_pyro.samplers.chunked.ChunkedSampler`.
    """

    num_steps: int = setting(400, whole(1), "Steps from noise to the image.")
    eta: float = setting(1.0, number(least=0, most=1), "Of the DDIM kernel; 1 is ancestral.")

    @abstractmethod
    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        """z_s and E[z_0 | z_t] of z = z_t (*, N, C, H, W), s < t; s = ``CLEAN`` for the image. Both detached."""

    def visits(self, prior: DiffusionPrior, start: int) -> list[int]:
        """The times to visit from ``start`` to ``CLEAN``; one that lies above the last is travelled back to.

        Raises:
            ValueError: for more steps than there are times, or a start outside the schedule.
        """
        if not 0 <= start <= prior.schedule.last:
            raise ValueError(f"start {start} must lie in 0 ... {prior.schedule.last}")
        if self.num_steps > start + 1:
            raise ValueError(
                f"from time {start} there are at most {start + 1} steps to the clean image, not {self.num_steps} (this "
                f"prior's schedule has {prior.schedule.num_timesteps} times): give fewer num_steps"
            )
        return prior.times(start, CLEAN, self.num_steps)

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        settled = super().settle(prior, measurement)
        settled.visits(prior, prior.schedule.last)
        return settled

    def phases(self) -> dict[str, int]:
        return {"refinement": self.num_steps}

    def left(self, prior: DiffusionPrior, t: int) -> int:
        """How many steps of one way down from T are left at time t; 1 at a time that it does not visit."""
        times = prior.times(prior.schedule.last, CLEAN, self.num_steps)
        return self.num_steps - times.index(t) if t in times else 1

    def ddim(self, run: Run, z: Tensor, z0: Tensor, t: int, s: int) -> Tensor:
        """z_s by DDIM's kernel with this eta, whatever kernel the prior itself may know, of z_t and its prediction."""
        c_0, c_t, std = (float(c) for c in reverse_step(run.prior.schedule, t, s, self.eta))
        mean = c_0 * z0 + c_t * z
        return mean + std * run.normal(z) if std else mean

    def images(self, run: Run) -> Tensor:
        return self.walk(run, run.terminal(), run.prior.schedule.last)[0]

    def walk(self, run: Run, z: Tensor, start: int) -> tuple[Tensor, Tensor | None]:
        """The images (*, N, C, H, W), about [-1, 1], not clipped, of z_start = z, and E[z_0 | z_start].

        Where the caller stops the run, the latents as they are then are decoded; None in place of E[z_0 | z_start]
        where it was stopped before.

        Raises:
            ValueError: as :meth:`visits`.
            NonFiniteError: where a sample stops being finite; names the step and the time.
            OutOfMemory: where the memory does not suffice; names the step.
        """
        z, first = self.descend(run, z, start)
        with located("decoding", broken=self.cure(), memory=self.relief(len(z))):
            return run.prior.decode(z), first

    def descend(self, run: Run, z: Tensor, start: int, made: int = 0) -> tuple[Tensor, Tensor | None]:
        """The same before it is decoded: z_0, and E[z_0 | z_start]. ``made`` steps have been reported before."""
        times, first = self.visits(run.prior, start), None
        for i, (t, s) in enumerate(zip(times, times[1:]), made):
            if run.stopped:
                break
            with located("refinement", i, t, broken=self.cure(), memory=self.relief(len(z))):
                z, z0 = self._stepped(run, z, t, s) if s < t else self._back(run, z, t, s)
                first = z0 if first is None else first
                check_finite(z, "a sample")
            replaced = run.report(Progress("refinement", i, t, z, z0))
            z = z if replaced is None else replaced
        return z, first

    def _stepped(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        """:meth:`step`; one error where a subclass's gives something else."""
        given: object = self.step(run, z, t, s)
        pair = given if isinstance(given, tuple) else ()
        if len(pair) != 2 or not all(isinstance(v, Tensor) for v in pair):
            raise TypeError(
                f"{type(self).__name__}.step gives two tensors, z_s and E[z_0 | z_t], (S, N, C, H, W) each, but gave "
                f"{shown(given)}"
            )
        if any(v.shape != z.shape or v.dtype != z.dtype for v in pair):
            came = " and ".join(f"{tuple(v.shape)} of {v.dtype}" for v in pair)
            raise ValueError(
                f"{type(self).__name__}.step gives z_s and E[z_0 | z_t] as z came, {tuple(z.shape)} of {z.dtype}, but "
                f"gave {came}"
            )
        return pair

    def _back(self, run: Run, z: Tensor, s: int, t: int) -> tuple[Tensor, Tensor]:
        """Time travel, z_t noised from z_s by the forward process; there is no new prediction."""
        a, v = forward_step(run.prior.schedule, s, t)
        return float(a) * z + float(v.sqrt()) * run.normal(z), z
