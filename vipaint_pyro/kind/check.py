"""One look at a picture before anything is fitted to it: is it of the prior's kind?"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

from vipaint_pyro.faults import NonFiniteError
from vipaint_pyro.kind.range import Range
from vipaint_pyro.kind.statistic import RATIOS, local, names_of
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["CALLS", "KindCheck", "KindWarning", "checked_kind", "looked_at"]

#: Calls of the denoiser for a picture.
CALLS = len(RATIOS)


class KindWarning(UserWarning):
    """A picture is not of the prior's kind, by what is seen of it."""


@dataclass(frozen=True)
class KindCheck:
    """What was found of one picture.

    Attributes:
        of_kind: whether it looks like the prior's own pictures; None where that is not known.
        strangeness: how far it is off: pictures of the kind are about 1 at most; None where it is not known.
        limit: from where on it is warned of.
        calls: of the denoiser.
        text: all this in a sentence.
    """

    of_kind: bool | None
    strangeness: float | None
    limit: float | None
    calls: int
    text: str


def checked_kind(prior: DiffusionPrior, measurement: Measurement, known: Range | None) -> list[KindCheck]:
    """Whether the pictures of an inpainting are of a prior's kind, one answer each.

    It takes :data:`CALLS` calls of the denoiser for each picture, none where nothing can be known, and no random
    numbers.

    Args:
        prior: conditioned or not: labels are left out where there is a class for none; a text is what it is.
        measurement: of N pictures, on any device.
        known: of the prior's folder, or None.
    """
    n = measurement.num_images
    if known is None:
        return [_unknown("the prior's folder has no kind.json")] * n
    if not isinstance(measurement.operator, Inpainting):
        return [_unknown("only pictures with a hole are looked at")] * n
    if known.names != names_of(prior):
        return [_unknown("the prior's kind.json was measured in another way: measure the kind again")] * n
    measurement = measurement.to(prior.device, prior.dtype)
    seen = measurement.operator.observed
    least = known.seen[0]
    shares = seen.expand_as(measurement.y).flatten(1).float().mean(1).tolist()
    if max(shares) < least:
        return [_too_little(share, least) for share in shares]
    plain = prior.conditioned(None) if prior.null_class is not None else prior
    try:
        strange = known.strangeness(local(plain, measurement.y, seen)).tolist()
    except NonFiniteError as error:  # a fit may come through still
        return [_unknown(str(error))] * n
    return [
        _too_little(share, least) if share < least or not math.isfinite(value) else _found(value, known.limit)
        for value, share in zip(strange, shares)
    ]


def _unknown(why: str) -> KindCheck:
    return KindCheck(None, None, None, 0, f"whether the picture is of the prior's kind is unknown: {why}")


def _too_little(share: float, least: float) -> KindCheck:
    why = f"{100 * share:.0f} % of it is seen, less than the {100 * least:.0f} % that the range was measured with"
    return _unknown(why)


def _found(strange: float, limit: float) -> KindCheck:
    scale = f"its strangeness is {strange:.2f}, and of {limit:.2f} or less for nearly all of the prior's own"
    if strange <= limit:
        return KindCheck(True, strange, limit, CALLS, f"the picture looks like the prior's own: {scale}")
    text = (
        f"the picture does not look like those the prior was trained on ({scale}): what it fills the hole with may be "
        "meaningless"
    )
    return KindCheck(False, strange, limit, CALLS, text)


def looked_at(prior: DiffusionPrior, measurement: Measurement, known: Range | None) -> list[KindCheck]:
    """:func:`checked_kind`, with a :class:`KindWarning` for each picture that is not of the kind."""
    found = checked_kind(prior, measurement, known)
    for i, one in enumerate(found):
        if one.of_kind is False:
            warnings.warn(f"image {i}: {one.text}" if len(found) > 1 else one.text, KindWarning, stacklevel=3)
    return found
