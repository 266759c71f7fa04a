"""Exact priors whose predictions are clipped, as those of networks are that were trained so."""

import torch

from vipaint_pyro.priors.clipping import Fixed
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior


class _Clipped(Denoiser):
    device, dtype, network = torch.device("cpu"), torch.float64, None

    def __init__(self, prior, limit):
        self.prior, self.clip = prior, Fixed(limit)

    def __call__(self, z, t, condition=None):
        return self.clipped(self.prior.denoise(z, t))

    def clipped(self, z0):
        return z0 + (self.clip(z0) - z0).detach()


def clipped_at(limit, prior):
    """A prior that knows no more than the predictions of an exact one, in [-limit, limit]."""
    return DiffusionPrior(prior.schedule, _Clipped(prior, limit), prior.latent_shape)
