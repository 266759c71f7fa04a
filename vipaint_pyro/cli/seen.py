"""What a fitting command gives to its pipeline, and what a report shows of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

    from vipaint_pyro.priors.diffusion import DiffusionPrior
    from vipaint_pyro.samplers.base import Sampler

__all__ = ["Seen", "hidden_line", "hears", "masked_seen", "restored_seen", "told"]


@dataclass
class Seen:
    """What is given to the pipeline, and what a report shows of it.

    Attributes:
        measurement: for checks.
        image, mask, operator, likelihood: of the pipeline's call.
        unit, observed, measured: of :class:`vipaint_pyro.cli.results.Run`, with a leading axis of one image.
    """

    measurement: Any
    image: Any
    mask: Any = None
    operator: Any = None
    likelihood: Any = None
    unit: Any = None
    observed: Any = None
    measured: Any = None


def masked_seen(image: Any, mask: Any, prior: DiffusionPrior) -> Seen:
    """What lies outside of a mask; ValueError for a picture of another size, with the options that take one."""
    import PIL.Image

    from vipaint_pyro.measurements.taken import masked

    _, height, width = prior.image_shape
    if isinstance(image, PIL.Image.Image) and image.size != (width, height):
        raise ValueError(
            f"the image is {image.width}x{image.height} with {counted(len(image.getbands()), 'channel')}, but the "
            f"prior takes {width}x{height}: --region auto (of a prior of patches: tiles) fills it at its own size, "
            "--resize fit or --resize crop brings it to that size"
        )
    measurement, unit, observed = masked(image, mask, prior)
    return Seen(measurement, unit, mask, unit=unit, observed=observed)


def restored_seen(image: Any, prior: DiffusionPrior, settings: dict, truth: bool, task: dict, seeded: Any) -> Seen:
    """What a task measured, or measures now, under the noise that is told of it; ValueError for what it cannot be."""
    from vipaint_pyro.images import from_model, to_model, to_unit
    from vipaint_pyro.measurements.taken import believed_noise, measured, under
    from vipaint_pyro.measurements.tasks import TASKS, check_sigma, make_operator, measure

    believed = settings.get("measurement_scale")
    if task["sigma"] is not None and believed is not None and not truth:
        raise ValueError("--sigma and --measurement-scale both say how much noise is in the image: give one")
    if task["sigma"] == 0 and not truth:
        raise ValueError("--sigma is the noise in the image, and 0 is none: leave it out")
    if truth:
        task["sigma"] = TASKS[task["name"]].sigma if task["sigma"] is None else task["sigma"]
    if task["sigma"] is not None:
        check_sigma(task["sigma"])
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
    measurement = measured(picture, operator, prior)
    likelihood = believed_noise(task["sigma"], believed)
    if likelihood is not None:
        measurement = under(likelihood, measurement)
    return Seen(measurement, picture, None, operator, likelihood, unit=unit, measured=picture)


def hears(sampler: Sampler) -> bool:
    """Whether a settled method makes anything of the noise in y; a DPS step does where it is bounded."""
    settings = asdict(cast(Any, sampler))
    if "measurement_scale" not in settings:
        return False
    if settings.get("refine", "dps") != "dps" or settings.get("correct") == "smc" or "limit" not in settings:
        return True
    return settings["limit"] or settings["fraction"] not in (None, math.inf)


def told(sampler: Sampler, likelihood: Any) -> Sampler:
    """The settings that run.json has: of noise that a measurement told, not what stands for noise that is unknown."""
    known = likelihood is not None and hears(sampler)
    return replace(cast(Any, sampler), measurement_scale=likelihood.scale) if known else sampler


def hidden_line(mask: Any, observed: Tensor, square: bool = False) -> str:
    """How much will be filled, in a line: of a picture's pixels, or of those of a square of it, at the prior's size."""
    shades = sum(mask.convert("L").histogram()[1:255])
    note = "; the mask has shades of grey, and is cut at one half" if shades else ""
    height, width = observed.shape[-2:]
    pixels = f"the square's {width}x{height} pixels" if square else "the pixels"
    return f"{100 * float((~observed).float().mean()):.1f} % of {pixels} will be filled{note}"
