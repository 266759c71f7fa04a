"""One run of a fitting command: check everything, draw, write the folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vipaint_pyro.cli.devices import chosen_device
from vipaint_pyro.cli.loading import loading_prior
from vipaint_pyro.cli.options import as_options
from vipaint_pyro.cli.output import check_output
from vipaint_pyro.cli.reporting import one_line_warnings, only_errors
from vipaint_pyro.cli.seen import hears, hidden_line, masked_seen, restored_seen, told
from vipaint_pyro.samplers.vipaint.effort import EFFORTS

if TYPE_CHECKING:
    from torch import Tensor

    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.faults import Fault, Stopped
    from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["class_name", "draw", "generator_of", "label_of", "pipeline_of", "run"]


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
    from vipaint_pyro.cli.writing import count_of, finish

    replaceable = check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    settings = settings_of(options)
    pipe = pipeline_of(options)
    seeded = generator_of(options)
    drawn, ended = draw(pipe, images, settings, options, facts, seeded=seeded, truth=truth, task=task)
    finish(out, replaceable, lambda place, old: write_run(place, old, drawn), ended, count_of(drawn, options))


def generator_of(options: dict) -> Any:
    """What all randomness of a command comes from."""
    import torch

    return torch.Generator().manual_seed(options["seed"])


def draw(
    pipe: Any, images: tuple, settings: dict, options: dict, facts: dict, *, seeded: Any, truth: bool = False,
    task: dict | None = None,
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
    import PIL.Image

    from vipaint_pyro.cli.expected import Expected
    from vipaint_pyro.cli.kept import keeper
    from vipaint_pyro.cli.kinds import said_of_kind
    from vipaint_pyro.cli.metadata import metadata_of
    from vipaint_pyro.cli.methods import sampler_of
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.cli.writing import said_of_end
    from vipaint_pyro.faults import Fault, Stopped, located

    if task is None:
        image, mask = images
        seen = masked_seen(image, mask, pipe.prior)
    else:
        (image,) = images
        seen = restored_seen(image, pipe.prior, settings, truth, task, seeded)
    number = label_of(options["label"], pipe.prior)
    sampler, settings = sampler_of(pipe.prior, options, settings)
    settled = sampler.settle(pipe.prior, seen.measurement)  # before a prompt is encoded
    settled.check_samples(options["samples"])
    if seen.likelihood is not None and not truth and not hears(settled):
        bound = ", or give it limit=True" if "limit" in vars(settled) else ""
        raise ValueError(
            f"the method {options['method']!r} makes nothing of the noise in y: leave --sigma out, or take mmps{bound}"
        )
    given = {"class_labels": number, "prompt": options["prompt"], "negative_prompt": options["negative_prompt"]}
    conditioned = pipe.conditioned(1, **given, guidance_scale=options["guidance_scale"])
    if number is not None:
        number = given["class_labels"] = int(conditioned.class_labels[0])
    if task is None:
        click.echo(hidden_line(seen.mask, seen.observed, square=bool(facts.keys() & {"region", "resized"})))
    if options["effort"] is not None:
        click.echo(f"effort {options['effort']}: {as_options({k: settings[k] for k in EFFORTS[options['effort']]})}")
    said = None
    if not (options["quiet"] or facts.get("sample")):  # of the samples with a fit each the first
        part = next((name for name in ("sample", "region") if name in facts), "")
        said = Expected(settled, pipe.prior, options["samples"], part)
        said.say()
    ended = None
    with one_line_warnings():
        try:
            output = pipe(
                seen.image,
                seen.mask,
                operator=seen.operator,
                likelihood=seen.likelihood,
                **given,
                guidance_scale=options["guidance_scale"],
                num_samples=options["samples"],
                generator=seeded,
                output_type="pt",
                method=options["method"],
                check_kind=options["check_kind"],
                fit_callback=None if said is None else said.after_step,
                **settings,
            )
        except (Fault, Stopped) as error:
            if error.output is None:
                raise
            ended, output = error, error.output
    asked = ("prior", "variant", "revision", "prompt", "negative_prompt", "guidance_scale", "dtype", "seed", "method",
             "effort")  # fmt: skip
    named = {"label": number, "label_name": class_name(number, pipe.prior)}
    facts = {**facts, **named, **{key: options[key] for key in asked}}
    if truth:
        try:
            with located("metrics", memory="the pictures are kept without them"):
                facts["to_the_truth"] = _metrics(output, seen.unit, composite=task is None)
        except Fault as error:
            ended, facts["to_the_truth"] = ended or error, None
        except KeyboardInterrupt:
            ended, facts["to_the_truth"] = Stopped(), None
    if ended is not None:
        facts["ended_early"] = said_of_end(ended, options["samples"])
    facts["kind"] = said_of_kind(output.kind, output.trace, settled, pipe.kind, seen.measurement)
    if facts["kind"].get("bound", {}).get("usual"):
        click.echo(facts["kind"]["bound"]["text"])
    unit, observed, sight = (None if v is None else v[0] for v in (seen.unit, seen.observed, seen.measured))
    keep = keeper(output, settled, seen.measurement, seen.unit, facts, pipe)
    metadata = metadata_of(images[0]) if isinstance(images[0], PIL.Image.Image) else {}
    sampler = told(settled, seen.likelihood)
    return Run(unit, observed, sight, output, sampler, facts, truth, keep, metadata), ended


def pipeline_of(options: dict) -> Any:
    """The prior's pipeline on its device."""
    import diffusers
    import torch

    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

    diffusers.utils.logging.disable_progress_bar()
    device = chosen_device(options["device"])
    loading_prior(options["prior"], options["quiet"])
    named = {key: options[key] for key in ("variant", "revision") if options.get(key) is not None}
    pipe = VIPaintPipeline.from_pretrained(options["prior"], **named)
    pipe.to(device)
    if options["dtype"] != "float32":
        with only_errors():  # diffusers warns that an empty list of modules should stay in float32
            pipe.to(getattr(torch, options["dtype"]))
    pipe.set_progress_bar_config(disable=options["quiet"])
    return pipe


def label_of(text: str | None, prior: DiffusionPrior) -> int | str | None:
    """The label as the prior takes it; the null class is asked for by leaving --label out."""
    label = int(text) if text is not None and text.isdecimal() else text
    if label is not None and label == prior.null_class:
        raise ValueError(f"class {label} stands for no label: leave --label out")
    return label


def class_name(number: int | None, prior: DiffusionPrior) -> str | None:
    """The name of a class, for who reads; None for no class, or one that has none."""
    return None if number is None or prior.class_names is None else prior.class_names[number]


def _metrics(output: Any, unit: Tensor, composite: bool) -> dict:
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
