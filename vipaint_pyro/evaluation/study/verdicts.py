"""When a difference is called one: how far beyond its standard error, and on how many images."""

from __future__ import annotations

from scipy.special import stdtrit

__all__ = ["LEAD_IMAGES", "NEITHER", "RANK_IMAGES", "beyond", "verdict"]

#: A lead is called one on at least so many images; best and second are marked on so many in common.
LEAD_IMAGES, RANK_IMAGES = 100, 10
#: The verdict on a score of which neither more nor less is better.
NEITHER = "neither way is better"


def beyond(images: int) -> float:
    """How many standard errors from 0 a mean difference of so many images is clear, at the 95 % level, two-sided.

    Student's t with one degree of freedom less than images: 12.7 for two, 1.98 for a hundred; NaN for one.
    """
    return float(stdtrit(images - 1, 0.975)) if images > 1 else float("nan")


def verdict(difference: float, error: float, images: int, better: int) -> str:
    """What a mean paired difference is called.

    Args:
        difference: of a method from a baseline.
        error: its standard error; NaN for one image.
        images: how many.
        better: -1 where lower is better, 1 where higher is, 0 where neither.
    """
    if not better:
        return NEITHER
    ahead = better * difference
    # A comparison with NaN is false.
    clear = abs(ahead) > beyond(images) * error
    if images >= LEAD_IMAGES:
        return ("better" if ahead > 0 else "worse") if clear else "no lead"
    words = ("ahead" if ahead > 0 else "behind") if clear else "open"
    return f"{words} so far (n = {images})"
