"""What a study's records say: means over images with their standard errors, and paired differences.

A sample's scores are averaged to an image's, and images to a method's: images are what the standard error is over,
since samples of one image are not independent of each other. Methods are compared on images that they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.sets import SETS, images_with_features, set_distance, set_heading

__all__ = [
    "EXACT", "LEAD_IMAGES", "METRICS", "Comparison", "Difference", "Mean", "Metric", "common_images", "compared",
    "differences", "heading", "is_vipaint", "mean_of", "metrics_of", "per_image",
]  # fmt: skip

#: A lead is beyond so many paired standard errors, on at least so many images.
LEAD_ERRORS, LEAD_IMAGES = 2, 100
#: What the best baseline is best in.
RANKED_BY = "lpips_composite"
_NETS = {"alex": "AlexNet", "vgg": "VGG", "squeeze": "SqueezeNet"}


@dataclass(frozen=True)
class Metric:
    """A score and how it is shown.

    Attributes:
        text: its name; "LPIPS" is followed by its network's.
        better: -1 where lower is better, 1 where higher is, 0 where neither.
        digits: behind the point.
    """

    text: str
    better: int
    digits: int = 4


METRICS = {
    "lpips_composite": Metric("LPIPS, observed pixels put back", -1),
    "lpips_raw": Metric("LPIPS, as drawn", -1),
    "psnr": Metric("PSNR (dB)", 1, 2),
    "ssim": Metric("SSIM", 1),
    "observed_error": Metric("observed error", -1),
    "energy_distance": Metric("energy distance to the exact posterior", -1),
    "energy_distance_of_exact": Metric("energy distance of as many exact draws", 0),
    "diversity": Metric("diversity: standard deviation where hidden", 0),
    "lpips_diversity": Metric("diversity: LPIPS between samples", 0),
    "kid": Metric("KID", -1),
    "fid": Metric("FID", -1, 2),
}
#: Beside which metric another belongs, as what it is for exact draws.
EXACT = {"energy_distance": "energy_distance_of_exact"}


@dataclass(frozen=True)
class Mean:
    """Over images.

    Attributes:
        mean: NaN for no images, and where these have none.
        error: its standard error; NaN for fewer than two images.
        images: how many.
    """

    mean: float
    error: float
    images: int


@dataclass(frozen=True)
class Comparison:
    """The methods under a condition by one metric.

    Attributes:
        own: method -> mean over all the images that it has.
        common: method -> mean over the images that all of these have. A method that has fewer than half as many images
            as the one that has most is left out of it.
    """

    own: dict[str, Mean]
    common: dict[str, Mean]

    @property
    def images(self) -> int:
        """How many the common means are over."""
        return next((m.images for m in self.common.values()), 0)

    def marks(self, better: int) -> dict[str, str]:
        """Method -> "best" or "second", of those on common images; equal means share a mark."""
        if not better or len(self.common) < 2:
            return {}
        places = sorted({-better * m.mean for m in self.common.values() if not math.isnan(m.mean)})[:2]
        names = dict(zip(places, ("best", "second")))
        return {m: names[v] for m, mean in self.common.items() if (v := -better * mean.mean) in names}


@dataclass(frozen=True)
class Difference:
    """A method minus the best baseline, image by image, on the images that both have.

    Attributes:
        mean: of the differences, with its paired standard error.
        verdict: "better" or "worse" for a lead, beyond two standard errors on 100 images or more; on fewer "ahead so
            far (n = ..)", "behind so far (n = ..)"; "no lead", "open so far (n = ..)" within two standard errors; and
            nothing where neither direction is better.
    """

    condition: str
    method: str
    baseline: str
    metric: str
    mean: Mean
    verdict: str


def metrics_of(found: Found) -> list[str]:
    """The metrics that anything finished has a value of: known ones in their order, then others by name."""
    there = {n for r in found.records for n in r.means} - {*SETS}
    for name in SETS:
        own = [m.mean for c in found.conditions for m in compared(found, c, name).own.values()]
        if not all(map(math.isnan, own)):
            there.add(name)
    return [*(n for n in METRICS if n in there), *sorted(there - {*METRICS})]


def heading(found: Found, metric: str) -> str:
    """A metric's name, with LPIPS's network, and which direction is better."""
    known = metric_of(metric)
    net = found.common("lpips_net")
    text = known.text.replace("LPIPS", f"LPIPS ({_NETS.get(net, net)})")
    text = set_heading(found, metric) if metric in SETS else text
    return text + {-1: ", lower is better", 1: ", higher is better", 0: ""}[known.better]


def metric_of(name: str) -> Metric:
    """How a metric is shown, one that is not known too."""
    return METRICS.get(name, Metric(name, 0))


def is_vipaint(method: str) -> bool:
    """Whether a method's spec is of VIPaint, and so no baseline."""
    name = method.partition(":")[0].partition("@")[0]
    return name == "vipaint" or name.startswith("vipaint-")


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and standard error; of any order of the values the same."""
    n = len(values)
    if not n or any(map(math.isinf, values)):
        return Mean(sum(values) / n if n else math.nan, math.nan, n)
    mean = math.fsum(values) / n
    squares = math.fsum((v - mean) ** 2 for v in values)
    return Mean(mean, math.sqrt(squares / (n - 1) / n) if n > 1 else math.nan, n)


def per_image(found: Found, condition: str, method: str, metric: str) -> dict[int, float]:
    """Image -> mean over its samples, where there is one."""
    return {r.image: r.means[metric] for r in found.of(condition, method) if metric in r.means}


def common_images(values: Mapping[str, Mapping[int, float]]) -> tuple[list[str], list[int]]:
    """The methods to compare, and the images that all of them have.

    A method with fewer than half as many images as the fullest would cut the others' down to its own: it is left out.
    """
    most = max(map(len, values.values()), default=0)
    methods = [m for m, own in values.items() if own and 2 * len(own) >= most]
    images = set.intersection(*(set(values[m]) for m in methods)) if methods else set()
    return (methods, sorted(images)) if images else ([], [])


def compared(found: Found, condition: str, metric: str) -> Comparison:
    """All methods under a condition by one metric; what sets of images have is of the set of all these images."""
    if metric in SETS:
        return _of_sets(found, condition, metric)
    values = {m: per_image(found, condition, m, metric) for m in found.methods}
    methods, images = common_images(values)
    own = {m: mean_of([*v.values()]) for m, v in values.items()}
    return Comparison(own, {m: mean_of([values[m][i] for i in images]) for m in methods})


def _of_sets(found: Found, condition: str, metric: str) -> Comparison:
    def mean(method: str, images: Sequence[int]) -> Mean:
        return Mean(*set_distance(found, metric, condition, method, images), len(images))

    there = {m: dict.fromkeys(images_with_features(found, condition, m), 0.0) for m in found.methods}
    methods, images = common_images(there)
    own = {m: mean(m, [*there[m]]) for m in found.methods}
    return Comparison(own, {m: mean(m, images) for m in methods})


def best_baseline(found: Found, condition: str) -> str | None:
    """The method that is not VIPaint with the lowest mean LPIPS on the common images."""
    common = compared(found, condition, RANKED_BY).common
    baselines = {m: mean.mean for m, mean in common.items() if not is_vipaint(m)}
    return min(baselines, key=baselines.__getitem__, default=None)


def differences(found: Found, metric: str) -> list[Difference]:
    """Every method against the best baseline of its condition, by one metric."""
    result = []
    for condition in found.conditions:
        baseline = best_baseline(found, condition)
        if baseline is None:
            continue
        base = per_image(found, condition, baseline, metric)
        for method in found.methods:
            own = per_image(found, condition, method, metric)
            both = sorted(own.keys() & base.keys())
            if method != baseline and both:
                mean = mean_of([own[i] - base[i] for i in both])
                verdict = _verdict(mean, metric_of(metric).better)
                result.append(Difference(condition, method, baseline, metric, mean, verdict))
    return result


def _verdict(difference: Mean, better: int) -> str:
    if not better:
        return ""
    ahead = better * difference.mean
    # A comparison with NaN, the error of a single image, is false.
    clear = abs(ahead) > LEAD_ERRORS * difference.error
    if difference.images >= LEAD_IMAGES:
        return ("better" if ahead > 0 else "worse") if clear else "no lead"
    words = ("ahead" if ahead > 0 else "behind") if clear else "open"
    return f"{words} so far (n = {difference.images})"
