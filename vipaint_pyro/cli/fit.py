"""``vipaint fit``: fit a guide once, and keep it; gone on from where it was ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.options import options_but
from vipaint_pyro.cli.output import NamedPath, check_output
from vipaint_pyro.cli.pictures import FROM_ALPHA, pictures_of
from vipaint_pyro.cli.ready import check_guide, check_words
from vipaint_pyro.cli.reporting import one_line_warnings, reporting
from vipaint_pyro.priors.pretrained.folder import check_name
from vipaint_pyro.settings import MOST

if TYPE_CHECKING:
    from torch import Tensor

    from vipaint_pyro.inference.fit import FitResult
    from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

__all__ = ["CHECKPOINT", "fit"]

#: What is kept of a fit on its way.
CHECKPOINT = "checkpoint.safetensors"


@click.command()
@click.argument("image", type=NamedPath())
@click.argument("mask", type=NamedPath(), required=False)
@click.option("--mask-from-alpha", is_flag=True, help=FROM_ALPHA)
@click.option("--out", type=NamedPath(), required=True, help="The folder that the guide is kept in.")
@click.option("--resume", is_flag=True, help="Go on with the fit in --out that was ended; all else as it was given.")
@click.option(
    "--checkpoint-every", default=5, show_default=True, type=click.IntRange(1, MOST),
    help="Steps of the fit from one checkpoint to the next.",
)  # fmt: skip
@options_but("samples", "method", "out")
def fit(image: Path, mask: Path | None, mask_from_alpha: bool, **options: Any) -> None:
    """Fit a guide to what MASK leaves of IMAGE, white being the hole, and keep it in a folder; draw nothing.

    vipaint draw OUT draws from it at any time. The fit itself is kept every few steps: one that was ended, by Ctrl-C,
    a signal or a power cut, goes on with --resume to what an unbroken one would have come to. Settings of the
    refinement are kept for the draws.
    """
    with reporting():
        (_, *pictures), facts, inputs = pictures_of(image, mask, mask_from_alpha)
        _fit(tuple(pictures), facts, inputs, {**options, "method": "vipaint"})


def _fit(pictures: tuple, facts: dict, inputs: Mapping[str, Path], options: dict) -> None:
    out = options["out"]
    replaceable = _checked(out, options, {**inputs, "prior": Path(options["prior"])})
    check_name(options["prior"])
    check_words(options)
    check_guide(options)
    loading_libraries(options["quiet"])
    from vipaint_pyro.cli.methods import sampler_of, settings_of

    settings = settings_of(options)
    from dataclasses import asdict

    import torch

    from vipaint_pyro.cli.expected import Expected
    from vipaint_pyro.cli.kept import asked_of, writer
    from vipaint_pyro.cli.kinds import said_of_kind
    from vipaint_pyro.cli.run import class_name, label_of, pipeline_of
    from vipaint_pyro.cli.seen import hidden_line
    from vipaint_pyro.evaluation.versions import versions
    from vipaint_pyro.files import sweep, write_text
    from vipaint_pyro.files.reading_back import digest_of
    from vipaint_pyro.inference.checkpoint import Checkpoints
    from vipaint_pyro.kind.check import looked_at
    from vipaint_pyro.measurements.taken import masked
    from vipaint_pyro.pipelines.progress import Bars
    from vipaint_pyro.priors.fingerprints import fingerprint
    from vipaint_pyro.randomness import isolated
    from vipaint_pyro.samplers.vipaint.fitting import fit_guide
    from vipaint_pyro.samplers.vipaint.saved import SavedGuide
    from vipaint_pyro.samplers.vipaint.saved import settings_of as as_json

    pipe = pipeline_of(options)
    measurement, unit, observed = masked(pictures[0], pictures[1], pipe.prior)
    sampler, _ = sampler_of(pipe.prior, options, settings)
    settled = cast("VIPaintSampler", sampler.settle(pipe.prior, measurement))
    number = label_of(options["label"], pipe.prior)
    conditioned = pipe.conditioned(
        1, number, options["prompt"], options["negative_prompt"], guidance_scale=options["guidance_scale"]
    )
    if number is not None:
        number = int(conditioned.class_labels[0])
    facts |= asked_of({**options, "label": number}, pipe)
    seen = {"image": digest_of({"": unit})[:16], "mask": digest_of({"": observed})[:16]}
    asked = {**facts, **seen, "device": str(pipe.prior.device), "weights": fingerprint(pipe.prior), **as_json(settled)}
    made_with = {**versions(), "threads": str(torch.get_num_threads())}
    keeping = Checkpoints(out / CHECKPOINT, asked, options["checkpoint_every"])
    if options["resume"]:
        _check_same(out, asked, made_with)
        sweep(out.resolve().parent)  # of one that was killed as it began
    else:
        _begin(out, replaceable, {"asked": asked, "versions": made_with}, unit, observed)
    click.echo(hidden_line(pictures[1], observed))
    if not (options["quiet"] or options["resume"]):
        Expected(settled, pipe.prior, 0).say()
    seeded = torch.Generator().manual_seed(options["seed"])
    kind = None
    if options["check_kind"]:
        with one_line_warnings():
            kind = looked_at(conditioned, measurement, pipe.kind)
    try:
        with one_line_warnings(), isolated(options["seed"]), Bars(pipe, {"fit": settled.fit_steps}) as show:
            guide, record = fit_guide(settled, conditioned, measurement, seeded, show, keeping)
    except (KeyboardInterrupt, SystemExit) as ended:
        kept = f"{_steps(out)} of {settled.fit_steps} steps are kept in {out}: the same command with --resume goes on"
        if isinstance(ended, KeyboardInterrupt):
            raise KeyboardInterrupt(kept) from ended
        click.echo(f"ended: {kept}", err=True)
        raise
    made = {"steps": record.steps[0], "ended": record.ended[0]}
    of_kind = said_of_kind(kind, record, settled, pipe.kind, measurement)
    said = {"asked": asked, "fit": made, "kind": of_kind, "versions": made_with}
    if of_kind["bound"]["usual"]:
        click.echo(of_kind["bound"]["text"])
    named = {**facts, "label_name": class_name(number, pipe.prior)}
    _show(out, {**named, "fit": made, "hidden_fraction": float((~observed).float().mean()), "kind": of_kind,
                "settings": asdict(settled), "versions": made_with}, record, settled)  # fmt: skip
    write_text(out / "run.json", json.dumps(said, indent=2, allow_nan=False) + "\n")
    facts = {**facts, "versions": made_with}
    writer(SavedGuide(guide, settled, measurement, unit, record.streams, facts))(out)
    (out / CHECKPOINT).unlink(missing_ok=True)
    click.echo(f"wrote {out}: vipaint draw {out} draws from it; open {out / 'report.html'} to see how it went")


def _show(out: Path, facts: dict, record: FitResult, sampler: VIPaintSampler) -> None:
    """The bound, and a page, beside what was observed."""
    from vipaint_pyro.cli.results import timesteps_of
    from vipaint_pyro.cli.run_page import PAGE, run_page
    from vipaint_pyro.cli.shown import shown_bound
    from vipaint_pyro.files import write_picture, write_text

    shown = shown_bound(record.terms, timesteps_of(sampler))
    for name, one in shown.items():
        write_picture(out / f"{name}.png", one.figure)
    write_text(out / PAGE, run_page(out, out, facts, shown=shown, drawn_from=True))


def _checked(out: Path, options: dict, inputs: Mapping[str, Path]) -> Any:
    """Look whether the fit can be begun in a folder, or gone on with; whether what is there may be replaced."""
    if options["resume"] and options["overwrite"]:
        raise ValueError("--resume goes on with a fit, and --overwrite begins anew: give one")
    begun = _begun(out) is not None
    finished = begun and (out / "guide.json").exists()
    if options["resume"]:
        if not begun:
            raise ValueError(f"{out} holds no fit that was begun: leave --resume out")
        if finished:
            raise ValueError(f"the fit in {out} is finished: vipaint draw {out} draws from it")
        return None
    if begun and not finished and not options["overwrite"]:
        raise ValueError(f"{out} holds a fit that was ended: go on with --resume, or begin anew with --overwrite")
    return check_output(out, options["overwrite"], inputs)


def _begun(out: Path) -> Any:
    """What run.json says, where it is that of a fit."""
    try:
        said = json.loads((out / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(said, dict) and isinstance(said.get("asked"), dict) and isinstance(said.get("versions"), dict)
    return said if whole else None


def _begin(out: Path, replaceable: Any, said: dict, unit: Tensor, observed: Tensor) -> None:
    """The folder as it is before the first step."""
    from vipaint_pyro.files import replacing
    from vipaint_pyro.plots import observed_picture

    with replacing(out, replaceable) as place:
        observed_picture(unit[0], observed[0]).save(place / "observed.png")
        (place / "run.json").write_text(json.dumps(said, indent=2, allow_nan=False) + "\n")


def _check_same(out: Path, asked: dict, made_with: dict[str, str]) -> None:
    """Refuse to go on with other settings; warn of other versions."""
    from vipaint_pyro.inference.checkpoint import changes

    begun = _begun(out)
    other = changes(begun["asked"], asked)
    if other:
        raise ValueError(f"the fit in {out} was begun with other settings ({'; '.join(other)}): give those, or begin "
                         "anew with --overwrite")  # fmt: skip
    for difference in changes(begun["versions"], made_with):
        click.echo(f"Warning: the fit was begun with another version: {difference}", err=True)


def _steps(out: Path) -> int:
    from vipaint_pyro.inference.checkpoint import read

    return read(out / CHECKPOINT)[1]["step"] if (out / CHECKPOINT).exists() else 0
