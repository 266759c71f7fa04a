"""Exercise 5: VIPaint's kernel. Below T_e a guide mixes the prior's own step with a mean of its own."""

import torch
from pyro import distributions as dist
from torch import Tensor

import lab
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference import draw_path, log_importance_weights

TIMES = (396, 278, 174, 100)  # T_e > ... > T_s


class Mine(HierarchicalGuide):
    """The library's guide with a kernel of its own."""

    def kernel(self, z_t: Tensor, t: int, s: int) -> dist.Distribution:
        """q(z_s | z_t) = N(gamma m(z_t) + (1 - gamma) alpha_s mu, tau^2), where m is the mean of the prior's step."""
        mu, tau, gamma = (getattr(self, f"{name}_{s}") for name in ("mu", "tau", "gamma"))
        mean, _ = self.model.reverse(z_t, t, s)
        alpha = self.model.prior.schedule.alpha(s)
        return dist.Normal(gamma * mean + (1 - gamma) * alpha * mu, tau).to_event(3)


def main() -> None:
    model = lab.line_model(*TIMES)
    mine, theirs = (kind(model, lab.Y) for kind in (Mine, HierarchicalGuide))
    away = torch.tensor(lab.fitted(mine, lab.Y, 60)) - torch.tensor(lab.fitted(theirs, lab.Y, 60))
    lab.check("largest difference from the library's losses", away.abs().max(), 0, 1e-6)
    log_w = log_importance_weights(model, draw_path(model, mine, 20_000, torch.Generator().manual_seed(1)), lab.Y)
    lab.check("the gap, log p(y) less the bound", lab.POSTERIOR.log_evidence - log_w.mean(), 0.28, 0.1)


if __name__ == "__main__":
    lab.run(main)
