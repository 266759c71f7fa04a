"""Exercise 1: noise. What p(x) becomes when x is noised to z_t = alpha_t x + sigma_t eps."""

import torch
from torch import Tensor

import lab


def log_marginal(z: Tensor, t: int) -> Tensor:
    """log p(z_t) at numbers z (S,), of a mixture with lab.WEIGHTS, lab.MEANS and lab.STDS, each (2,)."""
    alpha, sigma = lab.SCHEDULE.alpha(t), lab.SCHEDULE.sigma(t)
    component = torch.distributions.Normal(alpha * lab.MEANS, (alpha**2 * lab.STDS**2 + sigma**2).sqrt())
    return (lab.WEIGHTS.log() + component.log_prob(z[:, None])).logsumexp(-1)


def main() -> None:
    z = torch.linspace(-4, 4, 201).double()
    for t in (100, 278, 500):
        away = log_marginal(z, t) - lab.PRIOR.marginal(t).log_prob(lab.points(z))[:, 0]
        lab.check(f"largest difference from the library at t = {t}", away.abs().max(), 0, 1e-9)
    between, beside = log_marginal(torch.tensor([0.0, -1.0]).double(), 278).exp()
    lab.check("p(z_278 = 0)", between, 0.2208, 1e-4)
    lab.check("p(z_278 = -1)", beside, 0.3219, 1e-4)


if __name__ == "__main__":
    lab.run(main)
