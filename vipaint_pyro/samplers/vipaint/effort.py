"""How much a sample of VIPaint may cost, in a word: presets of its settings.

Imports nothing heavy, so that the command line can make its option of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from vipaint_pyro.wording import did_you_mean, shown

__all__ = ["EFFORTS", "at_effort"]

#: Settings by the word for them, for pixel and latent priors alike. Denoiser calls per sample, of 8 that share a fit,
#: with four levels: 50; 178; and 300 to 500, by when the bound has settled.
EFFORTS: dict[str, dict[str, object]] = {
    "draft": {"fit_steps": 20, "num_chains": 1, "refinement_steps": 32},
    "standard": {},
    "best": {"fit_steps": 200, "fit_patience": 20, "refinement_steps": 200},
}


def at_effort(method: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Settings of a method, with those of an effort in the place of its name; each that is given besides stays.

    Args:
        method: its name.
        settings: perhaps with ``"effort"``, a name of :data:`EFFORTS`.

    Raises:
        ValueError: for an effort that there is none of, or that is given of another method than VIPaint.
    """
    if "effort" not in settings:
        return dict(settings)
    name = settings["effort"]
    if method != "vipaint":
        raise ValueError(f"effort is of the method 'vipaint', and {method!r} has none: leave effort out")
    if not isinstance(name, str) or name not in EFFORTS:
        hint = did_you_mean(name, EFFORTS) if isinstance(name, str) else ""
        raise ValueError(f"effort is one of {', '.join(EFFORTS)}, but is {shown(name)}. {hint}".rstrip(" ."))
    given = {key: value for key, value in settings.items() if key != "effort"}
    return {**EFFORTS[name], **given}
