r"""CoPaint: at every noise level z_t is moved until its prediction agrees with y, then a deterministic step is made.

Zhang et al., "Towards Coherent Image Inpainting Using Denoising Diffusion Implicit Models", arXiv:2304.03322.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.samplers.travel import TravellingSampler
from vipaint_pyro.settings import number, setting, whole

__all__ = ["CoPaintSampler"]

#: A step is shortened to 4/5 as often as this, to a thousandth, before it is given up.
_TRIES = 30


@dataclass(frozen=True)
class CoPaintSampler(TravellingSampler):
    r"""Gradient steps on z_t, then DDIM's step (its algorithm 1; algorithm 2 with time travel).

    .. math:: \min_z\; \lVert y - A \hat x(z)\rVert_2^2 + \lambda_t \lVert z - z_t\rVert_2^2

    by ``num_gradients`` steps of length :math:`\ell_t \alpha_t / \alpha_0`, each shortened by a fifth until the
    objective does not rise. From level to level :math:`\ell` grows by ``lr_growth`` and :math:`\lambda` by
    ``prox_growth``; going up again divides by them. Before each jump up z is moved once more.

    A trial's prediction is kept for what follows, so that a level costs 1 + ``num_gradients`` forward and
    ``num_gradients`` backward calls and one more forward call for each step that was too long. (The released code asks
    the network anew, 5 forward calls for 2 gradients.)

    Args:
        num_steps: of one way down; as published, 250.
        eta: of the DDIM kernel, also on priors that know an exact one; 0, deterministic, as published.
        num_gradients: G.
        lr, lr_growth: l_T, and its factor per level.
        prox, prox_growth: lambda_T, and its factor per level.
        jump_length: j of the time travel.
        jump_n_sample: r; 1 is no travel, and 2 is published as CoPaint-TT.
    """

    num_steps: int = setting(250, whole(1), "Steps of one way from noise to the image.")
    eta: float = setting(0.0, number(least=0, most=1), "Of the DDIM kernel; 0 is deterministic.")
    num_gradients: int = setting(2, whole(1), "Gradient steps at each noise level.")
    lr: float = setting(0.02, number(above=0), "Length of a gradient step at T.")
    lr_growth: float = setting(1.012, number(above=0), "Its factor from level to level.")
    prox: float = setting(0.01, number(least=0), "Weight that keeps z_t where it is.")
    prox_growth: float = setting(1.0, number(above=0), "Its factor from level to level.")

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        z, z0 = self._moved(run, z, t)
        if s == CLEAN:
            return z0, z0
        return self.ddim(run, z, z0, t, s), z0

    def _back(self, run: Run, z: Tensor, s: int, t: int) -> tuple[Tensor, Tensor]:
        z0 = z
        if (self.left(run.prior, s) - 1) % self.jump_length == 0:  # the foot of a jump
            z, z0 = self._moved(run, z, s)
        a, v = forward_step(run.prior.schedule, s, t)
        return float(a) * z + float(v.sqrt()) * run.normal(z), z0

    def _moved(self, run: Run, z_t: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """z after the gradient steps, and its prediction; both detached."""
        schedule, done = run.prior.schedule, self.num_steps - self.left(run.prior, t)
        prox = self.prox * self.prox_growth**done
        lr = self.lr * self.lr_growth**done * float(schedule.alpha(t) / schedule.alpha(0))
        rate = torch.full(z_t.shape[:-3], lr, dtype=z_t.dtype, device=z_t.device)
        z, z0, loss = self._objective(run, z_t, z_t, t, prox, grad=True)
        for k in range(self.num_gradients):
            (gradient,) = torch.autograd.grad(loss.sum(), z)
            here, before, worse = z.detach(), loss.detach(), torch.zeros_like(loss, dtype=torch.bool)
            for tried in range(_TRIES + 1):
                rate = torch.where(worse, 0.8 * rate if tried < _TRIES else 0, rate)
                z = here - rate[..., None, None, None] * gradient
                z, z0, loss = self._objective(run, z, z_t, t, prox, grad=k + 1 < self.num_gradients)
                worse = ~(loss.detach() <= before)  # NaN is worse
                if not worse.any():
                    break
        return z.detach(), z0.detach()

    @staticmethod
    def _objective(run: Run, z: Tensor, z_t: Tensor, t: int, prox: float, grad: bool) -> tuple[Tensor, Tensor, Tensor]:
        """z as a leaf, E[z_0 | z], and the objective of each sample (*, N)."""
        with torch.set_grad_enabled(grad):
            z = z.detach().requires_grad_(grad)
            z0 = run.prior.denoise(z, t)
            misfit = run.measurement.distance(run.prior.decode(z0)).square()
            return z, z0, misfit + prox * (z - z_t).square().sum((-3, -2, -1))
