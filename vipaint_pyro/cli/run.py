"""One run of a fitting command: check everything, draw, write the folder."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from vipaint_pyro.cli.options import SAMPLER

__all__ = ["in_options", "reporting", "run"]


class reporting:
    """Turn the errors a user can mend into one line and exit status 1."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (ValueError, TypeError, OSError, FloatingPointError, ImportError)):
            context = click.get_current_context(silent=True)
            text = in_options(str(error), context.command.params if context else [])
            raise click.ClickException(text) from error


def in_options(text: str, parameters: list[click.Parameter]) -> str:
    """An error with the command's options in place of Python's names for them: ``fit_steps`` is ``--fit-steps``.

    Names that are words besides (``zeta``, ``scale``) are changed only at the beginning and where a value is assigned
    to them, and parts of file names never.
    """
    for parameter in parameters:
        if isinstance(parameter, click.Option):
            name, option = re.escape(parameter.name), parameter.opts[0]
            text = re.sub(rf"\b(?<!-){name}='([^']*)'", rf"{option} \1", text)
            text = re.sub(rf"^{name}(?=,| is )", option, text)
            if "_" in parameter.name:
                text = re.sub(rf"(?<![\w/.-]){name}(?![\w/-]|\.\w)", option, text)
    return text


def run(image, mask, out: Path, options: dict, facts: dict, truth: bool = False, task: dict | None = None) -> None:
    """Fill the mask of an image, or restore what a task measured.

    Args:
        image: a PIL image: what was photographed, or with a task what was measured of it.
        mask: a PIL image, white = to be filled; None with a task.
        out: the folder.
        options: of the command.
        facts: what run.json should say beside them.
        truth: whether the image's hidden pixels are the true ones; with a task, whether the image is the
            truth, to be measured first.
        task: ``name``, ``sigma`` and ``options`` of a task.
    """
    from vipaint_pyro.files import check_folder

    check_folder(out, options["overwrite"])
    import torch

    from vipaint_pyro.cli.results import Run, write_run
    from vipaint_pyro.images import from_model, to_model, to_observed, to_unit
    from vipaint_pyro.measurements.inpainting import Inpainting

    pipe = _pipeline(options)
    shape, device = pipe.prior.image_shape, pipe.prior.device
    seeded = torch.Generator().manual_seed(options["seed"])
    measured = observed = unit = None
    if task is None:
        unit = to_unit(image, shape)
        observed = to_observed(mask, 1, shape[1:])
        operator = Inpainting(observed.to(device))
    else:
        from vipaint_pyro.measurements.tasks import TASKS, check_sigma, make_operator, measure

        weighed = options["correct"] == "smc"
        if task["sigma"] is not None and not (truth or weighed):
            raise ValueError("--sigma is the noise that --simulate adds, and that --correct smc weighs by: leave it out")
        if truth or weighed:
            task["sigma"] = check_sigma(TASKS[task["name"]].sigma if task["sigma"] is None else task["sigma"])
        operator = make_operator(task["name"], shape, device=device, **task["options"])
        # What was not given, as the operator has settled it, for run.json.
        task["options"] = {k: getattr(operator, k) for k in TASKS[task["name"]].options}
        if truth:
            unit = to_unit(image, shape)
            y = measure(operator, to_model(unit).to(device), task["sigma"], seeded)
            measured = from_model(y.cpu())
        else:
            texts = f"what {task['name']} restores here is", "if it is a true picture, --simulate measures it first"
            measured = to_unit(image, tuple(operator.observed.shape[1:]), *texts)
        if weighed and options["measurement_scale"] is None:
            options["measurement_scale"] = task["sigma"]
    number = _label(options["label"], pipe.prior)
    sampler = _sampler(pipe.prior, options)
    sampler.model(pipe.prior, operator)  # checks the settings before a prompt is encoded
    given = {"class_labels": number, "prompt": options["prompt"], "negative_prompt": options["negative_prompt"]}
    conditioned = pipe.conditioned(1, **given, guidance_scale=options["guidance_scale"])
    if number is not None:
        number = given["class_labels"] = int(conditioned.class_labels[0])
    if observed is not None:
        shades = sum(mask.convert("L").histogram()[1:255])
        note = "; the mask has shades of grey, and is cut at one half" if shades else ""
        click.echo(f"{100 * float((~observed).float().mean()):.1f} % of the pixels will be filled{note}")
    with _one_line_warnings():
        output = pipe(
            unit if task is None else measured,
            mask,
            operator=None if task is None else operator,
            **given,
            guidance_scale=options["guidance_scale"],
            num_samples=options["samples"],
            generator=seeded,
            output_type="pt",
            **{f: getattr(sampler, f) for f in ("timesteps", *SAMPLER)},
        )
    facts = {
        **facts,
        "prior": options["prior"],
        "label": number,
        "prompt": options["prompt"],
        "negative_prompt": options["negative_prompt"],
        "guidance_scale": options["guidance_scale"],
        "dtype": options["dtype"],
        "seed": options["seed"],
    }
    if truth:
        facts["to_the_truth"] = _metrics(output, unit, composite=task is None)
    first = (None if v is None else v[0] for v in (unit, observed, measured))
    write_run(out, Run(*first, output, sampler.resolved(pipe.prior, operator), facts, truth))
    click.echo(f"wrote {out}{'/' if not str(out).endswith('/') else ''}: look at grid.png first")


def _pipeline(options: dict):
    """The prior's pipeline on its device."""
    import diffusers
    import torch

    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

    diffusers.utils.logging.disable_progress_bar()
    pipe = VIPaintPipeline.from_pretrained(options["prior"])
    try:
        if options["device"].startswith("meta"):
            raise RuntimeError("it computes nothing")
        pipe.to(torch.device(options["device"]))
        if options["dtype"] != "float32":
            with _without_warnings():  # diffusers warns that an empty list of modules should stay in float32
                pipe.to(getattr(torch, options["dtype"]))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {options['device']!r} cannot be used: {str(error).splitlines()[0]}") from error
    pipe.set_progress_bar_config(disable=options["quiet"])
    return pipe


@contextmanager
def _one_line_warnings():
    """Warnings without the place in the code that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: click.echo(f"Warning: {message}", err=True)
        yield


@contextmanager
def _without_warnings():
    """Nothing from diffusers but errors."""
    from diffusers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _label(text: str | None, prior) -> int | str | None:
    """The label as the prior takes it; the null class is asked for by leaving --label out."""
    label = int(text) if text is not None and text.isdecimal() else text
    if label is not None and label == prior.null_class:
        raise ValueError(f"class {label} stands for no label: leave --label out")
    return label


def _sampler(prior, options: dict):
    from vipaint_pyro.guides.registry import recipe
    from vipaint_pyro.samplers import VIPaintSampler, timesteps_for

    chosen = {k: options[k] for k in SAMPLER if options[k] is not None}
    if options["timesteps"] and options["levels"]:
        raise ValueError("--timesteps say how many levels there are: leave --levels out")
    kind = recipe(options["guide_name"] or "hierarchical")
    if kind.form == "clean" and options["levels"]:
        raise ValueError(f"the guide {kind.name!r} has no levels: leave --levels out")
    times = options["timesteps"]
    if times is None and kind.form != "clean":
        times = timesteps_for(prior, int(options["levels"] or kind.levels or 4))
    return replace(VIPaintSampler(timesteps=times), **chosen)


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
