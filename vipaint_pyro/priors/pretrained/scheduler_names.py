"""Names of fields that a scheduler's config may have without its class looking at them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache

from vipaint_pyro.priors.pretrained.fields import SCHEDULERS
from vipaint_pyro.wording import did_you_mean

__all__ = ["check_foreign"]

#: Of early versions of diffusers, in folders that are still about.
_FORMER = {"tensor_format", "timestep_values", "set_alpha_to_zero", "use_clipped_sample", "predict_epsilon"}


@cache
def _of_diffusers() -> frozenset[str]:
    """The fields of every scheduler of the installed diffusers; importing them takes seconds, where that is needed."""
    import diffusers.schedulers as known
    from diffusers.configuration_utils import ConfigMixin

    kinds = [getattr(known, name) for name in dir(known) if name.endswith("Scheduler")]
    own = [k for k in kinds if isinstance(k, type) and issubclass(k, ConfigMixin)]
    return frozenset(name for kind in own for name in inspect.signature(kind).parameters)


def check_foreign(name: str, config: Mapping, where: str) -> None:
    """Raise ValueError where a field that a scheduler's class does not have would have said something of the prior.

    One scheduler's config is given to another by design, and the fields of others are not looked at. A name that none
    has is a misspelt one: left out, it would leave another prior.

    Args:
        name: of the field.
        config: that has it.
        where: the file, or the part, for the message.
    """
    value = config[name]
    if name == "predict_epsilon" and value is not True and config.get("prediction_type") != "sample":
        raise ValueError(
            f"{where}: predict_epsilon = {value!r} is of a diffusers that is long gone: write prediction_type = "
            "'sample' in its place"
        )
    judged = {each for fields in SCHEDULERS.values() for each in fields.names}
    if name in _FORMER or name in judged or name in _of_diffusers():
        return
    near = did_you_mean(name, sorted(judged | _of_diffusers()))
    raise ValueError(
        f"{where}: {name} = {value!r} is a field of no scheduler of the installed diffusers, which would leave it out. "
        f"{near}Correct it, remove it, or install the diffusers that it was written with"
    )
