"""What a record says of an item: what was asked, what was called, what it scored."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from vipaint_pyro.evaluation.study.conditions import described
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.samplers.base import Sampler, Samples

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.study.job import Job

__all__ = ["asked", "calls_made", "finite"]


def asked(job: Job, settled: Sampler | None) -> dict:
    """What was asked of an item: the settled sampler's fields, or, where there is none, those that were given."""
    given = {"class": None, **job.settings} if settled is None else {"class": type(settled).__name__, **asdict(settled)}
    return {
        "item": asdict(job.item),
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
        "features": None,
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


def finite(scores: dict) -> dict:
    """The scores, all of them finite; a ValueError with the name of one that is not."""
    for name, value in scores.items():
        if any(v is not None and not math.isfinite(v) for v in (value if isinstance(value, list) else [value])):
            raise ValueError(f"the score {name} is not finite")
    return scores


def _as_json(value: object) -> object:
    """Settings as JSON has them: numbers that are not finite as words."""
    if isinstance(value, dict):
        return {k: _as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
