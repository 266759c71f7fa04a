"""What a study's records say: means over images with their standard errors, and paired differences.

A sample's scores are averaged to an image's, and images to a method's: images are what the standard error is over,
since samples of one image are not independent of each other. Methods are compared on images that they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vipaint_pyro.evaluation.means import Mean, mean_of, paired
from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.sets import SETS, images_with_features, set_distance
from vipaint_pyro.evaluation.study.titles import METRICS, metric_of
from vipaint_pyro.evaluation.study.verdicts import RANK_IMAGES, verdict
from vipaint_pyro.samplers.registry import FOR_SCALE
from vipaint_pyro.samplers.written import named

__all__ = [
    "RANKED_BY", "Comparison", "Difference", "best_baseline", "common_images", "compared", "differences", "is_baseline",
    "lacking", "metrics_of", "per_image",
]  # fmt: skip

#: What the best baseline is best in, for metrics of which neither way is better.
RANKED_BY = "lpips_composite"


@dataclass(frozen=True)
class Comparison:
    """The methods under a condition by one metric.

    Attributes:
        own: method -> mean over all the images that it has.
        common: method -> mean over the images that all of these have. A method that has fewer than half as many images
            as the one that has most is left out of it.
        whole: those of these methods that have all the planned images.
    """

    own: dict[str, Mean]
    common: dict[str, Mean]
    whole: frozenset[str]

    @property
    def images(self) -> int:
        """How many the common means are over."""
        return next((m.images for m in self.common.values()), 0)

    @property
    def ranked(self) -> dict[str, Mean]:
        """The common means of the methods that are ranked: those that have all images, where there are enough."""
        there = {m: v for m, v in self.common.items() if m in self.whole and not math.isnan(v.mean)}
        return there if len(there) > 1 and self.images >= RANK_IMAGES else {}

    def marks(self, better: int) -> dict[str, str]:
        """Ranked method -> "best" or "second"; equal means share a mark."""
        places = sorted({-better * m.mean for m in self.ranked.values()})[:2] if better else []
        names = dict(zip(places, ("best", "second")))
        return {m: names[v] for m, mean in self.ranked.items() if (v := -better * mean.mean) in names}


@dataclass(frozen=True)
class Difference:
    """A method minus the best baseline, image by image, on the images that both have.

    Attributes:
        mean: of the differences, with its paired standard error.
        verdict: "better" or "worse" for a lead, on 100 images or more beyond Student's t at the 95 % level times the
            standard error; on fewer "ahead so far (n = ..)", "behind so far (n = ..)"; "no lead", "open so far
            (n = ..)" within it; "neither way is better" where that is so.
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


def is_baseline(method: str) -> bool:
    """Whether a method's spec is of one that others are compared with: not VIPaint, nor what stands there for scale."""
    name = method.partition(":")[0].partition("@")[0]
    return name not in ("vipaint", *FOR_SCALE) and not name.startswith("vipaint-")


def _is_own(method: str) -> bool:
    return ":" in named(method)[0]


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
    common = {m: mean_of([values[m][i] for i in images]) for m in methods}
    return Comparison(own, common, _whole(found, condition, methods))


def _of_sets(found: Found, condition: str, metric: str) -> Comparison:
    def mean(method: str, images: Sequence[int]) -> Mean:
        return Mean(*set_distance(found, metric, condition, method, images), len(images))

    there = {m: dict.fromkeys(images_with_features(found, condition, m), 0.0) for m in found.methods}
    methods, images = common_images(there)
    own = {m: mean(m, [*there[m]]) for m in found.methods}
    return Comparison(own, {m: mean(m, images) for m in methods}, _whole(found, condition, methods))


def lacking(found: Found, condition: str, method: str) -> int:
    """How many of the planned images a method has no scores of."""
    done = {r.image for r in found.of(condition, method) if not r.failed}
    return len(set(found.images) - done)


def _whole(found: Found, condition: str, methods: Sequence[str]) -> frozenset[str]:
    return frozenset(m for m in methods if not lacking(found, condition, m))


def best_baseline(found: Found, condition: str, metric: str) -> str | None:
    """The baseline with the best mean of a metric on the common images; one of your own where there is no other.

    Where neither way is better it is that of the lowest LPIPS.
    """
    better = metric_of(metric).better
    metric, better = (metric, better) if better else (RANKED_BY, -1)
    common = compared(found, condition, metric).common
    baselines = {m: -better * mean.mean for m, mean in common.items() if is_baseline(m)}
    return min(baselines, key=lambda m: (_is_own(m), baselines[m]), default=None)


def differences(found: Found, metric: str) -> list[Difference]:
    """Every method against the best baseline of its condition, by one metric; none of what sets of images have."""
    if metric in SETS:
        return []
    result = []
    for condition in found.conditions:
        baseline = best_baseline(found, condition, metric)
        if baseline is None:
            continue
        base = per_image(found, condition, baseline, metric)
        for method in found.methods:
            own = per_image(found, condition, method, metric)
            both = sorted(own.keys() & base.keys())
            if method != baseline and both:
                mean = paired([own[i] for i in both], [base[i] for i in both])
                said = verdict(mean.mean, mean.error, mean.images, metric_of(metric).better)
                result.append(Difference(condition, method, baseline, metric, mean, said))
    return result
