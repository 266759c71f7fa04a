r"""What a guide says of each of its levels: marginals, medians and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.guides.quantiles import NUM_SAMPLES, drawn, probabilities, quantiles_of, streams_for
from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.models.sites import site
from vipaint_pyro.settings import checked, whole

if TYPE_CHECKING:
    from vipaint_pyro.guides.base import Guide

__all__ = ["Levels"]


class Levels:
    """The part of a :class:`~vipaint_pyro.guides.Guide` that says what its levels are like."""

    if TYPE_CHECKING:  # a guide has it

        @property
        def model(self) -> ImageModel: ...

    def marginals(self) -> dict[int, dist.Normal]:
        """q(z_t) by t, for those levels whose entries are known to be Gaussian; none unless a subclass says so."""
        return {}

    def point(self) -> dict[str, Tensor] | None:
        """Site -> its one value, of a guide that is a point mass; None for all others."""
        return None

    @property
    def _called(self) -> str:
        return type(self).__name__

    @torch.no_grad()
    def median(
        self,
        y: Tensor | None = None,
        *,
        num_samples: int = NUM_SAMPLES,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> dict[str, Tensor]:
        """The median of every entry of every level, as Pyro's AutoGuides give it; of a point mass the point.

        Args, and what it raises, as in :meth:`quantiles`.

        Returns:
            Site -> tensor with the site's own shape, (N, C, H, W).
        """
        point = self.point()
        if point is not None:
            self._check_draws(num_samples, generator)
            return point
        found = self.quantiles([0.5], y, num_samples=num_samples, generator=generator)
        return {name: value[0] for name, value in found.items()}

    @torch.no_grad()
    def quantiles(
        self,
        quantiles: Sequence[float] | Tensor,
        y: Tensor | None = None,
        *,
        num_samples: int = NUM_SAMPLES,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> dict[str, Tensor]:
        """Quantiles of every entry of every level, as Pyro's AutoGuides give them.

        Exact for the levels in :meth:`marginals`. Those of the others are estimated from draws, whose network calls
        are those of the guide: one per draw, image and level below T_e. The draws are all kept, to be sorted.

        Args:
            quantiles: Q numbers between 0 and 1.
            y: not looked at; a guide is called with it.
            num_samples: draws that estimates are made from.
            generator: one, or a list with one per image; by default each image draws from seed 0, and the global
                state is left alone either way.

        Returns:
            Site -> tensor (Q, N, C, H, W), in units of the latents.

        Raises:
            TypeError: for quantiles that are no numbers, or of a guide that is a point.
            ValueError: for quantiles outside (0, 1), fewer than one draw, or generators of another number.
        """
        if self.point() is not None:
            raise TypeError(f"{self._called} is a point: it has no quantiles, take its median()")
        asked = probabilities(quantiles)
        self._check_draws(num_samples, generator)
        known = self.marginals()
        found = {}
        for t, q in known.items():
            at = q.loc.new_tensor(asked).reshape(-1, *(1,) * q.loc.ndim)
            found[site(t)] = q.icdf(at)
        if isinstance(self.model, DiffusionModel) and not known.keys() >= set(self.model.timesteps):
            draws = drawn(cast("Guide", self), num_samples, generator)
            found = {name: found[name] if name in found else quantiles_of(z, asked) for name, z in draws.items()}
        return found

    def _check_draws(self, num_samples: int, generator: Any) -> None:
        """Raise for a number of draws or generators that cannot be, whether or not any are needed."""
        checked("num_samples", num_samples, whole())
        streams_for(self.model.num_images, generator)
