"""The command line. Heavy imports happen inside the commands, so that --help answers at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

__all__ = ["main"]


class _Times(click.ParamType):
    name = "T_e,...,T_s"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no comma-separated list of whole times, like 550,500,450,400")


def _settings(command):
    """The options that every fitting command takes, in the sampler's own words."""
    options = [
        click.option("--samples", default=8, show_default=True, type=click.IntRange(1), help="Completions to draw."),
        click.option("--timesteps", type=_Times(), help="T_e > ... > T_s of the guide. Default: by the prior's noise levels."),
        click.option("--levels", type=click.Choice(["1", "2", "4"]), show_default="4", help="VIPaint-2 or -4, where --timesteps are not given."),
        click.option("--beta", type=float, show_default="1.0", help="Weight of the KL terms in the bound."),
        click.option("--noise-scale", type=float, show_default="1.0", help="b of the Laplace likelihood, in units of [-1, 1]."),
        click.option("--fit-steps", type=int, show_default="50", help="Gradient steps of the fit."),
        click.option("--num-chains", type=int, show_default="2", help="Monte Carlo chains per step of the fit."),
        click.option("--num-levels", type=int, show_default="2", help="Transitions above T_e per chain and step."),
        click.option("--refinement-steps", type=int, show_default="100", help="DPS steps from T_s to the image."),
        click.option("--zeta", type=float, show_default="2.0", help="DPS step size."),
        click.option("--limit/--no-limit", default=None, show_default="limit", help="Whether a DPS step may not be longer than the residual."),
        click.option("--eta", type=float, show_default="1.0", help="Of the DDIM kernel; 1 is ancestral."),
        click.option("--loss", type=click.Choice(["trace", "mean-field"]), show_default="trace", help="Trace_ELBO or TraceMeanField_ELBO."),
        click.option("--guide", "guide_name", show_default="hierarchical", help="Which guide is fitted; vipaint guides lists them."),
        click.option("--correct", type=click.Choice(["none", "psis", "smc"]), show_default="none", help="Weigh the guide's draws: importance weights, or sequential Monte Carlo."),
        click.option("--num-particles", type=int, show_default="64", help="Of a correction."),
        click.option("--measurement-scale", type=float, show_default="0.05", help="Noise in the image that --correct smc takes, in units of [-1, 1]."),
        click.option("--guidance", "guidance_scale", default=1.0, show_default=True, help="Classifier-free guidance weight."),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ..."),
        click.option("--seed", default=0, show_default=True, type=int),
        click.option("--overwrite", is_flag=True, help="Replace an earlier run in the output folder."),
        click.option("--quiet", is_flag=True, help="No progress bars."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


_SAMPLER = ("beta", "noise_scale", "fit_steps", "num_chains", "num_levels", "refinement_steps", "zeta", "limit", "eta", "loss", "guide_name", "correct", "num_particles", "measurement_scale")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vipaint-pyro")
def main() -> None:
    """Fill holes in pictures with draws from a variational posterior under a diffusion prior."""


@main.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("mask", type=click.Path(path_type=Path))
@click.option("--prior", required=True, help="A built-in name, a diffusers folder or a hub id.")
@click.option("--label", help="Class of the image, by number or name. Default: none.")
@click.option("--out", type=click.Path(path_type=Path), help="Output folder. Default: vipaint-<image>.")
@_settings
def inpaint(image: Path, mask: Path, prior: str, label: str | None, out: Path | None, **options) -> None:
    """Fill the white part of MASK in IMAGE.

    Writes the completions, a grid, the posterior mean and standard deviation, the levels of the
    guide, the terms of the bound, the fitted guide and run.json to the output folder.
    """
    out = out or Path(f"vipaint-{image.stem}")
    with _reporting():
        from vipaint_pyro.images import read_image

        pictures = read_image(image), read_image(mask)
        _run(pictures, prior, label, out, options, {"image": str(image), "mask": str(mask)})


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default="vipaint-demo", show_default=True)
@_settings
def demo(out: Path, **options) -> None:
    """Fill half of a Fashion-MNIST test picture, and show the truth beside it."""
    with _reporting():
        from importlib.resources import files

        from vipaint_pyro.images import read_image

        folder = Path(str(files("vipaint_pyro") / "assets" / "demo"))
        pictures = read_image(folder / "image.png"), read_image(folder / "mask.png")
        label = (folder / "label.txt").read_text().split()[0]
        facts = {"image": "Fashion-MNIST test image (assets/demo)"}
        _run(pictures, "fashion-mnist", label, out, options, facts, truth=True)


@main.command()
def priors() -> None:
    """List the built-in priors, and what else can be loaded."""
    from vipaint_pyro.loading import BUILT_IN

    click.echo("Built in:")
    for name, line in BUILT_IN.items():
        click.echo(f"  {name:16s} {line}")
    click.echo(
        "\nAlso, by folder or hub id: any pixel-space diffusers model with a UNet2DModel and a scheduler\n"
        "(epsilon, v or sample prediction; discrete, EDM or VE noise levels), with safetensors weights."
    )


@main.command()
def guides() -> None:
    """List the guides that --guide takes."""
    from vipaint_pyro.guides.registry import GUIDES

    for name, known in GUIDES.items():
        click.echo(f"  {name:30s} {known.summary}")


@main.command()
@click.argument("methods", nargs=-1)
@click.option("--cell", "cells", multiple=True, metavar="D,D_Y", help="Dimensions and measurements, like 8,1; may be repeated. Default: 8,1 8,2 80,1 80,2.")
@click.option("--out", type=click.Path(path_type=Path), default="vipaint-exact", show_default=True, help="Where a run is kept, and goes on.")
@click.option("--samples", default=2000, show_default=True, type=click.IntRange(100))
@click.option("--fit-steps", default=200, show_default=True, type=click.IntRange(1))
@click.option("--steps", default=90, show_default=True, type=click.IntRange(1), help="From T_s to x.")
@click.option("--beta", default=1.0, show_default=True)
@click.option("--likelihood", type=click.Choice(["moment-matched", "exact", "plug-in"]), default="moment-matched", show_default=True, help="Seen at the levels while sampling.")
@click.option("--kernel", type=click.Choice(["exact", "gaussian"]), default="exact", show_default=True, help="Reverse kernel of the prior: gaussian is the step a network's sampler takes.")
@click.option("--problems", default=20, show_default=True, type=click.IntRange(2), help="How many of each cell.")
@click.option("--tune", is_flag=True, help="The problems to tune on (from 20 on) instead of those to report.")
def exact(methods, cells, out, samples, fit_steps, steps, beta, likelihood, kernel, problems, tune) -> None:
    """Measure METHODS against exact posteriors (the mixture benchmark of MCGDiff).

    METHODS are guides (hierarchical, mixture ...), each alone or as NAME+psis or NAME+smc; dps; and the rows that say
    what the distances mean: exact, moment-gaussian, one-mode, delta, prior. Without any, all of these with the
    hierarchical guide.
    """
    with _reporting():
        from vipaint_pyro.exact.methods import CALIBRATION, Lab
        from vipaint_pyro.exact.table import plot_table, run_table, write_table

        chosen = [_cell(c) for c in cells] or [(8, 1), (8, 2), (80, 1), (80, 2)]
        hierarchical = ("hierarchical", "hierarchical+psis", "hierarchical+smc")
        methods = methods or (*CALIBRATION, "dps", *hierarchical)
        lab = Lab(samples=samples, fit_steps=fit_steps, steps=steps, beta=beta, likelihood=likelihood, kernel=kernel)
        seeds = range(20, 20 + problems) if tune else range(problems)
        run_table(methods, chosen, lab, out, seeds=seeds, log=click.echo)
        click.echo(write_table(out))
        plot_table(out).savefig(out / "table.png", dpi=110)
        click.echo(f"wrote {out}/table.md, table.csv and table.png")


def _cell(text: str) -> tuple[int, int]:
    try:
        d, d_y = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"a cell is two whole numbers, like 8,1, but is {text!r}") from None
    if d < 2 or d % 2 or not 1 <= d_y <= d:
        raise ValueError(f"in a cell D,D_Y d is even and 1 <= d_y <= d, but it is {text!r}")
    return d, d_y


