"""One run of a fitting command: check everything, draw, write the folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipaint_pyro.cli.options import as_options
from vipaint_pyro.cli.output import check_output, other_names
from vipaint_pyro.cli.reporting import one_line_warnings, only_errors
from vipaint_pyro.cli.seen import hidden_line, masked_seen, restored_seen
from vipaint_pyro.samplers.vipaint.effort import EFFORTS

if TYPE_CHECKING:
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.faults import Fault, Stopped

__all__ = ["check_device", "draw", "finish", "generator_of", "pipeline_of", "run"]


def run(
    images: tuple,
    out: Path,
    options: dict,
    facts: dict,
    *,
    inputs: Mapping[str, Path],
    truth: bool = False,
    task: dict | None = None,
) -> None:
    """Fill the mask of an image, or restore what a task measured.

    Args:
        images: PIL images: what was photographed and the mask, white = to be filled; with a task, what was measured.
        out: the folder.
        options: of the command.
        facts: what run.json should say beside them.
        inputs: the files of the images, by what they are called.
        truth: whether the image's hidden pixels are the true ones; with a task, whether the image is the
            truth, to be measured first.
        task: ``name``, ``sigma`` and ``options`` of a task.
    """
    from vipaint_pyro.cli.methods import settings_of
    from vipaint_pyro.cli.results import write_run

    replaceable = check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    settings = settings_of(options)
    pipe = pipeline_of(options)
    seeded = generator_of(options)
    drawn, ended = draw(pipe, images, settings, options, facts, seeded=seeded, truth=truth, task=task)
    finish(out, replaceable, lambda *place: write_run(*place, drawn), ended, _kept(drawn, options))


def generator_of(options: dict):
    """What all randomness of a command comes from."""
    import torch

    return torch.Generator().manual_seed(options["seed"])


def draw(
    pipe, images: tuple, settings: dict, options: dict, facts: dict, *, seeded, truth: bool = False, task=None
) -> tuple[Run, Fault | Stopped | None]:
    """What a pipeline draws of an image, and what ended it early.

    Args:
        pipe: of :func:`pipeline_of`.
        images, options, facts, truth, task: as :func:`run` takes them.
        settings: the method's.
        seeded: of :func:`generator_of`.

    Raises:
        ValueError, TypeError: for what does not go together, before anything is computed.
        Fault, Stopped: where nothing came of it.
    """
    from vipaint_pyro.cli.methods import sampler_of
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.faults import Fault, Stopped, located

    if task is None:
        seen = masked_seen(*images, pipe.prior)
    else:
        seen = restored_seen(*images, pipe.prior, settings, truth, task, seeded)
    number = _label(options["label"], pipe.prior)
    sampler, settings = sampler_of(pipe.prior, options, settings)
    settled = sampler.settle(pipe.prior, seen.measurement)  # before a prompt is encoded
    settled.check_samples(options["samples"])
    given = {"class_labels": number, "prompt": options["prompt"], "negative_prompt": options["negative_prompt"]}
    conditioned = pipe.conditioned(1, **given, guidance_scale=options["guidance_scale"])
    if number is not None:
        number = given["class_labels"] = int(conditioned.class_labels[0])
    if task is None:
        click.echo(hidden_line(seen.mask, seen.observed))
    if options["effort"] is not None:
        click.echo(f"effort {options['effort']}: {as_options({k: settings[k] for k in EFFORTS[options['effort']]})}")
    ended = None
    with one_line_warnings():
        try:
            output = pipe(
                seen.image,
                seen.mask,
                operator=seen.operator,
                **given,
                guidance_scale=options["guidance_scale"],
                num_samples=options["samples"],
                generator=seeded,
                output_type="pt",
                method=options["method"],
                **settings,
            )
        except (Fault, Stopped) as error:
            if error.output is None:
                raise
            ended, output = error, error.output
    asked = ("prior", "variant", "revision", "prompt", "negative_prompt", "guidance_scale", "dtype", "seed", "method",
             "effort")  # fmt: skip
    facts = {**facts, "label": number, **{key: options[key] for key in asked}}
    if truth:
        try:
            with located("metrics", memory="the pictures are kept without them"):
                facts["to_the_truth"] = _metrics(output, seen.unit, composite=task is None)
        except Fault as error:
            ended, facts["to_the_truth"] = ended or error, None
        except KeyboardInterrupt:
            ended, facts["to_the_truth"] = Stopped(), None
    first = tuple(None if v is None else v[0] for v in (seen.unit, seen.observed, seen.measured))
    return Run(*first, output, settled, facts, truth), ended


def _kept(drawn: Run, options: dict) -> str:
    return f"{len(drawn.output.images)} of {options['samples']} samples"


def finish(out: Path, replaceable: Callable[[Path], bool], write: Callable, ended, kept: str) -> None:
    """Write what was drawn, and say where it is; raise what ended it early, with what was kept.

    Args:
        out: the folder.
        replaceable: of :func:`vipaint_pyro.cli.output.check_output`.
        write: called with a folder and what may be replaced there.
        ended: of :func:`draw`.
        kept: how much of it there is, for the error.
    """
    from safetensors import SafetensorError

    from vipaint_pyro.faults import Stopped

    try:
        out = _written(out, replaceable, write)
    except (OSError, SafetensorError) as error:
        raise OSError(f"the result could not be written to {out}: {error}") from error
    click.echo(f"wrote {out}{'/' if not str(out).endswith('/') else ''}: look at grid.png first")
    if ended is not None:
        if isinstance(ended, Stopped):
            raise Stopped(f"kept are {kept}, in {out}") from ended
        click.echo(f"Warning: kept are {kept}", err=True)
        raise ended


def _written(out: Path, replaceable: Callable[[Path], bool], write: Callable) -> Path:
    """The folder that a run was written to: another one where something was put there while it was computing."""
    try:
        write(out, replaceable)
        return out
    except FileExistsError:
        pass
    for other in other_names(out):
        try:
            write(other, False)
        except FileExistsError:  # a third run has just taken that name
            continue
        click.echo(f"Warning: {out} has other content by now, which stays. The result is kept in {other}", err=True)
        return other
    raise AssertionError("names do not end")


def pipeline_of(options: dict):
    """The prior's pipeline on its device."""
    import diffusers
    import torch

    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

    diffusers.utils.logging.disable_progress_bar()
    device = check_device(options["device"])
    named = {key: options[key] for key in ("variant", "revision") if options.get(key) is not None}
    pipe = VIPaintPipeline.from_pretrained(options["prior"], **named)
    pipe.to(device)
    if options["dtype"] != "float32":
        with only_errors():  # diffusers warns that an empty list of modules should stay in float32
            pipe.to(getattr(torch, options["dtype"]))
    pipe.set_progress_bar_config(disable=options["quiet"])
    return pipe


