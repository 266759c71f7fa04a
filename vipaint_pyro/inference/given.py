"""What a fit or a draw is given: a model, a guide of it, and y."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.guides.keeping import KeepsY
from vipaint_pyro.measurements.measurement import Measurement, y_for
from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["check_guide", "given_y"]


def check_guide(guide: object, model: object) -> None:
    """Raise TypeError where something is no program that can be called, ValueError where a guide is another model's."""
    if not callable(guide):
        raise TypeError(f"guide is a program that draws latents, like make_guide(...), not {shown(guide)}")
    if isinstance(guide, ImageModel) or isinstance(model, Guide):
        raise TypeError("the model comes first and then the guide, but they came the other way round")
    if isinstance(guide, Guide) and isinstance(model, ImageModel):
        made_for, asked = guide.model.outline(), model.outline()
        if made_for != asked:
            raise ValueError(f"the guide was made for a model of {made_for}, but this model has {asked}: make it anew")


def given_y(model: Callable, guide: Callable, y: Tensor | Measurement) -> Tensor:
    """y (N, C', H', W') of a fit, on the device and in the precision of the model's prior.

    Raises:
        TypeError: for a y that is no tensor, or a model in the guide's place.
        ValueError: for a y that the model does not measure, a guide of another model, or one that looks at a y of its
            own, which is another.
    """
    check_guide(guide, model)
    if not isinstance(model, ImageModel):
        y = y.y if isinstance(y, Measurement) else y
        check_tensor("y", y, "(N, C', H', W')")
        return y
    y = y_for(model.operator, model.likelihood, y).to(model.prior.device, model.prior.dtype)
    kept = guide.kept_y() if isinstance(guide, KeepsY) else None
    if kept is not None:
        seen = model.operator.observed
        mine, asked = (torch.where(seen, v, 0) for v in (kept.to(y), y))
        if not torch.equal(mine, asked):
            name = type(guide).__name__
            raise ValueError(f"this {name} looks at the y it was made for, which is another: make it anew")
    return y
