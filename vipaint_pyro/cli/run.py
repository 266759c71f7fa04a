"""One run of a fitting command: check everything, draw, write the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from vipaint_pyro.cli.devices import chosen_device
from vipaint_pyro.cli.loading import loading_prior
from vipaint_pyro.cli.options import as_options
from vipaint_pyro.cli.output import check_output
from vipaint_pyro.cli.reporting import one_line_warnings, only_errors
from vipaint_pyro.samplers.vipaint.effort import EFFORTS

__all__ = ["hidden", "label_of", "pipeline_of", "run"]


@dataclass
class _Seen:
    """What is given to the pipeline, and what a report shows of it.

    Attributes:
        measurement: for checks.
        image, mask, operator: of the pipeline's call.
        unit, observed, measured: of :class:`vipaint_pyro.cli.results.Run`, with a leading axis of one image.
    """

    measurement: object
    image: object
    mask: object = None
    operator: object = None
    unit: object = None
    observed: object = None
    measured: object = None


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
    from vipaint_pyro.cli.methods import sampler_of, settings_of

    replaceable = check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    settings = settings_of(options)
    import torch

    from vipaint_pyro.cli.kept import keeper
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.cli.writing import write_all
    from vipaint_pyro.faults import Fault, Stopped, located

    pipe = pipeline_of(options)
    seeded = torch.Generator().manual_seed(options["seed"])
    if task is None:
        seen = _masked(*images, pipe.prior)
    else:
        seen = _restored(*images, pipe.prior, settings, truth, task, seeded)
    number = label_of(options["label"], pipe.prior)
    sampler, settings = sampler_of(pipe.prior, options, settings)
    settled = sampler.settle(pipe.prior, seen.measurement)  # before a prompt is encoded
    settled.check_samples(options["samples"])
    given = {"class_labels": number, "prompt": options["prompt"], "negative_prompt": options["negative_prompt"]}
    conditioned = pipe.conditioned(1, **given, guidance_scale=options["guidance_scale"])
    if number is not None:
        number = given["class_labels"] = int(conditioned.class_labels[0])
    if task is None:
        click.echo(hidden(seen.mask, seen.observed))
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
    keep = keeper(output, settled, seen.measurement, seen.unit, facts, pipe)
    write_all(out, replaceable, Run(*first, output, settled, facts, truth, keep), options["samples"], ended)


def _masked(image, mask, prior) -> _Seen:
    from vipaint_pyro.measurements.taken import masked

    measurement, unit, observed = masked(image, mask, prior)
    return _Seen(measurement, unit, mask, unit=unit, observed=observed)


def _restored(image, prior, settings: dict, truth: bool, task: dict, seeded) -> _Seen:
    from vipaint_pyro.images import from_model, to_model, to_unit
    from vipaint_pyro.measurements.taken import measured
    from vipaint_pyro.measurements.tasks import TASKS, check_sigma, make_operator, measure

    weighed = settings.get("correct") == "smc"
    if task["sigma"] is not None and not (truth or weighed):
        raise ValueError("--sigma is the noise that --simulate adds, and that --correct smc weighs by: leave it out")
    if truth or weighed:
        task["sigma"] = check_sigma(TASKS[task["name"]].sigma if task["sigma"] is None else task["sigma"])
    if weighed:
        settings.setdefault("measurement_scale", task["sigma"])
    operator, unit = make_operator(task["name"], prior.image_shape, device=prior.device, **task["options"]), None
    # What was not given, as the operator has settled it, for run.json.
    task["options"] = {k: vars(operator)[k] for k in TASKS[task["name"]].options}
    if truth:
        unit = to_unit(image, prior.image_shape)
        y = measure(operator, to_model(unit).to(prior.device), task["sigma"], seeded)
        picture = from_model(y.cpu())
    else:
        texts = f"what {task['name']} restores here is", "if it is a true picture, --simulate measures it first"
        picture = to_unit(image, tuple(operator.observed.shape[1:]), *texts)
    return _Seen(measured(picture, operator, prior), picture, None, operator, unit=unit, measured=picture)


def hidden(mask, observed) -> str:
    """How much will be filled, in a line."""
    shades = sum(mask.convert("L").histogram()[1:255])
    note = "; the mask has shades of grey, and is cut at one half" if shades else ""
    return f"{100 * float((~observed).float().mean()):.1f} % of the pixels will be filled{note}"


def pipeline_of(options: dict):
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


def label_of(text: str | None, prior) -> int | str | None:
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
