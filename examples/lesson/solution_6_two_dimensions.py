"""Exercise 6: two dimensions. How far q(x) of a guide is from p(x | y), in one number and one picture."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

import lab
from vipaint_pyro.files import write_picture
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import guide_log_density


def total_variation(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Half the integral of |p - q|, from log densities at lab.GRID, whose points are a step of lab.SIDE apart."""
    area = (lab.SIDE[1] - lab.SIDE[0]) ** 2
    return 0.5 * (log_p.exp() - log_q.exp()).abs().sum() * area


def main() -> None:
    exact = lab.PLANE_POSTERIOR.log_prob(lab.GRID)
    figure = Figure(figsize=(7.2, 3.9), layout="constrained", dpi=100)
    distances = []
    for axes, (name, settings) in zip(figure.subplots(1, 2), (("gaussian", {}), ("mixture", {"spread": 1.5}))):
        model = lab.plane_model(100)
        guide = make_guide(name, model, lab.PLANE_Y, **settings)
        lab.fitted(guide, lab.PLANE_Y)
        log_q = guide_log_density(model, guide, lab.GRID, 400, torch.Generator().manual_seed(1), y=lab.PLANE_Y)
        distances.append(total_variation(exact, log_q))
        for log_p, colour, fill in ((exact, "Blues", axes.contourf), (log_q, "Reds", axes.contour)):
            fill(lab.SIDE, lab.SIDE, log_p.exp().reshape(len(lab.SIDE), -1), 5, cmap=colour)
        axes.set(title=f"{name}: total variation {distances[-1]:.2f}", xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    figure.suptitle("filled, blue: p(x | y); lines, red: q(x) of the guide")
    write_picture("lesson-6.png", figure)
    lost = min(lab.PLANE_POSTERIOR.weights.flatten().tolist(), key=lambda weight: abs(weight - distances[0]))
    lab.check("total variation of one Gaussian, the weight of the mode that it has lost", distances[0], lost, 0.05)
    lab.check("total variation of a mixture", distances[1], 0, 0.08)


if __name__ == "__main__":
    lab.run(main)
