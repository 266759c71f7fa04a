"""A fitted guide kept by a command: what has to be known to draw from it in another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from torch import Tensor

from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.pipelines.vipaint import VIPaintOutput, VIPaintPipeline
from vipaint_pyro.priors.fingerprints import fingerprint_of
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.priors.pretrained.index import TEXT_COMPONENTS
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.samplers.vipaint.saved import SavedGuide, save_guide

__all__ = ["ASKED", "asked_of", "keeper", "writer"]

#: What a guide was fitted under, besides the settings.
ASKED = ("prior", "variant", "revision", "label", "prompt", "negative_prompt", "guidance_scale", "dtype", "seed")


def asked_of(facts: Mapping[str, object], pipe: VIPaintPipeline) -> dict[str, object]:
    """Of a run's facts those that a guide was fitted under, from whatever folder they are read."""
    prior = str(facts["prior"])
    place = str(Path(prior).resolve()) if prior not in BUILT_IN and Path(prior).is_dir() else prior
    encoders = [getattr(pipe, name) for name in TEXT_COMPONENTS if "encoder" in name]
    texts = {"encoders": fingerprint_of(*encoders)} if any(e is not None for e in encoders) else {}
    return {**{name: facts[name] for name in ASKED}, "prior": place, **texts}


def keeper(
    output: VIPaintOutput,
    sampler: Sampler,
    measurement: Measurement,
    unit: Tensor | None,
    facts: Mapping[str, object],
    pipe: VIPaintPipeline,
) -> Callable[[Path], None] | None:
    """What writes the guide that a run has fitted to a folder; None where there is none that can be drawn from again.

    Args:
        output: with the guide and the fit's record.
        sampler: the settings, settled.
        measurement: of the run.
        unit: the picture in [0, 1] (1, C, H, W).
        facts: of the run.
        pipe: the prior's.
    """
    masked = isinstance(sampler, VIPaintSampler) and isinstance(measurement.operator, Inpainting)
    if output.guide is None or output.trace is None or not masked:
        return None
    said = {**asked_of(facts, pipe), "versions": versions()}
    own = cast(VIPaintSampler, sampler)
    return writer(SavedGuide(output.guide, own, measurement, unit, output.trace.streams, said))


def writer(kept: SavedGuide) -> Callable[[Path], None]:
    """What writes a guide, and what belongs to it, to a folder."""
    return lambda folder: save_guide(
        folder, kept.guide, kept.sampler, kept.measurement, image=kept.image, streams=kept.streams, facts=kept.facts
    )
