"""Numbers of a figure as its file says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from vipaint_pyro.evaluation.quality import Quality, mean_and_error
from vipaint_pyro.evaluation.records import described
from vipaint_pyro.samplers.base import Sampler

__all__ = ["described_all", "means", "quality_of"]


def quality_of(quality: Quality) -> dict[str, object]:
    """All of a quality; its lists have a number per image."""
    return asdict(quality)


def means(quality: Quality, column: str) -> dict[str, float]:
    """Mean of a column over the images, and its standard error, nan for a single image."""
    mean, error = mean_and_error(vars(quality)[column])
    return {"mean": mean, "standard_error": error}


def described_all(samplers: Mapping[str, Sampler]) -> dict[str, dict]:
    """The settings of settled samplers."""
    return {name: described(sampler) for name, sampler in samplers.items()}
