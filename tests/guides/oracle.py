"""What is known exactly of the program on a Gaussian prior with independent pixels.

Per pixel, the latents of all levels and the measurement are jointly Gaussian: the levels as the forward
process makes them, Cov(z_t, z_s) = (alpha_t / alpha_s) Var(z_s) for t > s, and y = E[z_0 | z_{T_s}] + noise.
"""

import torch
from torch import Tensor

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)


class Program:
    """The exact posterior over the levels, per pixel, and the evidence, for Gaussian noise of this scale.

    Attributes:
        mean: of every level given y, with shape (K, C, H, W).
        precision: over the levels given y, with shape (C, H, W, K, K).
        evidence: log p(y) of the program.
    """

    def __init__(self, prior, timesteps, scale: float, y: Tensor = Y, observed: Tensor = OBSERVED) -> None:
        alpha = [float(prior.schedule.alpha(t)) for t in timesteps]
        sigma = [float(prior.schedule.sigma(t)) for t in timesteps]
        k, v = len(timesteps), prior.std**2
        variance = [a**2 * v + s**2 for a, s in zip(alpha, sigma)]
        covariance = torch.zeros(*v.shape, k, k, dtype=v.dtype)
        for i in range(k):
            for j in range(i, k):
                covariance[..., i, j] = covariance[..., j, i] = alpha[i] / alpha[j] * variance[j]
        gain = alpha[-1] * v / variance[-1]
        seen = observed[0].to(v.dtype)
        self.precision = covariance.inverse()
        self.precision[..., -1, -1] += seen * gain**2 / scale**2
        away = seen * gain * (y[0] - prior.mean) / scale**2
        last = torch.zeros(k, dtype=v.dtype)
        last[-1] = 1
        shift = torch.linalg.solve(self.precision, away[..., None] * last)
        self.mean = torch.stack([a * prior.mean + shift[..., i] for i, a in enumerate(alpha)])
        predictive = torch.distributions.Normal(prior.mean, (gain**2 * variance[-1] + scale**2).sqrt())
        self.evidence = predictive.log_prob(y[0])[observed[0]].sum()

    @property
    def std(self) -> Tensor:
        """Of every level given y, with shape (K, C, H, W)."""
        return self.precision.inverse().diagonal(dim1=-2, dim2=-1).sqrt().movedim(-1, 0)

    @property
    def mean_field_std(self) -> Tensor:
        """Of the best independent levels, 1 / sqrt(Lambda_ss), with shape (K, C, H, W)."""
        return self.precision.diagonal(dim1=-2, dim2=-1).rsqrt().movedim(-1, 0)

    @property
    def mean_field_gap(self) -> Tensor:
        """KL of the best independent levels to the posterior: (sum log Lambda_ss - log det Lambda) / 2."""
        return 0.5 * (self.precision.diagonal(dim1=-2, dim2=-1).log().sum() - self.precision.logdet().sum())


def set_param(guide, name, value):
    """Set a constrained parameter, bounds included."""
    with torch.no_grad():
        unconstrained = getattr(guide, name + "_unconstrained")
        constraint, _ = guide._pyro_params[name]
        unconstrained.copy_(torch.distributions.transform_to(constraint).inv(value.expand(unconstrained.shape)))
