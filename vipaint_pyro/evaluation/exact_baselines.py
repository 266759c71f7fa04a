"""Samplers as rows of the laboratory's table, ``dps`` or ``dps:num-steps=500``: with which settings, told what of y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from vipaint_pyro.evaluation.described import described
from vipaint_pyro.exact.problems import Problems, mcgdiff_schedule, mixture_problems
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.places import code_of
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.daps import DAPSSampler
from vipaint_pyro.samplers.dps import DPSSampler
from vipaint_pyro.samplers.mgps import MGPSSampler
from vipaint_pyro.samplers.mmps import MMPSSampler
from vipaint_pyro.samplers.own import is_sampler_at
from vipaint_pyro.samplers.red_diff import REDDiffSampler
from vipaint_pyro.samplers.registry import METHODS, make_sampler, method
from vipaint_pyro.samplers.tds import TDSSampler
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.samplers.written import named, written
from vipaint_pyro.settings import remade

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.exact_methods import Lab

__all__ = ["BASELINES", "baseline", "described_row", "is_baseline", "seen_by"]


def _vipaint(lab: Lab) -> Sampler:
    """Two levels at the guides' highest and lowest ratio, and the baseline DPS below them."""
    schedule = mcgdiff_schedule()
    times = tuple(schedule.time_of_ratio(ratio) for ratio in (max(lab.ratios), min(lab.ratios)))
    return VIPaintSampler(
        timesteps=times, guide_name="hierarchical", fit_steps=lab.fit_steps, refinement_steps=lab.steps,
        zeta=lab.dps_zeta, limit=False,
    )  # fmt: skip


def _guided(lab: Lab, refine: str, **more: Any) -> Sampler:
    """Kernels and steps that know y, in one walk or by Gibbs sweeps."""
    times = tuple(mcgdiff_schedule().time_of_ratio(ratio) for ratio in lab.ratios)
    return VIPaintSampler(
        timesteps=times, guide_name="hierarchical-guided", fit_steps=lab.fit_steps, refine=refine,
        **{"refinement_steps": lab.steps, **more},
    )  # fmt: skip


#: Samplers with the settings of the table; the others of the registry have their defaults. Modes lie 8 apart here, and
#: not about [-1, 1]: steps that are lengths in x are longer. Chosen on the problems that are not reported. The chain of
#: DAPS may take no longer ones, for the noise of some is a thirtieth of what is measured: it is stable on all of them,
#: and gets further by its momentum. MMPS may solve exactly what is measured in at most four numbers, and so may TDS, of
#: which every sample is a particle of one cloud.
#: At the lowest of the guides' ratios modes have merged: sweeps go up to there alone.
BASELINES: dict[str, Callable[[Lab], Sampler]] = {
    "dps": lambda lab: DPSSampler(lab.dps_steps, zeta=lab.dps_zeta),
    "daps": lambda lab: DAPSSampler(step_size=1e-3, momentum=0.98),
    "mgps": lambda lab: MGPSSampler(lr=1.0),
    "mmps": lambda lab: MMPSSampler(iterations=4),
    "tds": lambda lab: TDSSampler(lab.dps_steps, particles=1, iterations=4, own_cloud=False),
    "vipaint": _vipaint,
    "vipaint-mmps": lambda lab: _guided(lab, "mmps"),
    "vipaint-gibbs": lambda lab: _guided(lab, "gibbs", sweep_levels=1),
    # Four particles of each draw of the guide, in so many fewer steps: as many calls.
    "vipaint-tds": lambda lab: _guided(
        lab, "tds", refinement_steps=max(1, lab.steps // 4), num_particles=4 * lab.samples
    ),
    "red-diff": lambda lab: REDDiffSampler(lab.red_diff_steps, lab.red_diff_lr),
    "red-diff-v": lambda lab: REDDiffSampler(lab.red_diff_steps, lab.red_diff_lr, random_times=True),
}

_KNOWN = {**BASELINES, **METHODS}

#: Samplers that know of no noise behind a dense operator.
NOISELESS = ("ddnm",)


def is_baseline(row: str) -> bool:
    """Whether a row is a sampler, by its name or by where one of your own lies, with settings behind it or without."""
    name, _ = named(row, _KNOWN)
    return name in BASELINES or name in METHODS or (":" in name and is_sampler_at(name))


def baseline(row: str, lab: Lab) -> Sampler:
    """The sampler of a row: with the table's settings, or the method's own, and those that are written behind it.

    Raises:
        ValueError: for a name there is none of, or settings that the method does not have.
    """
    name, settings = named(row, _KNOWN)
    sampler = BASELINES[name](lab) if name in BASELINES else make_sampler(name)
    if settings is None:
        return sampler
    chosen = method("vipaint" if name in BASELINES and name not in METHODS else name)  # whose refinements are rows
    return remade(sampler, **at_effort(chosen.name, written(chosen, settings.split(";"))))


def described_row(name: str, lab: Lab, cell: Sequence[int]) -> dict | None:
    """The settings of a row's sampler, settled for the first problem of a cell; None for a row that is none, but the
    code of a guide of one's own."""
    if not is_baseline(name):
        place = name.partition("+")[0] if ":" in name else ""
        return {f"code of {place}": code_of(place)} if code_of(place) else None
    dimension, measured = cell
    first = mixture_problems(dimension, measured, range(1), kernel=lab.kernel)
    return described(baseline(name, lab).settle(first.prior, seen_by(name, first)))


def seen_by(name: str, problems: Problems) -> Measurement:
    """y and its true noise, which a sampler of :data:`NOISELESS` is not told of; not every other one asks for it."""
    if named(name, _KNOWN)[0] in NOISELESS:
        return Measurement.of(problems.operator, problems.y)
    return Measurement(problems.operator, Gaussian(problems.sigma), problems.y)
