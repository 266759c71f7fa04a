"""Configs looked at before anything is made of them: known fields, of their types, within bounds, not refused."""

from __future__ import annotations

import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from diffusers import DDPMScheduler

from vipaint_pyro.priors.pretrained.fields import AUTOENCODERS, NETWORKS, SCHEDULERS, Fields
from vipaint_pyro.priors.pretrained.scheduler_names import check_foreign
from vipaint_pyro.priors.schedules import LONGEST as LONGEST_SCHEDULE

__all__ = ["FAILURES", "blamed", "check_config", "check_parts_config", "completed", "constructor", "made"]

#: The largest whole number that a field may be; most are widths.
MOST = 2**24
#: What is walked through one by one, or is a side of an image, is bounded closer.
BOUNDS = {
    "num_train_timesteps": LONGEST_SCHEDULE,
    "sample_size": 2**15,
    "pos_embed_max_size": 2**12,
    **dict.fromkeys(
        ("layers_per_block", "num_layers", "num_single_layers", "transformer_layers_per_block", "patch_size"), 1000
    ),
    **dict.fromkeys(("block_out_channels", "in_channels", "out_channels", "latent_channels"), 2**16),
}
#: How many entries a list may have.
LONGEST = {"trained_betas": LONGEST_SCHEDULE}
SHORTEST = {"trained_betas": 2, "block_out_channels": 1, "down_block_types": 1, "up_block_types": 1}
#: The smallest number that a field may be, where that is not 0 for whole ones.
LEAST = {
    **dict.fromkeys(("shift_factor", "latents_mean", "lambda_min_clipped", "shift_terminal"), -1e12),
    **dict.fromkeys(("norm_eps", "dropout", "beta_start", "beta_end", "trained_betas"), 0),
    **dict.fromkeys(
        ("num_train_timesteps", "sample_size", "in_channels", "out_channels", "latent_channels", "block_out_channels"),
        1,
    ),
}
#: Annotations of diffusers that its own code contradicts: a solver keeps the variance of the config it was made of.
_MEANT = {
    "sigma_max": float | None,
    "shift_terminal": float | None,
    "variance_type": inspect.signature(DDPMScheduler).parameters["variance_type"].annotation,
}
#: Why a value of a field is refused.
WHY = {
    "timestep_type": "its network is asked at a quarter of log sigma",
    "use_flow_sigmas": "its sigmas are those of rectified flow: take FlowMatchEulerDiscreteScheduler",
    "class_embed_type": "its network takes numbers or vectors for labels, not classes out of a table",
    "num_class_embeds": "it has class embeddings beside its text",
    "addition_embed_type": "its network takes pictures beside z",
    "encoder_hid_dim_type": "its network takes pictures beside z",
    "time_cond_proj_dim": "its network is distilled, and takes the guidance scale",
    "attention_type": "its network takes boxes or pictures beside z",
    "lookup_from_codebook": "it decodes indices of its codebook, not latents, and has no gradient",
    "norm_type": "its codebook or its normalisation is asked for by other inputs",
    "shift_terminal": "its sigmas are stretched beyond the shift",
}
#: What a constructor of diffusers raises for a config that it cannot use.
FAILURES = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, RuntimeError, AssertionError,
    ZeroDivisionError, OverflowError, ImportError, NameError,
)  # fmt: skip


def constructor(kind: Any) -> dict[str, inspect.Parameter]:
    """The fields of a class of diffusers, by name."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


def completed(config: Mapping, kind: type) -> dict:
    """The fields of a class as a config has them, those that it does not name by default."""
    known = constructor(kind).values()
    return {p.name: config.get(p.name, p.default) for p in known if p.name in config or p.default is not p.empty}


def judged(kind: type) -> type:
    """The class whose fields are judged: the nearest one that a class derives from, or itself."""
    tables = (SCHEDULERS, NETWORKS, AUTOENCODERS)
    return next((c for c in kind.__mro__ if any(c.__name__ in table for table in tables)), kind)


def check_parts_config(config: Mapping, kind: type, where: str) -> None:
    """:func:`check_config` for a class of which the fields are judged; nothing for a user's own."""
    name = kind.__name__
    for table in (SCHEDULERS, NETWORKS, AUTOENCODERS):
        if name in table:
            return check_config(config, kind, table[name], where)
    if "Scheduler" in name and kind.__module__.startswith("diffusers."):
        raise ValueError(
            f"{where}: a scheduler of the class {name} is not known here: its noise levels are unknown, or its network "
            f"is distilled; known are {', '.join(SCHEDULERS)}. Load the prior with the one that it was trained with"
        )
    return None


