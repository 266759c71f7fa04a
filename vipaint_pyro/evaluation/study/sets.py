"""Distances between sets: of a method's composites, all of them, to the true images; from kept features alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from vipaint_pyro.evaluation.study.feature_names import FEATURES, titled
from vipaint_pyro.evaluation.study.fid import enough_for_fid, fid
from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.kept import kept_tensor
from vipaint_pyro.evaluation.study.kid import all_repeated, kid

__all__ = ["SETS", "images_with_features", "set_distance", "set_heading"]

#: Metrics that a set of images has, and no image: by name, as they are called.
SETS = {"kid": "KID", "fid": "FID"}
_CURE = ": delete it, and the report does without it"


def set_heading(found: Found, metric: str) -> str:
    """A metric's name, with that of its features."""
    return titled(SETS[metric], found.common("features"))


def images_with_features(found: Found, condition: str, method: str) -> list[int]:
    """The images whose composites' features are kept, and their truth's; none where features are of no known name."""
    if found.common("features") not in [*FEATURES]:
        return []
    done = [r for r in found.of(condition, method) if not r.failed]
    return [r.image for r in done if r.beside("features").is_file() and _truth(found, r.image).is_file()]


def set_distance(
    found: Found, metric: str, condition: str, method: str, images: Sequence[int]
) -> tuple[float, float]:
    """KID or FID of a method's composites of some images to their truths, and its standard error over images.

    NaN in place of what there is none of: of either for fewer than two images, or where every true image occurs more
    than once; of FID where there are no more images than features; of an error for FID, and KID of fewer than 4.

    Raises:
        ValueError: for a kept file that is damaged, by its name.
    """
    asked = metric, condition, method, tuple(images)
    if asked not in found.memo:
        found.memo[asked] = _distance(found, *asked)
    return found.memo[asked]


def _distance(found: Found, metric: str, condition: str, method: str, images: Sequence[int]) -> tuple[float, float]:
    nothing = math.nan, math.nan
    if len(images) < 2:
        return nothing
    dimension = FEATURES[found.common("features")].dimension
    if metric == "fid" and not enough_for_fid(len(images), dimension):
        return nothing
    truths = torch.cat([_features(_truth(found, i), 1, dimension) for i in images])
    if all_repeated(truths):
        return nothing
    records = {r.image: r for r in found.of(condition, method)}
    samples = [records[i].said["settings"]["num_samples"] for i in images]
    drawn = torch.stack(
        [_features(records[i].beside("features"), n, dimension) for i, n in zip(images, samples, strict=True)]
    )
    return kid(drawn, truths) if metric == "kid" else (fid(drawn, truths), math.nan)


def _truth(found: Found, image: int) -> Path:
    return found.folder / "features" / "truth" / f"{image:05d}.safetensors"


def _features(path: Path, samples: int, dimension: int) -> Tensor:
    x = kept_tensor(path, "features", _CURE)
    if tuple(x.shape) != (samples, dimension) or not x.is_floating_point() or not torch.isfinite(x).all():
        raise ValueError(f"{path} holds no finite features ({samples}, {dimension}){_CURE}")
    return x.double()
