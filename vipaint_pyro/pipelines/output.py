"""What the pipeline returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers.utils import BaseOutput
from torch import Tensor

from vipaint_pyro.guides import Guide
from vipaint_pyro.images import compose, from_model, to_output
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.kind.check import KindCheck
from vipaint_pyro.samplers.base import Samples

__all__ = ["VIPaintOutput", "output_of"]


@dataclass
class VIPaintOutput(BaseOutput):
    """What the pipeline returns.

    Attributes:
        images: the completions with the observed pixels put back, bit-identical (with an operator, the
            predictions: what was measured are no pixels of them); image by image,
            ``num_samples`` each: a list of PIL images, an array (N*S, H, W, C) or a tensor
            (N*S, C, H, W), both in [0, 1].
        predictions: the same without putting the observed pixels back.
        guide: the fitted guide, or None for a method without one.
        trace: the fit's losses and terms, or None where nothing was fitted.
        samples: everything the sampler returned (predictions per level, calls, seconds).
        kind: of each image, whether it is of the prior's kind; None where that was not looked at.
    """

    images: Any
    predictions: Any
    guide: Guide | None
    trace: FitResult | None
    samples: Samples
    kind: list[KindCheck] | None = None


def output_of(
    samples: Samples, unit: Tensor | None, observed: Tensor | None, output_type: str, kind: list[KindCheck] | None
) -> VIPaintOutput:
    """Samples as the caller wants them, the observed pixels put back."""
    if calls := max((one.calls for one in kind or ()), default=0):
        samples.calls = {"kind": calls, **samples.calls}
    x = samples.images.detach().cpu()
    raw = from_model(x)
    composite = raw if observed is None or unit is None else compose(x, unit.cpu(), observed.cpu())
    images, predictions = (to_output(v.transpose(0, 1).flatten(0, 1), output_type) for v in (composite, raw))
    return VIPaintOutput(images, predictions, samples.guide, samples.fit, samples, kind)
