"""Problems with a Gaussian posterior, and draws from it or from a wrong one."""

import torch


def conjugate(problems=300, draws=99, dim=3, width=1.0, shift=0.0, seed=0):
    """x ~ N(0, I), y = x + N(0, 1/4), hence x | y ~ N(0.8 y, 0.2); draws of another width or place.

    Returns x (P, D), draws (P, L, D), y (P, D) and the log density of what was drawn from.
    """
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(problems, dim, generator=g, dtype=torch.float64)
    y = x + 0.5 * torch.randn(problems, dim, generator=g, dtype=torch.float64)
    std = 0.2**0.5
    q = torch.distributions.Normal((0.8 * y + shift * std)[:, None], width * std)
    noise = torch.randn(problems, draws, dim, generator=g, dtype=torch.float64)
    return x, q.loc + q.scale * noise, y, lambda v: q.log_prob(v).sum(-1)
