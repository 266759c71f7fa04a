r"""A fitted guide as a proposal distribution: its draws with their importance weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.inference.given import check_guide
from vipaint_pyro.inference.matching import drawn_latents
from vipaint_pyro.measurements.likelihood import Likelihood, as_likelihood
from vipaint_pyro.measurements.measurement import check_y
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.base import check_model
from vipaint_pyro.models.sites import site
from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import checked, whole

__all__ = ["Path", "draw_path", "log_importance_weights", "log_marginal", "log_path_density"]


@dataclass
class Path:
    """Draws of a guide's latents.

    Attributes:
        z: timestep -> z_t with shape (S, N, C, H, W).
        log_q: the guide's log density of each path, (S, N).
        predictions: timestep -> E[z_0 | z_t] with z_t's shape, where the guide has asked for it on its way.
    """

    z: dict[int, Tensor]
    log_q: Tensor
    predictions: dict[int, Tensor] = field(default_factory=dict)

    def prediction(self, model: DiffusionModel, t: int) -> Tensor:
        """E[z_0 | z_t], asked for once."""
        if t not in self.predictions:
            self.predictions[t] = model.denoise(self.z[t], t)
        return self.predictions[t]


@torch.no_grad()
def draw_path(
    model: DiffusionModel,
    guide: Callable,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> Path:
    """Draw a guide's latents and the density it gives them, whatever guide it is.

    Args:
        generator: one, or a list with one per image; None takes the global state.

    Raises:
        ValueError: for a guide of another model, without a density (a point), or one that couples several images.
    """
    check_model(model, DiffusionModel)
    check_guide(guide, model)
    checked("num_samples", num_samples, whole())
    noise = PerImageNoise(NoiseStreams(generator, model.num_images))
    n, shape = model.num_images, (num_samples, model.num_images, *model.prior.latent_shape)
    # A guide of an equal model asks that one.
    own: Any = guide.model if isinstance(guide, Guide) else model
    with own.predictions() as memo, noise, pyro.plate("samples", num_samples, dim=-4):
        trace: Any = poutine.trace(guide).get_trace()
        drawn = drawn_latents(guide, trace, model.timesteps)
        predicted = {t: memo.find(z, t) for t, z in drawn.items()}
    latents = {site(t) for t in model.timesteps}
    log_q = torch.zeros(num_samples, n, device=model.prior.device, dtype=model.prior.dtype)
    for name, node in trace.nodes.items():
        # An AutoGuide draws an auxiliary site, and the latents as functions of it.
        if node["type"] != "sample" or not (name in latents or node["infer"].get("is_auxiliary")):
            continue
        fn = node["fn"]
        if isinstance(fn, dist.Delta) and not node["infer"].get("is_auxiliary") and not _has_auxiliary(trace):
            raise ValueError(f"{type(guide).__name__} is a point: it has no density to weigh its draws with")
        while isinstance(fn, dist.MaskedDistribution):  # masked in the bound, where the bridge stands for it
            fn = fn.base_dist
        value = fn.log_prob(node["value"])
        if value.numel() == num_samples * n:
            log_q = log_q + value.reshape(num_samples, n)
        elif n == 1 and value.numel() == num_samples:
            log_q = log_q + value.reshape(num_samples, 1)
        else:
            raise ValueError(
                f"{type(guide).__name__} draws {n} images together, so that none has weights of its own: "
                "fit one image at a time"
            )
    predicted = {t: z0.reshape(shape) for t, z0 in predicted.items() if z0 is not None}
    return Path({t: z.reshape(shape) for t, z in drawn.items()}, log_q, predicted)


def _has_auxiliary(trace: Any) -> bool:
    return any(node["infer"].get("is_auxiliary") for node in trace.nodes.values() if node["type"] == "sample")


@torch.no_grad()
def log_marginal(
    prior: DiffusionPrior, z: Tensor, t: int, num_steps: int = 25, streams: NoiseStreams | None = None
) -> Tensor:
    r"""log p(z_t), exactly where the prior knows it, else the logarithm of an unbiased estimate of p(z_t).

    .. math:: \hat p(z_{t_0}) = p(z_{t_n}) \prod_i \frac{p(z_{t_{i-1}} | z_{t_i})}{q(z_{t_i} | z_{t_{i-1}})},
              \quad z_{t_i} \sim q(z_{t_i} | z_{t_{i-1}})

    along one noising of z: importance sampling of the sampler that walks these times down. Where
    reverse and forward process agree, the estimate has no variance.

    Args:
        z: (S, N, C, H, W).
        t: its time.
        num_steps: noising steps up to the last time, at one network call each.
        streams: noise of each image; None takes the global state.

    Returns:
        (S, N).
    """
    known = prior.marginal(t)
    if known is not None:
        return known.log_prob(z)
    last = prior.schedule.last
    times = prior.times(last, t, num_steps)[::-1]
    streams = streams or NoiseStreams(None, z.shape[-4])
    log_p = torch.zeros(z.shape[:-3], device=z.device, dtype=z.dtype)
    for s, u in zip(times, times[1:]):
        a, v = forward_step(prior.schedule, s, u)
        noised = dist.Normal(float(a) * z, float(v.sqrt())).to_event(3)
        up = noised.base_dist.loc + float(v.sqrt()) * streams.normal(z.shape, z.ndim - 4, z)
        log_p = log_p + prior.transition(up, u, s).log_prob(z) - noised.log_prob(up)
        z = up
    return log_p + dist.Normal(torch.zeros_like(z), prior.schedule.terminal_std).to_event(3).log_prob(z)


@torch.no_grad()
def log_path_density(
    model: DiffusionModel, path: Path, num_steps: int = 25, streams: NoiseStreams | None = None
) -> Tensor:
    """log p(z_{T_e}, ..., z_{T_s}) under the model's prior, with shape (S, N); see :func:`log_marginal`."""
    z, times = path.z, model.timesteps
    log_p = log_marginal(model.prior, z[times[0]], times[0], num_steps, streams)
    for t, s in zip(times, times[1:]):
        step = model.prior.transition(z[t], t, s, model.eta, path.prediction(model, t))
        log_p = log_p + step.log_prob(z[s])
    return log_p


