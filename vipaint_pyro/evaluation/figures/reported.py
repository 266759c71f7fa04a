"""Numbers of a figure as its file says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from vipaint_pyro.evaluation.described import described
from vipaint_pyro.evaluation.figures.quality import Quality
from vipaint_pyro.evaluation.means import mean_of
from vipaint_pyro.samplers.base import Sampler

__all__ = ["COMPOSITE", "RAW", "described_all", "lpips_of", "means", "quality_of"]

#: What the LPIPS above a picture is of.
COMPOSITE = "LPIPS (AlexNet, lower is better): observed pixels put back, mean of"
RAW = "LPIPS (AlexNet, lower is better): raw samples, mean of"


def quality_of(quality: Quality) -> dict[str, object]:
    """All of a quality; its lists have a number per image."""
    return asdict(quality)


def means(quality: Quality, column: str) -> dict[str, float]:
    """Mean of a column over the images, and its standard error, nan for a single image."""
    mean = mean_of(vars(quality)[column])
    return {"mean": mean.mean, "standard_error": mean.error}


def lpips_of(quality: Quality, column: str = "lpips_composite") -> str:
    """The mean LPIPS as it stands above pictures."""
    return f"LPIPS {means(quality, column)['mean']:.4f}"


def described_all(samplers: Mapping[str, Sampler]) -> dict[str, dict]:
    """The settings of settled samplers."""
    return {name: described(sampler) for name, sampler in samplers.items()}
