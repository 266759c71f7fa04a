"""A prior of a diffusers pipeline that is loaded already: its own parts, none of them copied."""

from __future__ import annotations

from collections.abc import Mapping

from diffusers import DiffusionPipeline
from torch import nn

from vipaint_pyro.networks.kinds import kind_of
from vipaint_pyro.priors.pretrained.folder import MODELS
from vipaint_pyro.priors.pretrained.index import TEXT_COMPONENTS
from vipaint_pyro.priors.schedulers import check_prediction
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.wording import shown

__all__ = ["components_of"]

#: Parts of pipelines that are no part of the prior: they read texts, or look at what is drawn.
_BESIDE = (*TEXT_COMPONENTS, "safety_checker", "feature_extractor", "image_encoder")
#: What a pipeline of ours says besides in its config.
_LABELS = ("null_class", "class_names", "image_size")


def components_of(pipe: object, options: Mapping[str, object]) -> dict[str, object]:
    """The arguments of :class:`~vipaint_pyro.priors.pretrained.assembly.Components` that a pipeline has.

    Args:
        pipe: a pipeline of diffusers, or of ours.
        options: ``null_class``, ``class_names`` and ``image_size`` in place of what the pipeline says of them.

    Raises:
        TypeError: for what is no pipeline, or an option that there is not.
        ValueError: for a pipeline of a family that is not known here.
    """
    if not isinstance(pipe, DiffusionPipeline):
        raise TypeError(f"pipe is a loaded diffusers pipeline, like DDPMPipeline or VIPaintPipeline, not {shown(pipe)}")
    unknown = [name for name in options if name not in _LABELS]
    if unknown:
        raise TypeError(f"from_pipe has no option {unknown[0]!r}; it has {', '.join(_LABELS)}")
    kind, parts = type(pipe).__name__, {name: part for name, part in pipe.components.items() if part is not None}
    own = {name: part for name, part in parts.items() if name in MODELS or name == "scheduler"}
    strange = [name for name in parts if name not in own and name not in _BESIDE]
    if strange:
        what = f"{strange[0]} ({type(parts[strange[0]]).__name__})"
        raise ValueError(f"{kind} has a {what}, which no prior here has: give the pipeline of the model alone")
    if "unet" not in own and "transformer" not in own:
        raise ValueError(f"{kind} has neither unet nor transformer, so that there is no prior in it")
    for name, part in own.items():
        known = MODELS.get(name, ())
        if known and not (isinstance(part, nn.Module) and kind_of(part, known)):
            raise ValueError(f"the {name} of this {kind} is a {type(part).__name__}; known here are {', '.join(known)}")
    scheduler = own.get("scheduler")
    check_prediction(scheduler, NoiseSchedule.from_scheduler(scheduler, 1))
    said = {name: pipe.config.get(name) for name in _LABELS}
    return {**own, **said, **options}