@torch.no_grad()
def log_importance_weights(
    model: DiffusionModel,
    path: Path,
    y: Tensor,
    *,
    likelihood: Likelihood | None = None,
    num_steps: int = 25,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> Tensor:
    r"""log w = log p(y | z_{T_s}) p(z_{T_e}, ..., z_{T_s}) / q(z_{T_e}, ..., z_{T_s}), with shape (S, N).

    The logarithm of their mean estimates log p(y) under the model's timesteps and likelihood.

    Args:
        model: gives the prior's kernels (at its eta) and the operator; beta is not looked at.
        path: draws of a guide, see :func:`draw_path`.
        y: measurements (N, C', H', W').
        likelihood: by default the model's own.
        num_steps: of :func:`log_marginal`, where p(z_{T_e}) has to be estimated.
        generator: as elsewhere.
    """
    check_model(model, DiffusionModel)
    if not isinstance(path, Path):
        raise TypeError(f"path is draws of a guide, as draw_path gives them, not {type(path).__name__}")
    checked("num_steps", num_steps, whole())
    likelihood = model.likelihood if likelihood is None else as_likelihood(likelihood)
    check_y(model.operator, y, likelihood)
    streams = NoiseStreams(generator, model.num_images)
    log_w = log_path_density(model, path, num_steps, streams) - path.log_q
    last = model.timesteps[-1]
    seen = Prediction(model.prior, path.z[last], last, path.prediction(model, last))
    seen = likelihood.at(model.operator, seen)
    return log_w + seen.log_prob(y.to(log_w))
