r"""A normalising flow at T_e: a guide without a shape of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor, nn

from vipaint_pyro.distributions import FromNoise
from vipaint_pyro.guides.hierarchical import HierarchicalGuide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.randomness import isolated, usual_defaults

__all__ = ["FlowDistribution", "FlowGuide"]


class FlowDistribution(FromNoise):
    r"""z = loc + scale f(eps) with eps standard normal and a flow f for each image.

    Args:
        loc, scale: with shape (N, C, H, W), scale positive.
        transforms: N invertible maps over vectors of C H W entries, from f(eps) to eps as zuko has
            them, each with ``inv`` and ``call_and_ladj``.
        batch_shape: (*, N); (N,) by default.
    """

    def __init__(self, loc: Tensor, scale: Tensor, transforms: Sequence, batch_shape: Sequence[int] | None = None):
        self.loc, self.scale, self.transforms = loc, scale, transforms
        batch = loc.shape[:-3] if batch_shape is None else torch.Size(batch_shape)
        super().__init__(batch, loc.shape[-3:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return FlowDistribution(self.loc, self.scale, self.transforms, batch_shape)

    def from_noise(self, normal: Callable[[Sequence[int], Tensor], Tensor]) -> Tensor:
        shape = self.shape()
        noise = normal(shape, self.loc).flatten(-3)
        x = torch.stack([f.inv(e) for f, e in zip(self.transforms, noise.unbind(-2))], -2)
        return self.loc + self.scale * x.reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        x = ((value - self.loc) / self.scale).flatten(-3)
        noise, log_det = zip(*(f.call_and_ladj(v) for f, v in zip(self.transforms, x.unbind(-2))))
        e = torch.stack(noise, -2)
        density = dist.Normal(torch.zeros_like(e), 1).log_prob(e).sum(-1) + torch.stack(log_det, -1)
        return density - self.scale.log().sum((-3, -2, -1))


class FlowGuide(HierarchicalGuide):
    r"""A coupling flow at T_e, and below it the kernels of :class:`HierarchicalGuide`.

    .. math:: z_{T_e} = \alpha_{T_e} \mu_{T_e} + \tau_{T_e} f(\varepsilon), \quad \varepsilon \sim N(0, 1)

    Each image has its own f, a composition of coupling transforms (Dinh et al., "Density estimation
    using Real NVP", arXiv:1605.08803) over the flattened latent, which cost two passes of a small network
    either way. f starts near the identity, the same for every image: the guide starts as the hierarchical
    one. Parameters as there, and those of the networks, in ``flows``.

    q(z_{T_e}) has no closed form above T_e: give it a model with ``form="marginal"``.

    Args:
        model: the model in its marginal form, of latents with at least two entries.
        y: measurements (N, C', H', W'), 0 where not observed; every mu starts at its encoded estimate.
        num_transforms: coupling transforms, at least 2, or half of the entries would never be bent.
        hidden: widths of the hidden layers of each network.
        seed: of the networks' start; the global state is left alone.
        gamma, std_scale: as in :class:`HierarchicalGuide`.

    Raises:
        ImportError: where zuko is not installed.
        ValueError: where y does not fit the model, for latents of one entry or fewer than two transforms.
    """

    recipe: ClassVar[Mapping[str, object]] = {"form": "marginal"}

    def __init__(
        self,
        model: DiffusionModel,
        y: Tensor | Measurement,
        *,
        num_transforms: int = 4,
        hidden: Sequence[int] = (64, 64),
        seed: int = 0,
        gamma: float | None = None,
        std_scale: float = 0.7,
    ) -> None:
        try:
            from zuko.flows import MAF
        except ImportError as error:
            raise ImportError("the flow guide needs zuko: pip install 'vipaint-pyro[flow]'") from error
        super().__init__(model, y, gamma=gamma, std_scale=std_scale)
        dims = torch.Size(model.prior.latent_shape).numel()
        if dims < 2:
            raise ValueError("a coupling flow bends one half of z by the other: z must have two entries or more")
        if num_transforms < 2:
            raise ValueError(f"num_transforms is at least 2, but is {num_transforms}")
        with isolated(seed), usual_defaults(), torch.no_grad():
            flow = MAF(dims, transforms=num_transforms, passes=2, hidden_features=tuple(hidden)).transform
            for coupling in flow.transforms:
                for parameter in coupling.hyper[-1].parameters():
                    parameter.mul_(0.01)
        flow.to(device=model.prior.device, dtype=model.prior.dtype)
        # One start for all, so that an image's fit does not depend on its place in the batch.
        self.flows = nn.ModuleList(deepcopy(flow) for _ in range(model.num_images))

    @staticmethod
    def learning_rate(name: str) -> float:
        """Adam's rate for a parameter by its name: small for the networks."""
        return 2e-3 if ".flows." in name else HierarchicalGuide.learning_rate(name)

    def share(self, name: str, parameter: Tensor, image: int) -> Tensor:
        own = re.search(r"(?:^|\.)flows\W+(\d+)\.", name)  # Pyro writes flows$$$0. of a module that is none of its own
        if own is None:
            return super().share(name, parameter, image)
        return parameter if int(own[1]) == image else parameter[:0]

    def top(self) -> TorchDistributionMixin:
        normal = super().top().base_dist
        return FlowDistribution(normal.loc, normal.scale, [flow() for flow in self.flows])
