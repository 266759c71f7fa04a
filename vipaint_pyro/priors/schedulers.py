"""What a diffusers scheduler says, and whether a network can be asked at its times."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from vipaint_pyro.networks.kinds import kind_of, unwrapped
from vipaint_pyro.priors.schedules import NoiseSchedule, family_of

__all__ = ["check_prediction", "check_times", "fields_taken"]


def fields_taken(scheduler: Any) -> dict:
    """The fields of a scheduler's config that its class takes.

    One config is given from class to class, and diffusers keeps what is another's (``clip_sample`` in an Euler
    scheduler's) without looking at it.
    """
    known = inspect.signature(type(scheduler).__init__).parameters
    named = {p.name for p in known.values() if p.kind is not p.VAR_KEYWORD}
    own = type(scheduler).__module__.startswith("diffusers.")
    return {name: value for name, value in scheduler.config.items() if not own or name in named}


def check_times(network: nn.Module, scheduler: Any, schedule: NoiseSchedule) -> None:
    """Raise ValueError where a ``UNet2DModel`` cannot be asked at the times of a scheduler."""
    if kind_of(network, ("UNet2DModel", "OpenAIUNet2DModel")) is None:
        return
    config, family, name = unwrapped(network).config, family_of(scheduler), type(scheduler).__name__
    kind = config.get("time_embedding_type", "positional")
    rows = config.get("num_train_timesteps", None) or 0
    if kind == "fourier" and family != "ScoreSdeVe":
        raise ValueError(
            f"a UNet2DModel with time_embedding_type 'fourier' takes the logarithm of sigma, and {name} asks at times "
            "that have none; such networks go with a ScoreSdeVeScheduler"
        )
    continuous = family in ("ScoreSdeVe", "EDM", "FlowMatch")
    if kind == "learned" and (continuous or rows < schedule.num_timesteps):
        raise ValueError(
            f"a UNet2DModel with time_embedding_type 'learned' has a row for each of its num_train_timesteps = {rows} "
            f"times, and {name} asks at {'others' if continuous else f'{schedule.num_timesteps} of them'}"
        )


def check_prediction(scheduler: Any, schedule: NoiseSchedule) -> None:
    """Raise ValueError where it is not known what a network predicts, or a prediction says nothing at the last time."""
    config, name = fields_taken(scheduler), type(scheduler).__name__
    if family_of(scheduler) in ("ScoreSdeVe", "EDM", "FlowMatch"):
        return
    prediction, kinds = config.get("prediction_type", "epsilon"), ("epsilon", "sample", "v_prediction")
    if prediction not in kinds:
        raise ValueError(f"{name} says prediction_type {prediction!r}; known are {', '.join(kinds)}")
    if prediction == "epsilon" and schedule.alpha(schedule.last) == 0:
        raise ValueError(
            f"{name} ends at zero signal (rescale_betas_zero_snr), where a predicted noise says "
            "nothing about the image: such a network must predict v or the sample"
        )
