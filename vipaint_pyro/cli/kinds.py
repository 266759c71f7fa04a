"""What run.json and the last lines of a command say of a picture's kind, and of the bound."""

from __future__ import annotations

from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.kind.bounds import final_bound, said_of_bound
from vipaint_pyro.kind.check import KindCheck
from vipaint_pyro.kind.range import Range
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.samplers.vipaint.saved import settings_of
from vipaint_pyro.samplers.vipaint.settings import Fit

__all__ = ["fit_settings", "said_of_kind", "seen_share"]

#: Settings of a fit that change what it costs, and nothing that comes of it.
_COST = ("gradient_checkpointing", "perceptual_net", "perceptual_weights")


def fit_settings(settled: VIPaintSampler) -> dict[str, object]:
    """The settings that the bound depends on, as JSON has them."""
    return {name: value for name, value in settings_of(settled).items()
            if name in Fit.__dataclass_fields__ and name not in _COST}  # fmt: skip


def seen_share(measurement: Measurement) -> float:
    """The share of an inpainting's entries that is seen."""
    return float(measurement.operator.observed.float().mean())


def said_of_kind(
    found: list[KindCheck] | None,
    fit: FitResult | None,
    sampler: Sampler,
    known: Range | None,
    measurement: Measurement,
) -> dict:
    """What a run says under ``"kind"``: of the picture, and under ``"bound"`` of its fit; verdicts are plain words.

    Args:
        found: of the picture's check, None where it was not asked for.
        fit: the record, or None.
        sampler: the settings, settled.
        known: of the prior's folder.
        measurement: of the one picture.
    """
    words = {True: "of the prior's kind", False: "not of the prior's kind", None: "unknown"}
    if found:
        (one,) = found
        said = {"verdict": words[one.of_kind], "strangeness": one.strangeness, "limit": one.limit,
                "calls": one.calls, "text": one.text}  # fmt: skip
    else:
        said = {"verdict": "unknown", "strangeness": None, "limit": None, "calls": 0, "text": "it was not looked at"}
    if not isinstance(sampler, VIPaintSampler) or not isinstance(measurement.operator, Inpainting):
        return said
    bound, share = None if fit is None else final_bound(fit.terms), seen_share(measurement)
    return {**said, "bound": said_of_bound(bound, share, known.bound if known else {}, fit_settings(sampler))}
