"""From the words of a call to the sampler that they ask for; errors in the caller's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from vipaint_pyro.guides import Guide
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import make_sampler
from vipaint_pyro.samplers.registry import method as known_method
from vipaint_pyro.wording import did_you_mean

__all__ = ["asked_sampler", "saying"]

_SIZE = "images are of the prior's own size here"
_AFTER = "callback_on_step_end is called after each step"
#: Settings that a guide has been fitted by, and those that its draws are weighed by, too.
_OF_THE_FIT = ("guide_settings", "fit_steps", "fit_patience", "num_chains", "num_levels", "loss", "beta")
_OF_THE_WEIGHTS = ("noise_scale", "perceptual")
#: Keywords of diffusers' pipelines that there are none of here, and what there is in their place.
_ELSEWHERE = {
    "num_images_per_prompt": "num_samples says how many samples of each image are drawn",
    "strength": "samples begin at noise, or at draws of the guide, and only what is seen is kept: leave it out",
    "height": _SIZE,
    "width": _SIZE,
    "latents": "noise is drawn from the generator",
    "callback": _AFTER,
    "callback_steps": _AFTER,
}


@contextmanager
def saying(names: Mapping[str, str]) -> Iterator[None]:
    """A block whose errors about a setting name what the caller wrote: names are setting -> written."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        for setting, written in names.items():
            text = re.sub(rf"(?<![\w-]){setting}(?![\w-])", written, text)
        if text == str(error):
            raise
        raise ValueError(text) from error


def asked_sampler(
    method: str | type[Sampler],
    guide: Guide | str | type[Guide] | None,
    settings: dict,
    num_inference_steps: int | None,
    own: Sequence[str],
) -> tuple[Sampler, Guide | None, dict[str, str]]:
    """The method with its settings, a fitted guide to draw from, and which settings were written by another name.

    Args:
        method: its name, or a sampler class.
        guide: the name of a guide, a class of them, or one that was fitted.
        settings: of the method.
        num_inference_steps: its steps of refinement, or its only ones.
        own: the keywords of the call itself, for the error.

    Raises:
        TypeError: for a keyword that there is none of, or two that mean the same.
        ValueError: for an unknown method, or a guide that it does not draw from.
    """
    chosen = known_method(method)
    method, known = chosen.name, chosen.open()
    if isinstance(guide, (str, type)):
        if "guide_name" in settings:
            raise TypeError("guide and guide_name are the same: give one")
        settings, guide = {**settings, "guide_name": guide}, None
    unknown = [name for name in settings if name not in known and name != "effort"]
    if method == "vipaint" and {"levels", "T_e", "T_s"} & set(unknown):
        raise TypeError(
            "levels are given by their timesteps: timesteps=timesteps_for(pipe.prior, levels, T_e, T_s), which is in "
            "vipaint_pyro.samplers; T_e and T_s are noise-to-signal ratios, or left out"
        )
    if unknown and unknown[0] == "guide_name":
        raise TypeError(f"the method {method!r} fits no guide: leave guide out, or take method='vipaint'")
    if unknown:
        if unknown[0] in _ELSEWHERE:
            raise TypeError(f"{unknown[0]} is of other pipelines of diffusers: {_ELSEWHERE[unknown[0]]}")
        near = did_you_mean(unknown[0], [*own, *known])
        every = f"Known are {', '.join(sorted(known))}, and the call's own {', '.join(own)}"
        raise TypeError(f"unknown setting {unknown[0]!r} of {method}. {near.rstrip() or every}")
    if guide is not None and method != "vipaint":
        raise ValueError(f"the method {method!r} draws from no guide: leave guide out")
    if guide is not None and "guide_name" not in settings:
        weighed = _OF_THE_WEIGHTS if settings.get("correct", "none") == "none" else ()
        before: Mapping[str, object] = guide.fitted_by if isinstance(guide, Guide) else {}
        for name in (*_OF_THE_FIT, *weighed):
            if settings.get(name) and before.get(name) != settings[name]:  # the same call once more may say it again
                by = f"by {before[name]}" if name in before else "elsewhere"
                raise ValueError(
                    f"{name}: it is of a guide that is to be fitted, and this one was fitted {by}: leave it out"
                )
    if isinstance(settings.get("timesteps"), list):
        settings = {**settings, "timesteps": tuple(settings["timesteps"])}
    written = {}
    if num_inference_steps is not None:
        name = "refinement_steps" if method == "vipaint" else "num_steps"
        if name in settings:
            raise TypeError(f"num_inference_steps and {name} are the same: give one")
        settings, written = {**settings, name: num_inference_steps}, {name: "num_inference_steps"}
    return make_sampler(method, **settings), guide, written
