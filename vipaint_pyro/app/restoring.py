"""Super-resolution, deblurring, colours: what was measured, or what is measured now of a picture that is the truth."""

from __future__ import annotations

import PIL.Image
import torch

from vipaint_pyro.app.pictures import Picture
from vipaint_pyro.app.pieces import Known
from vipaint_pyro.images import from_model, to_model, to_unit
from vipaint_pyro.measurements.tasks import TASKS, make_operator, measure
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["SIZES", "restored"]

#: What may be done with a picture of another size than is taken: how -> in words.
SIZES = {"crop": "Take the square in its middle", "stretch": "Stretch all of it to that size"}


def restored(
    picture: Picture, prior: DiffusionPrior, task: str, options: dict, truth: bool, how: str | None, seed: int
) -> tuple[Known, str, dict]:
    """What is known, in a sentence what was done with the picture, and facts for run.json.

    Args:
        picture: what was measured, or the truth.
        prior: that restores it.
        task: one of :data:`vipaint_pyro.measurements.tasks.TASKS`.
        options: of the task; those that it has not are left out, and those that are None are its own.
        truth: whether the picture is the truth, to be measured first.
        how: of :data:`SIZES`; None for no choice yet.
        seed: of the noise of a measurement made here.

    Raises:
        ValueError: for options that cannot be, or a picture of another size without a choice.
    """
    own = {name: value for name, value in options.items() if name in TASKS[task].options and value is not None}
    operator = make_operator(task, prior.image_shape, device=prior.device, **own)
    shape = tuple(prior.image_shape) if truth else tuple(operator.observed.shape[1:])
    image, said = _sized(picture, shape, how)
    said_of_task: dict[str, object] = {"name": task, "options": {k: vars(operator)[k] for k in TASKS[task].options}}
    facts = {"task": said_of_task, "simulated": truth}
    unit = to_unit(image, shape)
    if not truth:
        return Known(None, operator=operator, measured=unit[0]), said, facts
    sigma = said_of_task["sigma"] = TASKS[task].sigma
    y = measure(operator, to_model(unit).to(prior.device), sigma, torch.Generator().manual_seed(seed))
    known = Known(unit[0], operator=operator, sigma=sigma, measured=from_model(y.cpu())[0], truth=True)
    return known, f"{said} It was then measured: {TASKS[task].text}, with noise of {sigma:g}.", facts


def _sized(picture: Picture, shape: tuple[int, ...], how: str | None) -> tuple[PIL.Image.Image, str]:
    """A picture at the size, and in the channels, that are taken."""
    channels, height, width = shape
    image = picture.opaque
    if channels == 1:
        image = image.convert("L")
    if image.size == (width, height):
        return image, "The picture is taken as it is."
    said, taken = f"{image.width}x{image.height}", f"{width}x{height}"
    if how not in SIZES:
        raise ValueError(f"The picture is {said}, and {taken} is taken here: choose what is to be done with it")
    if how == "stretch":
        return image.resize((width, height), PIL.Image.Resampling.LANCZOS), f"The picture ({said}) was made {taken}."
    scale = max(width / image.width, height / image.height)
    left, top = (image.width - width / scale) / 2, (image.height - height / scale) / 2
    box = (left, top, left + width / scale, top + height / scale)
    middle = image.resize((width, height), PIL.Image.Resampling.LANCZOS, box)
    return middle, f"The middle of the picture ({said}) was made {taken}."
