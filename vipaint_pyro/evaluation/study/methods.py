"""From a method as a study writes it to its settings on a prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vipaint_pyro.evaluation.study.equal_calls import at_calls
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import make_sampler
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.samplers.vipaint.levels import RATIOS, timesteps_for

__all__ = ["sampler_of", "settings_of"]


def settings_of(
    spec: str, prior: DiffusionPrior, num_samples: int, chosen: Mapping[str, object] | None = None
) -> dict[str, object]:
    """All settings that are given of a method: what is written behind it comes before its number of calls, that before
    what was chosen, and that before the levels of vipaint-K. An effort is written out.

    Args:
        spec: NAME, NAME@CALLS, NAME:setting=value.
        prior: which the levels and the calls are of.
        num_samples: of an item, which share the calls of a fit.
        chosen: settings by name, as JSON has them.

    Raises:
        ValueError: for a spec that is none, levels or calls that cannot be.
    """
    found = Spec.of(spec)
    settings: dict[str, Any] = {}
    if found.levels is not None and found.levels not in RATIOS:
        known = max(k for k in RATIOS if k <= prior.schedule.num_timesteps)
        times = ",".join(map(str, timesteps_for(prior, known)))
        raise ValueError(f"levels are known for {', '.join(f'vipaint-{k}' for k in sorted(RATIOS))}: for others write "
                         f"the timesteps, as vipaint:timesteps={times} is vipaint-{known} here")  # fmt: skip
    if found.levels is not None:
        settings["timesteps"] = timesteps_for(prior, found.levels)
    settings |= {name: tuple(v) if isinstance(v, list) else v for name, v in (chosen or {}).items()}
    if found.calls is not None:
        settings |= at_calls(found.name, found.calls, prior, num_samples, settings | dict(found.settings))
    written: dict[str, Any] = at_effort(found.method.name, found.settings)
    if "guide_settings" in written:  # each by itself comes before one that was chosen
        of_guide = {**(settings.get("guide_settings") or {}), **written["guide_settings"]}
        written = {**written, "guide_settings": of_guide}
    return settings | written


def sampler_of(
    spec: str, prior: DiffusionPrior, num_samples: int, chosen: Mapping[str, object] | None = None
) -> Sampler:
    """The sampler of a method, not settled; the arguments and errors of :func:`settings_of`."""
    return make_sampler(Spec.of(spec).method.name, **settings_of(spec, prior, num_samples, chosen))