def check_config(config: Mapping, kind: type, fields: Fields, where: str) -> None:
    """Raise ValueError, naming ``where`` and the field, for a config that cannot be used as it is.

    Args:
        config: of a part, as in its JSON file or as its own ``config``.
        kind: the class.
        fields: what becomes of its fields.
        where: the file, or the part, for the message.
    """
    known, scheduler = constructor(kind), "Scheduler" in kind.__name__
    for name, value in config.items():
        if name.startswith("_"):
            continue
        if name == "quantization_config":
            raise ValueError(f"{where}: quantization_config: quantised weights are not known here; give full ones")
        if name not in known:
            if scheduler:
                check_foreign(name, config, where)
            elif value not in (None, False):
                raise ValueError(
                    f"{where}: {name} = {value!r} is no field of {kind.__name__} in the installed diffusers, which "
                    "would leave it out: remove it, or install the diffusers that it was written with"
                )
            continue
        _check_value(name, value, known[name], where, nullable=kind.__name__ in NETWORKS)
    for name, value in completed(config, kind).items():
        allowed = fields.refused.get(name)
        if allowed is None and name not in fields.names and value != known[name].default:
            raise ValueError(f"{where}: {name} = {value!r} is not known here; leave it at {known[name].default!r}")
        if allowed is not None and not any(value is a or (value == a and type(value) is type(a)) for a in allowed):
            said = " or ".join(map(repr, allowed))
            why = f" ({WHY[name]})" if name in WHY else ""
            raise ValueError(f"{where}: {kind.__name__} with {name}={value!r} is not known here{why}; known is {said}")


def _check_value(name: str, value: object, parameter: inspect.Parameter, where: str, nullable: bool) -> None:
    """Raise ValueError where a value is of another type than its field's, or beyond its bounds."""
    default, hint = parameter.default, _MEANT.get(name, parameter.annotation)
    nullable = nullable and hint in _SCALARS and name not in LEAST
    if _same(value, default) or (value is None and (nullable or default is None or hint is bool)):
        return
    if not _fits(value, hint):
        raise ValueError(f"{where}: {name} is {_wanted(hint)}, but is {_short(value)}")
    _check_bounds(name, value, where)


def _wanted(hint: object) -> str:
    """An annotation in words."""
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(hint)))}"
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _check_bounds(name: str, value: object, where: str) -> None:
    if isinstance(value, (list, tuple)):
        longest, shortest = LONGEST.get(name, 1000), SHORTEST.get(name, 0)
        if not shortest <= len(value) <= longest:
            raise ValueError(f"{where}: {name} has from {shortest} to {longest} entries, but has {len(value)}")
        for each in value:
            _check_bounds(name, each, where)
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        most = BOUNDS.get(name, MOST) if isinstance(value, numbers.Integral) else 1e12
        least = LEAST.get(name, 0 if isinstance(value, numbers.Integral) else -1e12)
        if not least <= float(value) <= most:
            raise ValueError(f"{where}: {name} lies from {least:g} to {most:g}, but is {value!r}")


def _same(value: object, default: object) -> bool:
    """Whether a value is a field's default, a list standing for a tuple."""
    if isinstance(value, list) and isinstance(default, (tuple, list)):
        return list(default) == value
    return type(value) is type(default) and value == default


def _fits(value: object, hint: object) -> bool:
    """Whether a value from JSON is what an annotation asks for; one that is not understood asks for nothing."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is typing.Literal:
        return any(value is each or (isinstance(value, str) and value == each) for each in inner)
    if origin in (tuple, list) or hint in (tuple, list) or _ARRAY in str(hint):
        if not isinstance(value, (list, tuple)):
            return _ARRAY in str(hint) and type(value).__name__ in (_ARRAY, "Tensor")
        each = [a for a in inner if a is not Ellipsis]
        exact = Ellipsis not in inner and len(each) > 1
        element = each[0] if each else (float if origin is None and hint not in (tuple, list) else object)
        return (not exact or len(value) == len(each)) and all(_fits(v, element) for v in value)
    if hint in _SCALARS:
        return _SCALARS[hint](value)
    return True


def _number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


_ARRAY = "ndarray"
_SCALARS = {
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool),
    float: _number,
    str: lambda value: isinstance(value, str),
    type(None): lambda value: value is None,
}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "..."


def made(make: Callable, config: Mapping, kind: type, where: str) -> Any:
    """What ``make`` makes of a config.

    Raises:
        ValueError: where diffusers cannot; names the field without which it could.
    """
    try:
        return make(config)
    except FAILURES as error:
        said = blamed(make, config, kind)
        said = f"{said}: " if said else ""
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{where}: no {kind.__name__} can be made of this config: {said}{reason}") from error


def blamed(make: Callable, config: Mapping, kind: type) -> str:
    """The fields, each with its value, of which one at its default would make of a config what can be used.

    Where none would, those that are null and by default are not.
    """
    named = [name for name in completed(config, kind) if name in config and _works(make, config, name)]
    if not named:
        known = constructor(kind)
        named = [n for n, value in config.items() if value is None and n in known and known[n].default is not None]
    return ", ".join(f"{name} = {_short(config[name])}" for name in named)


def _works(make: Callable, config: Mapping, without: str) -> bool:
    """Whether a config can be used with a field left at its default."""
    try:
        make({name: value for name, value in config.items() if name != without})
    except FAILURES:
        return False
    return True
