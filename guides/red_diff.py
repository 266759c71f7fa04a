r"""RED-diff's guide: a point, or a narrow Gaussian, at the clean image.

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
arXiv:2305.04391.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.red_diff import REDDiffModel
from vipaint_pyro.models.sites import site
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["REDDiffGuide"]


class REDDiffGuide(Guide):
    r"""q(z_0) = N(mu_0, std^2) with a fixed std, a point mass where it is 0.

    Its one parameter is ``mu_0`` with shape (S, N, C, H, W), one image for each of the model's S
    restarts. It has no width to learn, and so says nothing about uncertainty.

    Args:
        model: a :class:`~vipaint_pyro.models.REDDiffModel`.
        y: measurements (N, C', H', W'), 0 where not observed; every mu starts at the multiple of the
            operator's estimate that explains them best, encoded. Where A A^T is a multiple of the identity, as for
            inpainting, that is the published start, the pseudo-inverse.
        std: fixed, at least 0; the published code has 0 (and 1e-4 as an option).
        init_std: standard deviation of the noise that is added to the start, for each restart its own.
            0, as published, starts all restarts at one place: they then part by the noise of the steps.
        generator: of that noise, one, or a list with one per image; None takes the global state.

    Raises:
        ValueError: where y does not fit the model, or for a negative std or init_std.
    """

    def __init__(
        self,
        model: REDDiffModel,
        y: Tensor | Measurement,
        std: float = 0.0,
        *,
        init_std: float = 0.0,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> None:
        super().__init__(model)
        for name, value in (("std", std), ("init_std", init_std)):
            if not value >= 0:
                raise ValueError(f"{name} is at least 0, but is {value}")
        self.std = float(std)
        start = self._start(y)
        start = start.expand(model.num_restarts, *start.shape)
        if init_std > 0:
            start = start + init_std * NoiseStreams(generator, model.num_images).normal(start.shape, 1, start)
        self.real("mu_0", start)

    def _start(self, y: Tensor | Measurement) -> Tensor:
        """The multiple of the operator's estimate that explains y best, encoded."""
        with torch.no_grad():
            return self.model.prior.encode(self.model.operator.scaled_estimate(self.measured(y)))

    def __deepcopy__(self, memo):
        copy = super().__deepcopy__(memo)
        copy.std = self.std
        return copy

    def marginals(self) -> dict[int, dist.Normal]:
        """q(z_0), where std is above 0."""
        return {0: dist.Normal(self.mu_0, self.std)} if self.std else {}

    def point(self) -> dict[str, Tensor] | None:
        """mu_0 with shape (S, N, C, H, W), where std is 0."""
        return None if self.std else {site(0): self.mu_0.detach().clone()}

    if TYPE_CHECKING:

        @property
        def model(self) -> REDDiffModel: ...

    def forward(self, y: Tensor | None = None) -> Tensor:
        """Run the guide; y is not looked at, it is there since the model takes it.

        Returns:
            z_0 with shape (*, S, N, C, H, W).
        """
        mu = self.mu_0
        with self.model.restarts(), self.model.images():
            q = dist.Normal(mu, self.std).to_event(3) if self.std else dist.Delta(mu, event_dim=3)
            return pyro.sample(site(0), q)
