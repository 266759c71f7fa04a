r"""The simplest guide: one Gaussian, at one noise level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vipaint_pyro.guides.hierarchical import HierarchicalGuide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = ["GaussianGuide"]


class GaussianGuide(HierarchicalGuide):
    r"""q(z_t) = N(alpha_t mu_t, tau_t^2) at the model's only timestep t: K = 1.

    What a :class:`HierarchicalGuide` of one level is, under a name that says so, for tables of
    guides. Parameters: ``mu_{t}`` and ``tau_{t}``, each with shape (N, C, H, W).

    Args:
        model: a model of one timestep, in either form.
        y: measurements (N, C', H', W'), 0 where not observed; mu starts at its encoded estimate, tau
            at sigma_t.

    Raises:
        ValueError: for a model of several timesteps, or where y does not fit it.
    """

    recipe: ClassVar[Mapping[str, object]] = {"levels": 1}

    def __init__(self, model: DiffusionModel, y: Tensor | Measurement) -> None:
        if len(model.timesteps) != 1:
            raise ValueError(
                f"a Gaussian guide has one level, but the model has the timesteps {model.timesteps}: give it "
                "one of them, or take the hierarchical or the mean-field guide"
            )
        super().__init__(model, y)
