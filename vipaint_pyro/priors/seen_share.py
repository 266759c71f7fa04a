r"""How far known pixels decide each latent: by the decoder's own sensitivity, not by a mask made coarse."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["seen_share"]


def seen_share(prior: DiffusionPrior, observed: Tensor, z: Tensor, probes: int = 16) -> Tensor:
    r"""Of what a latent pixel changes in the image, the share that is seen.

    .. math:: s_i = \frac{\lVert M D_i \rVert^2}{\lVert D_i \rVert^2}, \quad
              \lVert M D_i \rVert^2 = E_{v \sim N(0, I)} \big[(D^T M v)_i^2\big]

    with M the mask, and D_i the derivative of the decoded image by latent i, summed over its channels; an estimate of
    backward passes through the decoder, two a probe, of the same v for every image and in every run. It is 1 deep
    in what is known, 0 deep in a hole, and between them near the edge, as far as the decoder reaches. Of a pixel
    prior it is the mask.

    Args:
        prior: whose decoder.
        observed: bool (N, C, H, W), True where a pixel is known.
        z: latents (N, C', H', W') at which the decoder is looked at.
        probes: draws of v.

    Returns:
        (N, 1, H', W') in [0, 1]; of a pixel prior with observed's shape.
    """
    if not prior.is_latent:
        return observed.to(z.dtype)
    mask, seen, hidden = observed.to(z.dtype), torch.zeros_like(z), torch.zeros_like(z)
    generator = torch.Generator("cpu").manual_seed(0)
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        x = prior.decode(z)
        for _ in range(probes):
            v = torch.randn(prior.image_shape, generator=generator, dtype=torch.float64, device="cpu").to(x)
            seen += torch.autograd.grad((x * v * mask).sum(), z, retain_graph=True)[0].square()
            hidden += torch.autograd.grad((x * v * (1 - mask)).sum(), z, retain_graph=True)[0].square()
    seen, both = seen.sum(-3, keepdim=True), (seen + hidden).sum(-3, keepdim=True)
    # A latent that changes nothing is decided by nothing.
    return torch.where(both > 0, seen / both.clamp_min(torch.finfo(z.dtype).tiny), 0)
