r"""A Gaussian fitted at one noise level: to what the bridge says there, and to what y says of the prediction.

The mean-field step that MGPS (Moufad et al., arXiv:2410.09945) and MGDM (Janati et al., arXiv:2502.03332) share.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.samplers.run import Run

__all__ = ["fitted_draw"]


def fitted_draw(run: Run, mean: Tensor, std: Tensor, t: int | Tensor, num_gradients: int, lr: float) -> Tensor:
    r"""A draw of z_t from the Gaussian N(m, e^{2 rho}) that goes down

    .. math:: KL(N(m, e^{2\rho}) \,\|\, N(m_0, s^2)) - E \log p(y | \hat x(z)), \quad z \sim N(m, e^{2\rho})

    by Adam from (m_0, log s), one draw of z a step.

    Args:
        run: whose measurement and noise.
        mean: m_0, (*, N, C, H, W).
        std: s > 0, what broadcasts against it.
        t: the time, a number, or whole times that broadcast against (*, N).
        num_gradients: steps of Adam, a forward and a backward call each; 0 draws from N(m_0, s^2).
        lr: Adam's rate.

    Returns:
        z with mean's shape, detached.
    """
    prior, seen = run.prior, run.measurement
    std = std.expand_as(mean)
    with torch.enable_grad():
        m, rho = mean.detach().clone().requires_grad_(), std.log().clone().requires_grad_()
        optimizer = torch.optim.Adam([m, rho], lr)
        for _ in range(num_gradients):
            z = m + rho.exp() * run.normal(m)
            prediction = Prediction(prior, z, cast(int, t), prior.denoise(z, t))  # noise alone looks at no time
            log_p = seen.likelihood.at(seen.operator, prediction).log_prob(seen.y)
            kl = ((m - mean).square() + (2 * rho).exp()) / (2 * std.square()) - rho
            optimizer.zero_grad()
            (kl.sum() - log_p.sum()).backward()
            optimizer.step()
    return (m + rho.exp() * run.normal(m)).detach()
