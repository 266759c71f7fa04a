"""Exercise 4: the bound. A Gaussian at one noise level against a posterior of two modes, and what it costs."""

from math import log

from torch import Tensor

import lab
from vipaint_pyro.guides import Guide, make_guide
from vipaint_pyro.inference import draw_path, guide_samples, log_importance_weights

T_S = 100


def bound(guide: Guide, num_draws: int) -> Tensor:
    """The mean of log p(y | z) + log p(z) - log q(z) over draws of q(z), which is guide.top(), at time T_S.

    p(y | z) is not that of the denoised z: what z leaves open of x is in it, too, and
    ``lab.PRIOR.exactly_measured(lab.IDENTITY, lab.NOISE, z, T_S)`` has it.
    """
    raise NotImplementedError("the bound: draw z from q, then the mean of log p(y | z) + log p(z) - log q(z)")


def main() -> None:
    guide = make_guide("gaussian", lab.line_model(T_S), lab.Y)
    lab.fitted(guide, lab.Y)
    value = bound(guide, 200_000).detach()
    theirs = log_importance_weights(guide.model, draw_path(guide.model, guide, 200_000), lab.Y).mean()
    lab.check("the bound", value, theirs, 0.005)
    gap = lab.POSTERIOR.log_evidence.item() - value.item()
    right = (guide_samples(guide.model, guide, 2000, y=lab.Y) > 0).double().mean().item()
    kept = lab.POSTERIOR.weights[0, 1 if right > 0.5 else 0].item()
    print(f"{100 * max(right, 1 - right):.0f} % of its draws are of one mode, whose posterior weight is {kept:.3f}")
    lab.check("the gap, log p(y) less the bound", gap, -log(kept), 0.06)


if __name__ == "__main__":
    lab.run(main)