def check_device(name: str):
    """A device that computes; ValueError, with what there is, for any other, before a prior is loaded."""
    from textwrap import shorten

    import torch

    try:
        device = torch.device(name)
        if float(torch.ones((), device=device)) == 1:
            return device
        reason = "it computes nothing"
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = "it computes nothing" if name.startswith("meta") else str(error).splitlines()[0]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    here = "cpu" if accelerator is None else f"cpu and {accelerator.type}"
    cure = f"torch {torch.__version__} computes on {here} here; leave --device out for the cpu"
    if accelerator is None:
        cure += ", or install a driver and a torch that go together (https://pytorch.org/get-started/locally)"
    raise ValueError(f"device {name!r} cannot be used ({shorten(reason.split('. ')[0], 90)}): {cure}")


def _label(text: str | None, prior) -> int | str | None:
    """The label as the prior takes it; the null class is asked for by leaving --label out."""
    label = int(text) if text is not None and text.isdecimal() else text
    if label is not None and label == prior.null_class:
        raise ValueError(f"class {label} stands for no label: leave --label out")
    return label


def _metrics(output, unit, composite: bool) -> dict:
    from vipaint_pyro.evaluation.metrics import psnr
    from vipaint_pyro.images import to_model
    from vipaint_pyro.measurements.lpips import LPIPS

    lpips, target = LPIPS(), to_model(unit)
    result = {}
    kinds = {"composite": output.images, "raw": output.predictions} if composite else {"raw": output.predictions}
    for name, images in kinds.items():
        x = to_model(images)
        result[f"lpips_alex_{name}"] = [round(v, 4) for v in lpips(x, target).tolist()]
        result[f"psnr_db_{name}"] = [round(v, 2) for v in psnr(x, target).tolist()]
    return result
