"""A denoiser that counts what it is asked."""

from vipaint_pyro.priors.denoisers import Denoiser


class Counted(Denoiser):
    """A denoiser that counts the z it is asked about."""

    def __init__(self, denoiser):
        self.denoiser, self.asked = denoiser, 0
        self.device, self.dtype = denoiser.device, denoiser.dtype

    def __call__(self, z, t, condition=None):
        self.asked += len(z)
        return self.denoiser(z, t, condition)