class _reporting:
    """Turn the errors a user can mend into one line and exit status 1."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (ValueError, TypeError, OSError, FloatingPointError)):
            raise click.ClickException(str(error)) from error


def _label(text: str | None, prior) -> int | str | None:
    """The label as the prior takes it; the null class is asked for by leaving --label out."""
    label = int(text) if text is not None and text.isdecimal() else text
    if label is not None and label == prior.null_class:
        raise ValueError(f"class {label} stands for no label: leave --label out")
    return label


def _run(pictures, prior: str, label: str | None, out: Path, options: dict, facts: dict, truth=False):
    from vipaint_pyro.results import Run, check_folder, write_run

    check_folder(out, options["overwrite"])
    import diffusers
    import torch

    from vipaint_pyro.guides.registry import recipe
    from vipaint_pyro.images import to_observed, to_unit
    from vipaint_pyro.operators import Inpainting
    from vipaint_pyro.pipeline import VIPaintPipeline
    from vipaint_pyro.samplers import VIPaintSampler
    from vipaint_pyro.samplers.vipaint import timesteps_for

    diffusers.utils.logging.disable_progress_bar()
    pipe = VIPaintPipeline.from_pretrained(prior)
    try:
        if options["device"].startswith("meta"):
            raise RuntimeError("it computes nothing")
        pipe.to(torch.device(options["device"]))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {options['device']!r} cannot be used: {str(error).splitlines()[0]}") from error
    pipe.set_progress_bar_config(disable=options["quiet"])
    image, mask = pictures
    unit = to_unit(image, pipe.prior.image_shape)
    observed = to_observed(mask, 1, pipe.prior.image_shape[1:])
    number = _label(label, pipe.prior)
    labelled = number is not None or pipe.prior.num_classes
    conditioned = pipe.prior.conditioned([number] if labelled else None, options["guidance_scale"])
    if number is not None:
        number = int(conditioned.class_labels[0])

    chosen = {k: options[k] for k in _SAMPLER if options[k] is not None}
    if options["timesteps"] and options["levels"]:
        raise ValueError("--timesteps say how many levels there are: leave --levels out")
    kind = recipe(options["guide_name"] or "hierarchical")
    if kind.form == "clean" and options["levels"]:
        raise ValueError(f"the guide {kind.name!r} has no levels: leave --levels out")
    times = options["timesteps"]
    if times is None and kind.form != "clean":
        times = timesteps_for(pipe.prior, int(options["levels"] or kind.levels or 4))
    sampler = replace(VIPaintSampler(timesteps=times), **chosen)
    sampler.model(conditioned, Inpainting(observed))  # checks the settings
    click.echo(f"{100 * float((~observed).float().mean()):.1f} % of the pixels will be filled")
    output = pipe(
        image,
        mask,
        class_labels=number,
        guidance_scale=options["guidance_scale"],
        num_samples=options["samples"],
        generator=torch.Generator().manual_seed(options["seed"]),
        output_type="pt",
        **{f: getattr(sampler, f) for f in ("timesteps", *_SAMPLER)},
    )
    facts = {
        **facts,
        "prior": prior,
        "label": number,
        "guidance_scale": options["guidance_scale"],
        "seed": options["seed"],
    }
    if truth:
        facts["to_the_truth"] = _metrics(output, unit)
    write_run(out, Run(unit[0], observed[0], output, sampler, facts, truth))
    click.echo(f"wrote {out}{'/' if not str(out).endswith('/') else ''}: look at grid.png first")


def _metrics(output, unit) -> dict:
    from vipaint_pyro.metrics import LPIPS, psnr

    lpips, target = LPIPS(), unit * 2 - 1
    result = {}
    for name, images in (("composite", output.images), ("raw", output.predictions)):
        x = images * 2 - 1
        result[f"lpips_alex_{name}"] = [round(v, 4) for v in lpips(x, target).tolist()]
        result[f"psnr_db_{name}"] = [round(v, 2) for v in psnr(x, target).tolist()]
    return result
