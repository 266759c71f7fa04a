"""What is said below a study's tables: what their numbers are, on how many images, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.sets import SETS
from vipaint_pyro.evaluation.study.summary import Comparison, Difference, compared, differences, lacking, per_image
from vipaint_pyro.evaluation.study.titles import EXACT, is_restoration, metric_of, where
from vipaint_pyro.evaluation.study.verdicts import LEAD_IMAGES, NEITHER, RANK_IMAGES
from vipaint_pyro.wording import counted

__all__ = ["NO_PAIRS", "failures", "long_notes", "pairing", "quality_notes", "settings_of"]

_MEANING = (
    "Means over samples, then over the images that the compared methods have in common, ± standard error over images"
)
_SETS = "Of the set of all samples of the images that the compared methods have in common to the set of their truths"
_RANKED = (
    f"Best in bold, second underlined, of the methods that have all images, where {RANK_IMAGES} or more are in common"
)
_ERRORS = {
    "kid": "KID is unbiased, ± standard error over images",
    "fid": "FID has no standard error, and is biased upwards, by less the more images there are: it is to be compared "
    "between equal numbers of them",
}
_VERDICTS = (
    ". A lead is beyond as many of these as Student's t has at the 95 % level, two-sided (12.7 for 2 images, 2.3 for "
    f"10, 2.0 for 100), on {LEAD_IMAGES} images or more: better or worse; on fewer it is ahead or behind so far. "
    "Within that it is no lead, or open so far"
)
_DIRECTIONLESS = f". Of this score {NEITHER}, so that there is no verdict"
_SO_FAR = (
    f"So far: on fewer than {LEAD_IMAGES} images; ahead or behind: clear at the 95 % level; open: not clear, so that "
    "more images would have to say"
)
#: Why a table of differences is empty.
NO_PAIRS = "Sets of images have a distance, and no image one of its own: there are no differences image by image"


def quality_notes(found: Found, metric: str) -> tuple[str, ...]:
    """Below the table of conditions by methods."""
    better = metric_of(metric).better
    notes = [_SETS, _ERRORS[metric]] if metric in SETS else [_MEANING]
    if metric in EXACT:
        notes.append("Exact draws: what as many of them have in the samples' place, 0 but for chance")
    notes += where(found, metric)
    notes += [f"{c}: {said}" for c in found.conditions if (said := settings_of(found, c))]
    if better:
        notes.append(_RANKED)
        notes += [n for c in found.conditions if (n := _too_few(c, compared(found, c, metric)))]
        pairs = differences(found, metric)
        notes += [n for c in found.conditions if (n := _verdicts([d for d in pairs if d.condition == c]))]
        notes += [_SO_FAR] * any(d.mean.images < LEAD_IMAGES for d in pairs)
    for condition in found.conditions:
        comparison = compared(found, condition, metric)
        notes += [n for m in found.methods if (n := _incomplete(found, condition, m, comparison))]
        notes += [n for m in found.methods if (n := _endless(found, condition, m, metric))]
    return tuple(notes)


def long_notes(metric: str) -> tuple[str, ...]:
    """Below the table of all means."""
    if metric in SETS:
        return "Of the set of all samples of all images that a method has to their truths", _ERRORS[metric]
    return ("Means over samples, then over all images that a method has, ± standard error over images",)


def pairing(metric: str) -> str:
    """What differences are between, and what they are called."""
    better = metric_of(metric).better
    best = "mean of this score" if better else "mean LPIPS"
    direction = "highest" if better > 0 else "lowest"
    return (
        f"Method minus the best baseline of its condition ({direction} {best} of the methods that are neither vipaint "
        "nor your own nor there for scale alone), image by image, ± paired standard "
        f"error{_VERDICTS if better else _DIRECTIONLESS}"
    )


def settings_of(found: Found, condition: str) -> str:
    """A task's own settings and noise, as the records have them; nothing of a mask, or where nothing has been done."""
    if not is_restoration(condition):
        return ""
    for record in found.records:
        settings = record.said.get("settings")
        said = settings.get("condition") if isinstance(settings, dict) else None
        if record.condition == condition and isinstance(said, dict):
            options = said.get("options")
            options = options if isinstance(options, dict) else {}
            parts = [f"{name.replace('_', ' ')} {value}" for name, value in options.items() if value is not None]
            if said.get("sigma") is not None:
                parts.append(f"noise of standard deviation {said['sigma']} in units of [-1, 1]")
            return ", ".join(parts)
    return ""


def failures(found: Found, condition: str, method: str) -> int:
    """How many items failed."""
    return sum(r.failed for r in found.of(condition, method))


def _too_few(condition: str, comparison: Comparison) -> str:
    n = comparison.images
    few = 0 < n < RANK_IMAGES and len(comparison.common) > 1
    return f"{condition}: too few images to rank (n = {n})" if few else ""


def _verdicts(pairs: Sequence[Difference]) -> str:
    """What the paired differences of a condition say, in one line; nothing where there are none."""
    if not pairs:
        return ""
    said = ", ".join(f"{d.method} {_with_n(d.verdict, d.mean.images)}" for d in pairs)
    return f"{pairs[0].condition}, image by image against {pairs[0].baseline}, the best baseline: {said}"


def _with_n(verdict: str, images: int) -> str:
    return verdict if "(n = " in verdict else f"{verdict} (n = {images})"


def _incomplete(found: Found, condition: str, method: str, comparison: Comparison) -> str:
    lacks = lacking(found, condition, method)
    if not lacks:
        return ""
    planned, failed = len(found.images), failures(found, condition, method)
    text = f"† {condition}, {method}: incomplete (n = {planned - lacks} of {planned}"
    text += f", {failed} failed), not ranked" if failed else "), not ranked"
    left = comparison.common and method not in comparison.common and planned > lacks
    return f"{text}; on its own images, and not compared" if left else text


def _endless(found: Found, condition: str, method: str, metric: str) -> str:
    """Of how many images a score is infinite, where it is of any: what their mean is says nothing of the others."""
    values = per_image(found, condition, method, metric).values()
    endless = sum(map(math.isinf, values))
    what = "a sample" if metric == "psnr" else "the samples' mean"
    said = f"{condition}, {method}: {what} is the truth itself in {endless} of {counted(len(values), 'image')}"
    return f"∞ {said}" if endless else ""
