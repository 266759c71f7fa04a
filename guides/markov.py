r"""Guides that are Markov chains from T_e down, as the model is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import check_distribution
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.models.bridge import q_terminal, q_transitions
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.models.sites import site

__all__ = ["MarkovGuide"]


class MarkovGuide(Guide):
    r"""A guide :math:`q(z_{T_e}) \prod_s q(z_s | z_t)` over neighbouring timesteps t > s.

    A subclass makes its parameters in ``__init__`` and says what :meth:`top` and :meth:`kernel`
    are. Where ``top`` is Gaussian (``dist.Normal(...).to_event(3)``) the guide runs on the bridge
    form of the model, and on the marginal form; with any other distribution, on the latter only, as its class says
    by ``recipe = {"form": "marginal"}``.
    """

    recipe: ClassVar[Mapping[str, object]] = {"form": "bridge"}

    if TYPE_CHECKING:  # a Markov chain has timesteps

        @property
        def model(self) -> DiffusionModel: ...

    @abstractmethod
    def top(self) -> TorchDistributionMixin:
        """q(z_{T_e}), with batch shape (N,) and event shape (C, H, W)."""

    @abstractmethod
    def kernel(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        """q(z_s | z_t) for z_t (*, N, C, H, W), with event shape (C, H, W).

        ``self.model.reverse(z_t, t, s)`` is the prior's own step, its network call shared with
        the model's.
        """

    def marginals(self) -> dict[int, dist.Normal]:
        """q(z_{T_e}) where it is Gaussian; what the kernels make of it below is not known in closed form."""
        q = self.top()
        normal = q.base_dist if isinstance(q, dist.Independent) else q
        return {self.model.timesteps[0]: normal} if isinstance(normal, dist.Normal) else {}

    def forward(self, y: Tensor | None = None) -> Tensor:
        """Run the guide; y is not looked at, it is there since the model takes it.

        Returns:
            z_{T_s} with shape (*, N, C, H, W).

        Raises:
            TypeError: where :meth:`top` or :meth:`kernel` gives no distribution of Pyro.
            ValueError: where it gives one of another event shape or precision; for a model in bridge form where
                q(z_{T_e}) is not Gaussian.
        """
        model = self.model
        top = model.timesteps[0]
        with model.images(), model.weight():
            q_top = self._law("top()", site(top), self.top())
            if model.bridged:
                normal = q_top.base_dist if isinstance(q_top, dist.Independent) else q_top
                if not isinstance(normal, dist.Normal):
                    raise ValueError(
                        f"{type(self).__name__} has no Gaussian q(z_{{T_e}}), so that what it is above T_e is "
                        "not known in closed form: give it a model with form='marginal'"
                    )
                q_terminal(model, normal.loc, normal.scale)
                z = self._sampled(site(top), q_top.mask(False))
                q_transitions(model, normal.loc, normal.scale)
            else:
                z = self._sampled(site(top), q_top)
            for t, s in zip(model.timesteps, model.timesteps[1:]):
                z = self._sampled(site(s), self._law(f"kernel(z, {t}, {s})", site(s), self.kernel(z, t, s)))
        return z

    def _law(self, call: str, name: str, given: TorchDistributionMixin) -> TorchDistributionMixin:
        """What a subclass gives for a site; one error where it cannot be sampled there."""
        what, shape = f"{type(self).__name__}.{call}, of the site {name},", torch.Size(self.model.prior.latent_shape)
        check_distribution(what, given, "dist.Normal(mean, std).to_event(3)")
        batch, event, images = tuple(given.batch_shape), tuple(given.event_shape), self.model.num_images
        if event != shape:
            remedy = (
                "its entries have the shape (*, N, C, H, W) that z has: an axis got lost (keepdim=True keeps it)"
                if len(event) == 3
                else "pixels are event dimensions, so write .to_event(3) behind independent entries"
            )
            raise ValueError(
                f"{what} gives a distribution of event shape {tuple(shape)}, but gave one of batch shape {batch} and "
                f"event shape {event}: {remedy}"
            )
        if batch and batch[-1] != images:  # Pyro would have one image's law stand for all
            raise ValueError(
                f"{what} gives a distribution whose rightmost batch dimension are the {images} images, but gave one of "
                f"batch shape {batch}: each image has its own"
            )
        return given

    def _sampled(self, name: str, law: TorchDistributionMixin) -> Tensor:
        """A draw of a site; one error where the prior's network could not take it."""
        z, dtype = pyro.sample(name, law), self.model.prior.dtype
        if z.dtype != dtype:
            raise ValueError(
                f"{type(self).__name__} draws the site {name} in {z.dtype}, but the prior computes in {dtype}: make "
                "its numbers like those of the prior, by torch.zeros_like and such"
            )
        return z
