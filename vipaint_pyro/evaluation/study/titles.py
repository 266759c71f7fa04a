"""A study's metrics as they are called, by what its conditions are: nothing is put back where nothing was hidden."""

from __future__ import annotations

from dataclasses import dataclass

from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.sets import SETS, set_heading
from vipaint_pyro.measurements.masks import MASKS

__all__ = ["EXACT", "METRICS", "Metric", "heading", "is_restoration", "metric_of", "restorations", "where"]

_NETS = {"alex": "AlexNet", "vgg": "VGG", "squeeze": "SqueezeNet"}


@dataclass(frozen=True)
class Metric:
    """A score and how it is shown.

    Attributes:
        text: its name; "LPIPS" is followed by its network's.
        better: -1 where lower is better, 1 where higher is, 0 where neither.
        digits: behind the point.
        ways: what is added of images with a hole, and what of restorations, if anything.
    """

    text: str
    better: int
    digits: int = 4
    ways: tuple[str, str] = ("", "")


METRICS = {
    "lpips_composite": Metric("LPIPS", -1, ways=(", observed pixels put back", ", as drawn and clipped")),
    "lpips_raw": Metric("LPIPS, as drawn", -1),
    "energy_score": Metric("energy score, of the root of LPIPS", -1, ways=(", observed pixels put back", ", as drawn")),
    "psnr": Metric("PSNR (dB)", 1, 2),
    "psnr_mean": Metric("PSNR of the samples' mean (dB)", 1, 2),
    "psnr_mean_hole": Metric("PSNR of the samples' mean where hidden (dB)", 1, 2),
    "ssim": Metric("SSIM", 1),
    "observed_error": Metric("observed error", -1),
    "energy_distance": Metric("energy distance to the exact posterior", -1),
    "energy_distance_of_exact": Metric("energy distance of as many exact draws", 0),
    "diversity": Metric("diversity: standard deviation", 0, ways=(" where hidden", " over the whole image")),
    "lpips_diversity": Metric("diversity: LPIPS between samples", 0),
    "kid": Metric("KID", -1),
    "fid": Metric("FID", -1, 2),
}
#: Beside which metric another belongs, as what it is for exact draws.
EXACT = {"energy_distance": "energy_distance_of_exact"}
#: What restorations are judged by, in the study's other metrics.
_AS_DRAWN = {"lpips_composite", "energy_score", "psnr", "psnr_mean", "ssim", "lpips_diversity", *SETS}


def metric_of(name: str) -> Metric:
    """How a metric is shown, one that is not known too."""
    return METRICS.get(name, Metric(name, 0))


def is_restoration(condition: str) -> bool:
    """Whether a condition hides no pixels by a mask: it is a task, and nothing is put back."""
    return condition not in MASKS


def restorations(found: Found) -> list[str]:
    """The study's conditions that are tasks."""
    return [*filter(is_restoration, found.conditions)]


def heading(found: Found, metric: str) -> str:
    """A metric's name, with LPIPS's network, and which direction is better."""
    known, tasks = metric_of(metric), restorations(found)
    net = found.common("lpips_net")
    text = known.text + known.ways[tasks == found.conditions]
    if known.ways[1] and 0 < len(tasks) < len(found.conditions):
        text += f" (restorations: {known.ways[1].strip(', ')})"
    text = text.replace("LPIPS", f"LPIPS ({_NETS.get(net, net)})")
    text = set_heading(found, metric) if metric in SETS else text
    return text + {-1: ", lower is better", 1: ", higher is better", 0: ""}[known.better]


def where(found: Found, metric: str) -> list[str]:
    """What a metric is of under which conditions, in a line for each kind; none where all are inpainting."""
    tasks = restorations(found)
    if not tasks:
        return []
    hidden = [c for c in found.conditions if c not in tasks]
    if metric == "diversity":
        said = "the standard deviation is of the pixels that are hidden", "it is of the whole image: no pixel is hidden"
    elif metric in _AS_DRAWN:
        said = "of samples with their observed pixels put back", "of samples as drawn, clipped: nothing is put back"
    else:
        return []
    return [f"{', '.join(names)}: {text}" for names, text in zip((hidden, tasks), said) if names]
