r"""p(z_e) of a diffusion model as a Pyro distribution, through a bound on its density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.distributions import Estimated
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step, like
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["DiffusionMarginal"]


class DiffusionMarginal(Estimated):
    r"""The prior's marginal p(z_e) at one noise level, for N images.

    ``sample()`` runs the reverse diffusion from T down to e. ``log_prob(z)`` is an unbiased
    estimate of the diffusion model's own lower bound on log p(z) (Ho et al., arXiv:2006.11239,
    eq. 5, started at level e instead of at the clean image):

    .. math:: \log p(z_e) \ge E_q\Big[\log p(z_e|z_{t_1}) - KL(q(z_T|z_e)\,\|\,p(z_T))
              - \sum_{n=2}^N KL(q(z_{t_{n-1}}|z_{t_n}, z_e)\,\|\,p(z_{t_{n-1}}|z_{t_n}))\Big]

    over every time between e and T; of the sum, ``num_levels`` stratified terms are drawn for each
    image and chain, the large ones more often.

    Args:
        prior: the diffusion prior.
        e: the level, below T-1.
        batch_shape: (N,) for N images; any chains on the left.
        num_levels: terms of the sum per call, at 1 network call each (and one for the first term).
        num_steps: steps of the reverse diffusion in ``sample()``.
        start: z_T with shape (*, N, C, H, W), where the caller has drawn it.
    """

    def __init__(
        self,
        prior: DiffusionPrior,
        e: int,
        batch_shape: Sequence[int],
        num_levels: int = 4,
        num_steps: int = 50,
        start: Tensor | None = None,
    ) -> None:
        self.prior, self.e = prior, e
        self.num_levels, self.num_steps, self.start = num_levels, num_steps, start
        super().__init__(
            torch.Size(batch_shape), torch.Size(prior.latent_shape), validate_args=False
        )

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        wide = DiffusionMarginal(
            self.prior, self.e, batch_shape, self.num_levels, self.num_steps, self.start
        )
        wide.streams = self.streams
        return wide

    @torch.no_grad()
    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        prior = self.prior
        shape = self.shape(sample_shape)
        if self.start is None:
            like_z = torch.empty((), device=prior.device, dtype=prior.dtype)
            z = prior.schedule.terminal_std * like_z.new_empty(shape).normal_()
        else:
            z = self.start.expand(shape)
        return prior.sample(z, prior.schedule.last, self.e, self.num_steps)

    def log_prob(self, z: Tensor) -> Tensor:
        schedule, e, last = self.prior.schedule, self.e, self.prior.schedule.last
        a, v = forward_step(schedule, e, last)
        top = dist.Normal(like(a, z) * z, like(v, z).sqrt().to(z.device))
        terminal = dist.Normal(torch.zeros_like(z), schedule.terminal_std)
        bound = -torch.distributions.kl_divergence(top, terminal).sum((-3, -2, -1))

        a, v = forward_step(schedule, e, e + 1)
        z_1 = like(a, z) * z + like(v, z).sqrt() * self._noise().normal(z.shape, z.ndim - 4, z)
        mean, std = self.prior.reverse(z_1, e + 1, e)
        bound = bound + dist.Normal(mean, std).log_prob(z).sum((-3, -2, -1))

        size = last - e - 1
        n = min(self.num_levels, size)
        if n:
            s, p = self._levels(size, n, z.shape[:-3])
            kl = self._kl(z.expand(n, *z.shape), s)
            bound = bound - (kl / p.to(kl)).mean(0)
        return bound

    def _noise(self) -> NoiseStreams:
        """A stream per image, or the global state."""
        return self.streams or NoiseStreams(None, self.batch_shape[-1])

    def _levels(self, size: int, n: int, batch: torch.Size) -> tuple[Tensor, Tensor]:
        r"""n times s in e+1 ... T-2 for each batch element, stratified, and the probability of each.

        The KL of a step is :math:`\tfrac12 (r_s - r_{s+1})\,E\lVert z_e - \hat z_e\rVert^2`, r = a^2 / v being the
        ratio of signal z_e to noise. For z_e of variance V that error is V / (1 + V r) per entry, so that the
        terms go like log(1 + V r_s) - log(1 + V r_{s+1}): large just above e. Drawn in that proportion they vary
        little.
        """
        schedule = self.prior.schedule
        s = torch.arange(self.e + 1, self.e + 1 + size + 1, device="cpu")
        a, v = forward_step(schedule, self.e, s)
        V = schedule.alpha(self.e) ** 2 + schedule.sigma(self.e) ** 2  # for images of variance 1
        p = -(V * a**2 / v).log1p().diff()
        # Part of the weight is spread evenly, lest a step whose term is larger than that is hardly ever drawn.
        p = 0.95 * p / p.sum() + 0.05 / size
        part = torch.arange(n, dtype=p.dtype, device="cpu").reshape(n, *[1] * len(batch))
        u = (part + self._noise().uniforms((1, *batch), len(batch), p)) / n
        index = torch.searchsorted(p.cumsum(0), u).clamp_max(size - 1)
        return s[index], p[index]

    def _kl(self, z: Tensor, s: Tensor) -> Tensor:
        """KL(q(z_s | z_t, z_e) || p(z_s | z_t)) for t = s + 1, one draw of z_t each."""
        schedule, e, t = self.prior.schedule, self.e, s + 1
        a_te, v_te = forward_step(schedule, e, t)
        a_se, v_se = forward_step(schedule, e, s)
        a_ts, v_ts = forward_step(schedule, s, t)
        z_t = like(a_te, z) * z + like(v_te, z).sqrt() * self._noise().normal(z.shape, z.ndim - 4, z)
        q_mean = like(a_se * v_ts / v_te, z) * z + like(a_ts * v_se / v_te, z) * z_t
        q_std = like((v_ts * v_se / v_te).sqrt(), z)
        p_mean, p_std = self.prior.reverse(z_t, t, s)
        q, p = dist.Normal(q_mean, q_std), dist.Normal(p_mean, p_std)
        return torch.distributions.kl_divergence(q, p).sum((-3, -2, -1))
