r"""RED-diff's regulariser: a diffusion prior over clean latents, seen at one noise level.

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
arXiv:2305.04391.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.distributions import ImageDistribution
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import like
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["WEIGHTS", "REDDiffRegulariser"]

#: w_t / lambda as a function of r = sigma_t / alpha_t, by the names of the released code. "linear" is
#: its default and the paper's choice; it is called 1/SNR there, but SNR = 1/r^2, so it is 1/sqrt(SNR).
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda r: r,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "power2over3": lambda r: r ** (2 / 3),
    "log": torch.log1p,
    "clip": lambda r: r.clamp_max(1),
    "const": torch.ones_like,
}


class REDDiffRegulariser(ImageDistribution):
    r"""A diffusion prior over clean latents z_0 as RED-diff sees it: one noise level per call.

    ``sample()`` runs the reverse diffusion. What ``log_prob(z)`` is, with :math:`z_t = \alpha_t z +
    \sigma_t \epsilon`, depends on the weight:

    - a published one (:data:`WEIGHTS`): :math:`-w_t\, \mathrm{sg}[\hat\epsilon(z_t) - \epsilon]^T z`,
      where sg stops the gradient: no backward call of the network. Only its gradient means
      something, and it is that of no density; its value is neither a log density nor a bound.
      Since :math:`\hat\epsilon - \epsilon = \alpha_t (z - \hat z_0) / \sigma_t`, the gradient of
      "linear", with :math:`w_t = \lambda\sigma_t/\alpha_t`, is :math:`-\lambda (z - \hat z_0)`.
    - ``"bound"``: lambda times one term of the true bound,

      .. math:: \log p(z) \ge -KL(q(z_{T-1}|z)\,\|\,p(z_{T-1})) - \tfrac{d}{2}\log\frac{2\pi}{SNR_0}
                - \sum_{t=0}^{T-1} \tfrac12 (SNR_{t-1} - SNR_t)\, E\lVert z - \hat z_0(z_t)\rVert^2

      of whose sum it takes the t that it is given, times T: unbiased for a uniform t. The gradient
      goes through the network. Each term is the KL of an ancestral step from t to t-1; the last,
      with SNR_0 alone for its factor, and the logarithm are those of decoding z from z_t, t = 0, by
      :math:`N(\hat z_0, 1/SNR_0)`. As T grows the sum tends to
      :math:`\tfrac12\int E\lVert z - \hat z_0\rVert^2 d\,SNR`, or in eps
      :math:`\tfrac12\int -\frac{d \log SNR}{dt} E\lVert\epsilon - \hat\epsilon\rVert^2 dt`.

    Args:
        prior: the diffusion prior.
        t: the time; a number, or whole times on the CPU that broadcast against ``batch_shape``.
        batch_shape: (*, N) for N images.
        weight: a name in :data:`WEIGHTS`, or ``"bound"``.
        lambda_: the weight's factor.
        noise: epsilon, with a shape that broadcasts against z's; by default drawn on every call.
        num_steps: steps of the reverse diffusion in ``sample()``.
        scored: called when ``log_prob`` is first asked for.
    """

    def __init__(
        self,
        prior: DiffusionPrior,
        t: int | Tensor,
        batch_shape: Sequence[int],
        weight: str = "linear",
        lambda_: float = 0.25,
        noise: Tensor | None = None,
        num_steps: int = 50,
        scored: Callable[[], None] | None = None,
    ) -> None:
        self.prior, self.t = prior, torch.as_tensor(t, device="cpu")
        self.weight, self.lambda_, self.noise = weight, lambda_, noise
        self.num_steps, self._scored = num_steps, scored
        super().__init__(torch.Size(batch_shape), torch.Size(prior.latent_shape), validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return REDDiffRegulariser(
            self.prior, self.t, batch_shape,
            self.weight, self.lambda_, self.noise, self.num_steps, self._scored,
        )  # fmt: skip

    @torch.no_grad()
    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        prior, last = self.prior, self.prior.schedule.last
        z = torch.randn(self.shape(sample_shape), device=prior.device, dtype=prior.dtype)
        return prior.sample(prior.schedule.terminal_std * z, last, CLEAN, self.num_steps)

    def log_prob(self, z: Tensor) -> Tensor:
        if self._scored is not None:
            self._scored()
            self._scored = None  # a mean-field ELBO asks twice for what is one step
        z = z.expand(torch.broadcast_shapes(z.shape, self.shape()))
        noise = torch.randn_like(z) if self.noise is None else self.noise.expand_as(z)
        return self._bound(z, noise) if self.weight == "bound" else self._published(z, noise)

    def _residual(self, z: Tensor, noise: Tensor) -> Tensor:
        """z - z0_hat(z_t)."""
        schedule = self.prior.schedule
        z_t = like(schedule.alpha(self.t), z) * z + like(schedule.sigma(self.t), z) * noise
        return z - self.prior.denoise(z_t, self.t)

    def _published(self, z: Tensor, noise: Tensor) -> Tensor:
        ratio = self.prior.schedule.sigma(self.t) / self.prior.schedule.alpha(self.t)
        weight = self.lambda_ * WEIGHTS[self.weight](ratio)
        with torch.no_grad():
            error = like(weight / ratio, z) * self._residual(z, noise)  # w_t (eps_hat - eps)
        return -(error * z).sum((-3, -2, -1))

    def _bound(self, z: Tensor, noise: Tensor) -> Tensor:
        schedule = self.prior.schedule
        last = schedule.last
        snr = schedule.log_snr(torch.arange(last + 1, device="cpu")).exp()
        steps = torch.cat([snr[:1], -snr.diff()])
        scale = (0.5 * len(snr) * steps[self.t]).sqrt()
        terms = (like(scale, z) * self._residual(z, noise)).square()
        q = dist.Normal(like(schedule.alpha(last), z) * z, float(schedule.sigma(last)))
        p = dist.Normal(torch.zeros_like(z), schedule.terminal_std)
        terms = terms + torch.distributions.kl_divergence(q, p) + 0.5 * math.log(2 * math.pi / float(snr[0]))
        return -self.lambda_ * terms.sum((-3, -2, -1))
