"""``vipaint draw``: samples from a guide that was fitted before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vipaint_pyro.cli.fit import CHECKPOINT
from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.options import AFTER, SETTINGS, options_after
from vipaint_pyro.cli.output import NamedPath, NameOrPath, check_output
from vipaint_pyro.cli.reporting import one_line_warnings, reporting

if TYPE_CHECKING:
    from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

__all__ = ["draw"]


@click.command()
@click.argument("folder", type=NamedPath(), metavar="DIR")
@click.option("--samples", default=8, show_default=True, type=click.IntRange(1), help="Completions to draw.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Where the chance of the draws comes from. Default: they go on where the fit's random numbers ended, as those "
    "of vipaint inpaint do.",
)
@click.option("--out", type=NamedPath(), help="Output folder. Default: DIR's name and -draws.")
@click.option(
    "--prior", type=NameOrPath(),
    help="Where the prior lies by now; its weights are those of the fit. Default: where it lay.",
)  # fmt: skip
@click.option("--variant", help="Of that prior's weights. Default: as it was.")
@click.option("--revision", help="Of that prior, where it is a hub id. Default: as it was, of a hub id.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
@options_after
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in the output folder.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def draw(folder: Path, out: Path | None, **options: Any) -> None:
    """Draw from the guide in DIR, which vipaint fit or vipaint inpaint has fitted, without a new fit.

    What the fit has settled stays: the picture, the label and the prompts, --guidance, --levels, --effort, and all
    settings of vipaint fit that are no options here. Those of the refinement and the correction are the fit's unless
    they are given; another --refine or --correct begins with its own defaults, which vipaint fit --help names.

    Writes the same folder as inpaint, but for the bound, which is in DIR.
    """
    with reporting():
        _check_guide(folder)
        loading_libraries(options["quiet"])
        _draw(folder, out or Path(f"{folder.resolve().name}-draws"), options)


def _check_guide(folder: Path) -> None:
    """Raise ValueError for a folder of a run that left no guide of the whole picture."""
    if (folder / "guide.json").exists():
        return
    if (folder / CHECKPOINT).exists():
        raise ValueError(f"{folder} holds a fit that was ended: vipaint fit --resume goes on with it")
    if parts := sorted(folder.glob("region-*")):
        raise ValueError(
            f"{folder} was filled square by square, and has no guide of the whole: for more completions fill it "
            f"again by another seed; from {parts[0]} more of one square is drawn, of the prior's size"
        )


def _draw(folder: Path, out: Path, options: dict) -> None:
    from dataclasses import asdict, replace

    import torch

    from vipaint_pyro.cli.kept import asked_of, writer
    from vipaint_pyro.cli.results import Run, write_run
    from vipaint_pyro.cli.run import class_name, pipeline_of
    from vipaint_pyro.cli.writing import count_of, finish
    from vipaint_pyro.faults import Fault, Stopped
    from vipaint_pyro.samplers.vipaint.saved import guide_facts, load_guide

    facts = _facts(folder, guide_facts(folder)["facts"])
    facts["prior"] = options["prior"] or facts["prior"]
    facts["variant"] = options["variant"] or facts["variant"]
    # A copy on this machine has no revisions.
    kept = None if options["prior"] and Path(options["prior"]).is_dir() else facts["revision"]
    facts["revision"] = options["revision"] or kept
    replaceable = check_output(out, options["overwrite"], {"guide": folder, "prior": Path(facts["prior"])})
    pipe = pipeline_of({**facts, **{name: options[name] for name in ("device", "quiet")}})
    given = {"class_labels": facts["label"], "prompt": facts["prompt"], "negative_prompt": facts["negative_prompt"]}
    if asked_of(facts, pipe).get("encoders") != facts.get("encoders"):
        raise ValueError(f"the guide in {folder} was fitted under a prompt of other text encoders than this prior's")
    prior = pipe.conditioned(1, **given, guidance_scale=facts["guidance_scale"])
    with one_line_warnings():
        saved = load_guide(folder, prior)
    asked = _changed(saved.sampler, {name: options[name] for name in AFTER if options[name] is not None})
    saved = replace(saved, sampler=asked.from_guide(saved.guide).settle(prior, saved.measurement).sampler)
    saved.sampler.check_samples(options["samples"])
    if saved.image is None:
        raise ValueError(f"the guide in {folder} was kept without its picture: draw from it in Python, by load_guide")
    observed, generator, ended = saved.measurement.operator.observed.cpu()[:, :1], torch.Generator(), None
    if options["seed"] is not None:
        generator.manual_seed(options["seed"])
    elif saved.streams:
        generator.set_state(saved.streams[0])
    else:
        raise ValueError(f"the guide in {folder} was kept without its random numbers: give a --seed")
    with one_line_warnings():
        try:
            output = pipe(
                saved.image,
                (~observed).float(),
                **given,
                guidance_scale=facts["guidance_scale"],
                num_samples=options["samples"],
                generator=generator,
                output_type="pt",
                guide=saved.guide,
                **asdict(saved.sampler),
            )
        except (Fault, Stopped) as error:
            if error.output is None:
                raise
            ended, output = error, error.output
    said = {**facts, "guide": str(folder), "method": "vipaint", "seed": options["seed"], "fit_seed": facts["seed"]}
    said["label_name"] = class_name(facts["label"], pipe.prior)
    found = Run(saved.image[0], observed[0], None, output, saved.sampler, said, keep=writer(saved))
    finish(out, replaceable, lambda place, old: write_run(place, old, found), ended, count_of(found, options))


def _changed(sampler: VIPaintSampler, given: dict[str, Any]) -> VIPaintSampler:
    """A kept guide's settings with others of the refinement; of another kind of steps with the defaults of those."""
    from dataclasses import replace

    if any(given.get(name, vars(sampler)[name]) != vars(sampler)[name] for name in ("refine", "correct")):
        kept = ("refine", "correct", "refinement_steps", "chunk")
        given = {**{name: SETTINGS[name].default for name in AFTER if name not in kept}, **given}
    return replace(sampler, **given)


def _facts(folder: Path, facts: dict) -> dict:
    """Those of a guide that a command has fitted.

    Raises:
        ValueError: where some are missing, as of a guide that Python has saved.
    """
    from vipaint_pyro.cli.kept import ASKED

    missing = [name for name in ASKED if name not in facts]
    if missing:
        raise ValueError(f"the guide in {folder} was saved in Python, without its {missing[0]}: draw from it there, by "
                         "load_guide")  # fmt: skip
    return dict(facts)
