r"""Gibbs sweeps after VIPaint's walk from T_s: up to one of the guide's levels, and down again by the guide's kernels.

Alternating a noised z_t and z_0 given y is the Gibbs sampling of MGDM (Janati et al., "A Mixture-Based Framework for
Guiding Diffusion Models", arXiv:2502.03332). There a Gaussian is fitted anew for every draw; here the guide has its
kernels from one fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyro
import torch
from torch import Tensor

from vipaint_pyro.faults import check_finite, located
from vipaint_pyro.guides import Guide, MarkovGuide
from vipaint_pyro.models.sites import site
from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run

__all__ = ["check_kernels", "has_kernels", "renewed", "swept"]


def swept(
    run: Run, walk: ReverseSampler, z: Tensor, guide: Guide | Callable, levels: Sequence[int], sweeps: int
) -> tuple[Tensor, Tensor | None]:
    r"""The images of one walk from T_s, and of as many sweeps after it.

    A sweep takes z_0 through a draw of

    1. :math:`z_t \sim q(z_t | z_0)`, the forward process (y adds nothing where z_0 is known), at a level t of its own;
    2. :math:`z_{T_s} \sim \prod q(z_s | z_t)`, the guide's kernels from there down, which stand for p(z_s | z_t, y);
    3. :math:`z_0` by the walk, which stands for p(z_0 | z_{T_s}, y).

    The first leaves p(z_0, z_t | y) as it is. So would the others were they exact: the posterior is then what sweeps
    keep, and what they come to from any start. As it is they come to a distribution that has the biases of the kernels
    and of the walk, but none of q(z_{T_e}): how often the guide drew a mode is forgotten. From T_s alone only the walk
    errs; from further up a sweep mixes faster, and kernels that forget z_t (of ``"mean-field"``, and often of
    ``"hierarchical"``) bring back what the guide said.

    Calls per sample and sweep: those of the walk, and of each kernel once, whichever the level.

    Args:
        run: of the samples in z.
        walk: settled.
        z: z_{T_s}, (S, N, C, H, W).
        guide: fitted; see :func:`renewed`.
        levels: those of the guide that are gone up to, neighbours down to T_s.
        sweeps: R; 0 is the walk alone.

    Returns:
        As :meth:`~vipaint_pyro.samplers.reverse.ReverseSampler.walk`, with E[z_0 | z_{T_s}] of the guide's own draw.
    """
    last = levels[-1]
    z, first = walk.descend(run, z, last)
    for sweep in range(1, sweeps + 1):
        if run.stopped:
            break
        made = sweep * walk.num_steps
        with located("refinement", made, last, broken=walk.cure(), memory=walk.relief(len(z))):
            z = renewed(run, z, guide, levels)
            check_finite(z, "a draw of the guide's kernels")
        z, _ = walk.descend(run, z, last, made)
    with located("decoding", broken=walk.cure(), memory=walk.relief(len(z))):
        return run.prior.decode(z), first


@torch.no_grad()
def renewed(run: Run, z_0: Tensor, guide: Guide | Callable, levels: Sequence[int]) -> Tensor:
    """z_{T_s} of z_0 (S, N, C, H, W): noised to a level, each to its own, and from there down by the guide's kernels.

    Levels are equally likely. For T_s alone the guide need not have kernels.
    """
    u = run.noise.uniforms(z_0.shape[:2], 1, z_0)
    # One that is drawn in low precision may be rounded up to 1 by the product.
    level = (u * len(levels)).long().clamp_max(len(levels) - 1)[..., None, None, None]
    noise, z = run.normal(z_0), z_0
    for k, t in enumerate(levels):
        a, v = (float(c) for c in forward_step(run.prior.schedule, CLEAN, t))
        noised = a * z_0 + v**0.5 * noise
        # Those that start further down are led from above as well, and replaced there: every kernel is called once.
        z = torch.where(level >= k, noised, _stepped(run, z, guide, levels[k - 1], t)) if k else noised
    return z


def has_kernels(guide: object) -> bool:
    """Whether a guide, given as it is or by its class, is known to have kernels to come down by."""
    return issubclass(guide if isinstance(guide, type) else type(guide), MarkovGuide)


def check_kernels(guide: object, levels: int) -> None:
    """Raise ValueError where a guide, given likewise, has no kernels to come down by from so many levels."""
    if levels > 1 and not has_kernels(guide):
        name = (guide if isinstance(guide, type) else type(guide)).__name__
        raise ValueError(
            f"sweep_levels = {levels} goes up to levels that kernels of the guide lead down from, and {name} has none: "
            "leave sweep_levels out, or take a MarkovGuide"
        )


def _stepped(run: Run, z: Tensor, guide: Any, t: int, s: int) -> Tensor:
    """A draw of q(z_s | z_t), each image's noise from its own stream."""
    model = guide.model
    with model.predictions(), PerImageNoise(run.noise), pyro.plate("samples", len(z), dim=-2), model.images():
        return pyro.sample(site(s), guide.kernel(z, t, s))
