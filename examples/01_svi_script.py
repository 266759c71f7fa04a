"""VIPaint as a plain Pyro script: a model, a guide, SVI, and nothing around them.

    python examples/01_svi_script.py
    python examples/01_svi_script.py --smoke
"""

from __future__ import annotations

import click
import pyro
import torch
from pyro.infer import SVI, Trace_ELBO

from vipaint_pyro import DiffusionPrior, refine
from vipaint_pyro.files import write_picture
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.images import from_model, read_image, to_model, to_output, to_unit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.plots import grid, observed_picture
from vipaint_pyro.samplers import DPSSampler, draw


def ankle_boot() -> torch.Tensor:
    from importlib.resources import files

    picture = read_image(str(files("vipaint_pyro") / "assets" / "fashion-mnist" / "ankle-boot.png"))
    return to_model(to_unit(picture, (1, 28, 28)))


@click.command(help=__doc__)
@click.option("--num-steps", default=50, show_default=True)
@click.option("--out", default="vipaint-svi.png", show_default=True)
@click.option("--smoke", is_flag=True, help="A few steps; the boots are rougher.")
def main(num_steps: int, out: str, smoke: bool) -> None:
    num_steps, refinement_steps = (10, 5) if smoke else (num_steps, 100)
    pyro.set_rng_seed(0)
    x = ankle_boot()
    observed = rotated_window((28, 28), angle=60)[None]
    y = x * observed

    prior = DiffusionPrior.from_pretrained("fashion-mnist").conditioned([9])  # an ankle boot
    model = DiffusionModel(prior, Inpainting(observed), timesteps=(800, 700, 600, 500), beta=1.0)
    guide = HierarchicalGuide(model, y)
    svi = SVI(model, guide, pyro.optim.ClippedAdam({"lr": 0.05}), Trace_ELBO())
    losses = [svi.step(y) for _ in range(num_steps)]

    z = draw(model, guide, num_samples=6)[500]
    seen = Measurement.of(model.operator, y)
    samples = refine(prior, seen, z, 500, sampler=DPSSampler(refinement_steps))[:, 0]

    unit = from_model(x[0])
    pictures = to_output(from_model(torch.cat([x, samples])), "pil")
    pictures.insert(1, observed_picture(unit, observed[0]))
    write_picture(out, grid([pictures], ["truth", "observed", *[f"sample {i}" for i in range(6)]]))
    click.echo(f"-ELBO {losses[0]:.0f} -> {losses[-1]:.0f} nats; wrote {out}")
    assert sum(losses[-5:]) < sum(losses[:5])


if __name__ == "__main__":
    main()
