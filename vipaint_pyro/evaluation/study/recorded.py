"""What a record says of an item: what was asked, what was called, what it scored."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from vipaint_pyro.evaluation.study.conditions import described
from vipaint_pyro.evaluation.study.found import ENDLESS, INFINITE
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.samplers.base import Sampler, Samples

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.study.job import Job

__all__ = ["asked", "calls_made", "recordable"]


def asked(job: Job, settled: Sampler | None) -> dict:
    """What was asked of an item: the settled sampler's fields, or, where there is none, those that were given."""
    given = {"class": None, **job.settings}
    if settled is not None:
        given = {"class": type(settled).__name__, **asdict(cast(Any, settled))}
    return {
        "item": asdict(job.item),
        "picture": asdict(job.picture),
        "settings": {
            "sampler": json.loads(json.dumps(_as_json(given))),
            "num_samples": job.num_samples,
            "seed": job.seed,
            "label": job.label,
            "prompt": job.prompt,
            "guidance": job.guidance,
            "prior": asdict(job.prior),
            "condition": described(job.item.condition),
        },
        "versions": versions(),
        "weights": job.weights,
        "lpips_net": job.lpips.partition(":")[0],
        "features": None if job.features == "none" else job.features.partition(":")[0],
    }


def calls_made(samples: Samples, number: int) -> dict:
    """Calls per sample, the fit's share included; by phase too."""
    phases = {
        phase: {"forward": calls / number, "backward": samples.backward.get(phase, 0) / number}
        for phase, calls in samples.calls.items()
    }
    every = {"forward": samples.calls, "backward": samples.backward}
    total = {name: sum(counts.values()) / number for name, counts in every.items()}
    return {**total, "phases": phases}


def recordable(scores: dict) -> dict:
    """The scores as a record has them: JSON has no infinity, so that the PSNR of the truth itself is the word "inf".

    Raises:
        ValueError: with the name of a score that is not finite, any other than this one.
    """
    return {name: _checked(name, value) for name, value in scores.items()}


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_checked(name, v) for v in value]
    if value is None or math.isfinite(value):
        return value
    if name in ENDLESS and value == math.inf:
        return INFINITE
    raise ValueError(f"the score {name} is not finite")


def _as_json(value: object) -> object:
    """Settings as JSON has them: numbers that are not finite as words."""
    if isinstance(value, dict):
        return {k: _as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
