"""The command line. Heavy imports happen inside the commands, so that --help answers at once."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from vipaint_pyro.cli.ablate import ablate
from vipaint_pyro.cli.app import app
from vipaint_pyro.cli.automatic import WHEN, automatic_prior, no_patches, taken_line
from vipaint_pyro.cli.completion import completion
from vipaint_pyro.cli.draw import draw
from vipaint_pyro.cli.evaluate import evaluate
from vipaint_pyro.cli.exact import exact
from vipaint_pyro.cli.figure import figure
from vipaint_pyro.cli.fit import fit
from vipaint_pyro.cli.group import OneLineGroup
from vipaint_pyro.cli.lists import guides, methods, priors
from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.options import all_options, options_but
from vipaint_pyro.cli.output import NamedPath
from vipaint_pyro.cli.pictures import FROM_ALPHA, pictures_of
from vipaint_pyro.cli.ready import ready
from vipaint_pyro.cli.region_options import check_region, check_together, region_options
from vipaint_pyro.cli.report import report
from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.cli.run import run
from vipaint_pyro.cli.threads import wait_briefly
from vipaint_pyro.priors.pretrained.automatic import own_way

__all__ = ["main"]

# Those of vipaint_pyro.measurements.tasks.TASKS, which would import torch.
TASK_NAMES = ["super-resolution", "deblur", "motion-deblur", "colorization"]


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vipaint-pyro", prog_name="vipaint")
@click.pass_context
def main(context: click.Context) -> None:
    """Fill holes in pictures with draws from a variational posterior under a diffusion prior."""
    wait_briefly()
    before = signal.getsignal(signal.SIGTERM)
    # A handler that Python did not set, None, could not be put back.
    if before is not None and threading.current_thread() is threading.main_thread():
        # What has been begun is tidied up, as after Ctrl-C.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        context.call_on_close(lambda: signal.signal(signal.SIGTERM, before))


@main.command()
@click.argument("image", type=NamedPath())
@click.argument("mask", type=NamedPath(), required=False)
@click.option("--mask-from-alpha", is_flag=True, help=FROM_ALPHA)
@region_options
@all_options(prior=WHEN)
def inpaint(
    image: Path, mask: Path | None, mask_from_alpha: bool, region: Any, resize: Any, expand: Any, **options: Any
) -> None:
    """Fill the white part of MASK in IMAGE, or with --mask-from-alpha its transparent part.

    A picture of another size than the prior's takes --region (filled at its own size) or --resize; --expand fills
    around it. A photograph needs no --prior: it is filled by --region tiles.

    Writes the completions, a grid, the posterior mean and standard deviation, the levels of the
    guide, the terms of the bound, the fitted guide and run.json to the output folder; a method without a network
    writes its one completion.
    """
    with reporting():
        check_together(region, resize, expand)
        (picture, opaque, hole), facts, inputs = pictures_of(image, mask, mask_from_alpha, bool(expand))
        out = options["out"] or Path(f"vipaint-{image.stem}")
        if isinstance(region, tuple) and not expand:  # else it is of the larger canvas
            check_region(region, hole)
        if options["prior"] is None:
            options["prior"] = taken = automatic_prior(picture.size)
            facts["automatic_prior"] = True
            region = region or (None if resize or expand else "tiles")
            click.echo(taken_line(taken, options["method"], region), err=True)
        elif not (region or resize or expand):
            region = own_way(options["prior"], picture.size)
        ready(out, options, inputs)
        if region == "tiles" and (text := no_patches(options["prior"], options["method"])):
            click.echo(f"Warning: {text}", err=True)
        if region or resize or expand:
            from vipaint_pyro.cli.regions import run_in_regions, run_resized
            from vipaint_pyro.regions import keepable

            (picture, converted), (opaque, _) = keepable(picture), keepable(opaque)
            if converted:
                facts["converted"] = converted
                click.echo(f"the picture is converted: {converted}")
            if expand:
                from vipaint_pyro.regions import expanded

                facts |= {"expanded": list(expand)}
                (picture, _), (opaque, hole) = expanded(picture, hole, expand), expanded(opaque, hole, expand)
            if resize:
                run_resized((opaque, hole), resize, out, options, facts, inputs=inputs)
            else:
                run_in_regions((picture, opaque, hole), region or "auto", out, options, facts, inputs=inputs)
        else:
            run((opaque, hole), out, options, facts, inputs=inputs)


@main.command()
@click.argument("image", type=NamedPath())
@click.option("--task", "name", required=True, type=click.Choice(TASK_NAMES), help="How the image was measured.")
@click.option("--scale", type=int, help="super-resolution: how many times smaller the image is. Default: 4.")
@click.option(
    "--reduction",
    type=click.Choice(["bicubic", "average"]),
    help="super-resolution: how it was made smaller. Default: bicubic.",
)
@click.option(
    "--kernel-size",
    type=int,
    help="deblur, motion-deblur: side of the kernel, odd. Default: 61; the length of the motion.",
)
@click.option("--std", type=float, help="deblur: of the Gaussian, in pixels. Default: 3.")
@click.option(
    "--length", type=float, help="motion-deblur: of the motion, in pixels. Default: an eighth of the shorter side."
)
@click.option("--angle", type=float, help="motion-deblur: of the motion, in degrees. Default: 45.")
@click.option(
    "--sigma",
    type=float,
    help="Noise in IMAGE, of which the method is told, in units of [-1, 1]; --simulate adds as much. "
    "Default: 0.05 with --simulate, otherwise not known.",
)
@click.option(
    "--simulate", is_flag=True, help="IMAGE is the truth: measure it first, and show it beside what is restored."
)
@options_but("check_kind")
def restore(image: Path, name: str, sigma: float | None, simulate: bool, **options: Any) -> None:
    """Restore IMAGE: enlarge it, deblur it or give it colours, as TASK says.

    IMAGE is what was measured: a small picture for super-resolution, a blurred one for deblurring, a grey one for
    colorization. It is of the size that the prior gives, made smaller as the task says.

    Writes the restorations, a grid, their mean and standard deviation, the levels of the guide, the terms of the bound
    and run.json to the output folder, as inpaint does; but no guide that vipaint draw could take.
    """
    with reporting():
        from vipaint_pyro.opening import check_depth, check_opaque, read_image

        picture, out = read_image(image), options["out"] or Path(f"vipaint-{image.stem}")
        check_depth(picture)
        check_opaque(picture)
        ready(out, options, {"image": image})
        from vipaint_pyro.measurements.tasks import TASKS

        if options["method"] in ("bicubic", "average"):
            raise ValueError(f"--method says how to draw: {options['method']} is a --reduction")
        given = {k: options.pop(k) for k in ("scale", "reduction", "kernel_size", "std", "length", "angle")}
        given["method"] = given.pop("reduction")  # the operator's own word
        asked = {k: v for k, v in given.items() if v is not None}
        task = {"name": name, "sigma": sigma, "options": asked}
        spelled = {k: f"--{k.replace('_', '-')}" for k in given} | {"method": "--reduction"}
        own = [spelled[k] for k in TASKS[name].options]
        for k in asked.keys() - TASKS[name].options.keys():
            raise ValueError(f"--task {name} has no {spelled[k]}: it has {', '.join(own) or 'no options'}")
        facts = {"image": str(image), "task": task, "simulated": simulate}
        options["check_kind"] = False  # no picture is seen here, but what was measured of one
        run((picture,), out, options, facts, inputs={"image": image}, truth=simulate, task=task)


@main.command()
@options_but("prior", "variant", "revision", "label", "prompt", "negative_prompt", "out")
@click.option("--out", type=NamedPath(), default="vipaint-demo", show_default=True)
def demo(out: Path, **options: Any) -> None:
    """Fill a hole in a picture of the built-in prior's kind, and show the truth beside it."""
    with reporting():
        import json
        from importlib.resources import files

        from vipaint_pyro.opening import read_image

        folder = Path(str(files("vipaint_pyro") / "assets" / "demo"))
        about = json.loads((folder / "demo.json").read_text())
        options |= {"prior": about["prior"], "label": about["label"]}
        options |= dict.fromkeys(("variant", "revision", "prompt", "negative_prompt"))
        ready(out, options, {})
        pictures = read_image(folder / "image.png"), read_image(folder / "mask.png")
        run(pictures, out, options, {"image": about["image"]}, inputs={}, truth=True)


@main.command()
@click.argument("checkpoint", type=NamedPath())
@click.argument("out", type=NamedPath())
@click.option(
    "--kind",
    required=True,
    type=click.Choice(["churches-kl-f8", "imagenet-vq-f4", "edm-imagenet64"]),
    help="Which model it is.",
)
def convert(checkpoint: Path, out: Path, kind: str) -> None:
    """Turn an original CHECKPOINT of CompVis or OpenAI into the diffusers folder OUT.

    Weights are read without running code that the file may hold; see docs/converting-checkpoints.md.
    """
    with reporting():
        loading_libraries()
        from vipaint_pyro.convert import convert_adm, convert_ldm

        (convert_adm if kind == "edm-imagenet64" else convert_ldm)(checkpoint, out, kind)
        click.echo(f"wrote {out}: give it as --prior")


for listing in (priors, methods, guides):
    main.add_command(listing)
main.add_command(fit)
main.add_command(draw)
main.add_command(evaluate)
main.add_command(exact)
main.add_command(ablate)
main.add_command(report)
main.add_command(figure)
main.add_command(app)
main.add_command(completion)
