r"""What makes Pyro's AutoGuides fit in with the other guides; see :mod:`vipaint_pyro.guides.auto`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.distributions.torch_transform import TransformModule
from pyro.infer.autoguide import (
    AutoDiagonalNormal,
    AutoGuide,
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMessenger,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalMessenger,
)
from pyro.poutine.messenger import Messenger
from torch import Tensor

from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["TakenWhole", "default_tensors", "flatten", "gaussians", "place_flow", "untie", "untracked"]


@contextmanager
def default_tensors(prior: DiffusionPrior) -> Iterator[None]:
    """A block in which tensors of the default kind, which AutoGuides make, are the prior's."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(prior.dtype)
    try:
        with torch.device(prior.device):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def untracked() -> Iterator[None]:
    """A block in which guides run without a handler's knowing, and leave no parameter in Pyro's store."""
    with pyro.settings.context(module_local_params=True), poutine.block():
        yield


def flatten(levels: dict[int, Tensor]) -> Tensor:
    """The latents of all levels as AutoGuides line them up: from T_e down, image after image."""
    return torch.cat([levels[t].reshape(-1) for t in sorted(levels, reverse=True)])


def gaussians(auto: AutoGuide | AutoMessenger) -> dict[str, tuple[Tensor, Tensor]]:
    """Site -> mean and standard deviation of its entries, of AutoGuides that know them; else nothing."""
    if type(auto) in (AutoNormal, AutoNormalMessenger):
        (locs, scales) = auto.locs, auto.scales
        names = [name.removesuffix("_unconstrained") for name, _ in locs.named_parameters()]
        return {name: (attrgetter(name)(locs), attrgetter(name)(scales)) for name in names}
    if isinstance(auto, (AutoDiagonalNormal, AutoMultivariateNormal, AutoLowRankMultivariateNormal)):
        loc, scale = ({s["name"]: v for s, v in auto._unpack_latent(flat)} for flat in auto._loc_scale())
        return {name: (loc[name], scale[name]) for name in loc}
    return {}


class TakenWhole(Messenger):
    """Hides what a distribution is made of, where looking inside would mislead.

    - Handlers that draw each image's Gaussians from its own stream: sites outside the plate "images"
      belong to no image, and the base of a transformed distribution is not the distribution.
    - ``TraceMeanField_ELBO``, which drops the density that some AutoGuides hang on a Delta.
    """

    def _pyro_sample(self, msg: Any) -> None:
        if msg["is_observed"] or type(msg["fn"]).__name__ == "_Subsample":
            return
        fn = msg["fn"]
        transformed = isinstance(fn, torch.distributions.TransformedDistribution)
        dense = isinstance(fn, dist.Delta) and (fn.log_density.requires_grad or bool(fn.log_density.any()))
        if transformed or dense or not any(frame.name == "images" for frame in msg["cond_indep_stack"]):
            msg["fn"] = Opaque(fn)


class Opaque(dist.TorchDistribution):
    """Another distribution, whose base cannot be seen."""

    arg_constraints: dict = {}

    def __init__(self, inner: dist.TorchDistribution) -> None:
        self._inner, self.has_rsample = inner, inner.has_rsample
        super().__init__(inner.batch_shape, inner.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        return self._inner.support

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return Opaque(self._inner.expand(batch_shape))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return self._inner.sample(sample_shape)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return self._inner.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._inner.log_prob(value)


class Placed(TransformModule):
    """x -> loc + scale x for vectors, with loc and scale in the checkpoint, though not learnt."""

    domain = codomain = constraints.real_vector
    bijective = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        # A draw's inverse is remembered: the flow below would else find it anew, entry by entry.
        super().__init__(cache_size=1)
        self.register_buffer("loc", loc)
        self.register_buffer("scale", scale)

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.scale.log().sum().expand(x.shape[:-1])


def place_flow(auto: AutoIAFNormal, loc: Tensor, scale: Tensor) -> None:
    """Let the flow bend a standard normal before it is scaled and moved to where the other guides start."""
    make = auto._init_transform_fn
    auto._init_transform_fn = lambda dims: dist.transforms.ComposeTransformModule([make(dims), Placed(loc, scale)])


def untie(auto: AutoIAFNormal) -> None:
    """Give the flow's base a tensor of its own for its kind: Pyro takes the first weight, which then has two names."""
    like = auto._prototype_tensor.detach().new_zeros(())
    del auto._prototype_tensor
    auto.register_buffer("_prototype_tensor", like, persistent=False)
