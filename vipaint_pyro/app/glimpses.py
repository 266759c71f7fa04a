"""What a guide draws while it is being fitted."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.guides import Guide
from vipaint_pyro.images import from_model
from vipaint_pyro.inference.draws import draw_and_predict
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.randomness import isolated

__all__ = ["glimpse", "worth_a_look"]

#: How many times a fit is looked at, about.
_LOOKS = 6


@torch.no_grad()
def glimpse(guide: Guide, count: int = 2, seed: int = 0) -> Tensor | None:
    """E[x | z_{T_s}] of a few draws, always of the same noise, in [0, 1] (S, C, H, W); the fit does not notice.

    None of a guide of the clean image, which has no levels.
    """
    model = guide.model
    if not isinstance(model, DiffusionModel):
        return None
    with isolated(seed):
        z, _ = draw_and_predict(model, guide, count, torch.Generator().manual_seed(seed))
        last = model.timesteps[-1]
        return from_model(model.prior.decode(model.prior.denoise(z[last], last)).cpu())[:, 0]


def worth_a_look(step: int, steps: int) -> bool:
    """Whether a fit of so many steps is looked at after this one, from 0: at first, at last and some between."""
    return step in (0, steps - 1) or (step + 1) % max(1, -(-steps // _LOOKS)) == 0
