"""One item as a piece of work that any process can do: self-contained, and without a file written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.evaluation.failures import FAILURES, said_of
from vipaint_pyro.evaluation.study.conditions import stream
from vipaint_pyro.evaluation.study.energy import energy_scores, exact_draws
from vipaint_pyro.evaluation.study.features import features_of
from vipaint_pyro.evaluation.study.identity import Picture
from vipaint_pyro.evaluation.study.memory import Peak
from vipaint_pyro.evaluation.study.plan import Item
from vipaint_pyro.evaluation.study.priors import PriorName, conditioned, load
from vipaint_pyro.evaluation.study.recorded import asked, calls_made, recordable
from vipaint_pyro.evaluation.study.scores import composites, score
from vipaint_pyro.images import to_bytes
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import make_sampler

__all__ = ["Job", "Outcome", "compute", "failed", "lpips_of"]

#: Draws of an exact posterior, where it is known, that samples are compared with.
EXACT = 100


@dataclass(frozen=True, eq=False)
class Job:
    """One item.

    Attributes:
        item: which.
        truth: (1, C, H, W) in [-1, 1]; None where it could not be read.
        measurement: of it; None where there is none.
        prior: which prior.
        weights: the fingerprint that its weights are to have.
        method: a name of the registry.
        source: the kind of the images, as :class:`~vipaint_pyro.evaluation.study.sources.Source` has it.
        picture: which of the source's it is.
        split: of the source.
        settings: of the method, all that are given.
        num_samples, seed: of the plan.
        label, prompt, guidance: what the prior is told.
        lpips: "alex", "vgg" or "vgg:FILE".
        features: as :func:`~vipaint_pyro.evaluation.study.features.features_of` takes them.
        keep_samples: whether the samples come back.
        trouble: why there is no truth or no measurement.
    """

    item: Item
    truth: Tensor
    measurement: Measurement
    prior: PriorName
    weights: str
    method: str
    source: str = ""
    picture: Picture = field(default_factory=Picture)
    split: str = "test"
    settings: Mapping[str, object] = field(default_factory=dict)
    num_samples: int = 1
    seed: int = 0
    label: int | None = None
    prompt: str | None = None
    guidance: float = 1.0
    lpips: str = "alex"
    features: str = "none"
    keep_samples: bool = False
    trouble: Exception | None = None

    def sampler(self) -> Sampler:
        """The method with its settings, not settled."""
        return make_sampler(self.method, **self.settings)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of an item.

    Attributes:
        item: which.
        record: as JSON has it.
        samples: (S, C, H, W), uint8, or None.
        features: (S, F) of the composites, float32, or None.
        truth_features: (1, F) of the truth, float32, or None.
        wall: seconds that it took, scores and all, but for the loading of the networks.
    """

    item: Item
    record: dict
    samples: Tensor | None = None
    features: Tensor | None = None
    truth_features: Tensor | None = None
    wall: float = 0.0


def compute(job: Job) -> Outcome:
    """Do an item; where it fails, the record says why.

    Raises:
        KeyboardInterrupt: where it was ended.
    """
    try:
        return _computed(job)
    except FAILURES as error:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return failed(job, error)


def _computed(job: Job) -> Outcome:
    if job.trouble is not None:
        raise job.trouble
    pipe, weights = load(job.prior)
    if weights != job.weights:
        raise ValueError(f"the weights of prior {job.prior.name} have changed: {job.weights} -> {weights}")
    lpips, features = lpips_of(job.lpips), features_of(job.features)
    began = time.perf_counter()
    prior = conditioned(job.prior, job.label, job.prompt, job.guidance)
    start, peak = time.perf_counter(), Peak(pipe.prior.device)
    seen = job.measurement.to(prior.device, prior.dtype)
    settled = job.sampler().settle(prior, seen)
    settled.check_samples(job.num_samples)
    generators = [stream(job.seed, job.item.image, "sampler")]
    samples = settled.sample(prior, seen, job.num_samples, generators)
    seconds, memory = time.perf_counter() - start, peak.mib()
    images = samples.images.detach().float().cpu()
    scores = recordable(score(images, job.truth, job.measurement, lpips) | _to_exact(job, images))
    record = asked(job, settled) | {"scores": scores, "calls": calls_made(samples, job.num_samples)}
    record |= {"seconds": seconds, "peak_memory_mib": memory, "error": None}
    kept = to_bytes(images[:, 0]).contiguous() if job.keep_samples else None
    own = theirs = None
    if features is not None:
        own, theirs = features(composites(images, job.measurement)[:, 0]), features(job.truth)
    return Outcome(job.item, record, kept, own, theirs, time.perf_counter() - began)


def failed(job: Job, error: BaseException | str) -> Outcome:
    """The outcome of an item that could not be done.

    Args:
        job: which.
        error: what was raised, or what happened in words.
    """
    said = {"type": "Lost", "message": error} if isinstance(error, str) else said_of(error)
    record = asked(job, None) | {"scores": None, "calls": None, "seconds": None, "peak_memory_mib": None}
    return Outcome(job.item, record | {"error": said})


def _to_exact(job: Job, images: Tensor) -> dict:
    """How far samples (S, 1, C, H, W) are from exact draws, and how far as many exact ones are."""
    generator, number = stream(job.seed, job.item.image, "exact"), len(images)
    draws = exact_draws(job.source, job.item.image, job.measurement, EXACT + number, generator, job.split)
    if draws is None:
        return {"energy_distance": None, "energy_distance_of_exact": None}
    return energy_scores(images, draws, job.measurement)


def lpips_of(spec: str) -> Any:
    """The LPIPS network of "alex", "vgg" or "vgg:FILE", on the CPU.

    Raises:
        ValueError, FileNotFoundError, OSError: where there is none.
    """
    net, _, weights = spec.partition(":")
    return shared_lpips(net, weights or None, torch.device("cpu"))
