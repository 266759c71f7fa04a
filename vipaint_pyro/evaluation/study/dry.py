"""What a study would cost, without computing it: calls counted on a stand-in for the network, time on a few of its own.

How often a method calls the network follows from its settings, whatever the network says. (Where it does not, as in
CoPaint, whose steps are halved until they descend, the count is that on the stand-in.) So the methods run as they are,
on a network that costs nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vipaint_pyro.evaluation.study.job import Job
from vipaint_pyro.evaluation.study.plan import Item
from vipaint_pyro.evaluation.study.priors import conditioned
from vipaint_pyro.evaluation.study.stand_in import stand_in
from vipaint_pyro.evaluation.study.study import Study
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.settings import remade

__all__ = ["Cost", "cost", "counted"]

_TIMED = 3


@dataclass(frozen=True)
class Cost:
    """Of some items.

    Attributes:
        items: how many.
        forward, backward: calls of the network, one per z.
        seconds: of the network (and of the decoder, where there is one) by one worker.
        timed: on how many calls that was measured.
        at_most: whether there may be fewer calls, since a fit may end before its last step.
    """

    items: int
    forward: int
    backward: int
    seconds: float
    timed: int
    at_most: bool = False


def counted(job: Job) -> tuple[int, int]:
    """Forward and backward calls of a job, all of its samples together, counted on the stand-in.

    Of a fit that may end early the most: when it does, the true network alone knows.
    """
    prior = stand_in(conditioned(job.prior, job.label, job.prompt, job.guidance))
    sampler = job.sampler()
    if _ends_early(sampler):
        sampler = remade(sampler, fit_patience=0)
    samples = sampler(prior, job.measurement, job.num_samples, [torch.Generator().manual_seed(0)])
    return sum(samples.calls.values()), sum(samples.backward.values())


def _ends_early(sampler: Sampler) -> bool:
    return isinstance(sampler, VIPaintSampler) and sampler.fit_patience > 0


def cost(study: Study, todo: Sequence[Item]) -> Cost:
    """What these items would take.

    A method and condition is counted on its first image that can be read.
    """
    counts = Counter((i.method, i.condition) for i in todo)
    first: dict[tuple[str, str], Item] = {}
    for item in sorted(todo, key=lambda item: study.pictures[item.image].pixels is None):
        first.setdefault((item.method, item.condition), item)
    forward = backward = 0
    seconds = 0.0
    one, both, early = 0.0, 0.0, False
    for n, job in enumerate(study.jobs(first.values())):
        if job.trouble is not None:
            raise job.trouble
        if n == 0:
            one, both = _timed(job, study.plan.threads)
        early = early or _ends_early(job.sampler())
        calls, back = counted(job)
        number = counts[job.item.method, job.item.condition]
        forward, backward = forward + number * calls, backward + number * back
        seconds += number * (one * (calls - back) + both * back)
    return Cost(len(todo), forward, backward, seconds, 2 * _TIMED * bool(todo), early)


def _timed(job: Job, threads: int) -> tuple[float, float]:
    """Seconds per z of a call alone, and of one with its decoding and the way back through both."""
    prior, number = conditioned(job.prior, job.label, job.prompt, job.guidance), job.num_samples
    seen, before = job.measurement.to(prior.device, prior.dtype), torch.get_num_threads()
    z = torch.randn(number, 1, *prior.latent_shape, generator=torch.Generator().manual_seed(0), device="cpu")
    z, t = z.to(prior.device, prior.dtype), prior.schedule.last // 2

    def alone() -> None:
        with torch.no_grad():
            prior.denoise(z, t)

    def there_and_back() -> None:
        leaf = z.clone().requires_grad_()
        seen.distance(prior.decode(prior.denoise(leaf, t))).sum().backward()

    torch.set_num_threads(threads)
    try:
        with prior.frozen():
            return _mean(alone, prior.device) / number, _mean(there_and_back, prior.device) / number
    finally:
        torch.set_num_threads(before)


def _mean(call: Any, device: torch.device) -> float:
    """Seconds of a call: the first one, which prepares things, is left out."""
    for n in range(_TIMED + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if n == 1:
            start = time.perf_counter()
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / _TIMED
