r"""Where the levels of a guide lie: VIPaint's noise-to-signal ratios on a prior's schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vipaint_pyro.settings import checked, number, whole

if TYPE_CHECKING:
    from vipaint_pyro.priors.diffusion import DiffusionPrior
    from vipaint_pyro.priors.schedules import NoiseSchedule

__all__ = [
    "DEFAULT_LEVELS", "EXACT_RATIOS", "LATENT_RATIOS", "RATIOS", "check_levels", "level_ratios", "ratios_between",
    "ratios_for", "ratios_on", "timesteps_at", "timesteps_for",
]  # fmt: skip

#: K where nothing else is said.
DEFAULT_LEVELS = 4

#: Noise-to-signal ratios sigma/alpha of T_e ... T_s, by the number of levels K.
RATIOS = {1: (1.8,), 2: (3.1, 1.0), 4: (3.1, 2.0, 1.4, 1.0)}

#: The same for latent priors. Large flat parts of a picture keep their modes apart up to higher noise: T_e has to lie
#: where they have merged. (With two levels the step from there is too long.)
LATENT_RATIOS = {**RATIOS, 4: (20.0, 7.0, 2.5, 1.2)}

#: The same for priors whose denoiser is exact: where the modes of any prior have merged. A network's walk from so high
#: drifts (photographs go to black or white); one by the exact denoiser does not.
EXACT_RATIOS = {1: (20.0,), 2: (40.0, 20.0), 4: (60.0, 40.0, 30.0, 20.0)}


def ratios_for(prior: DiffusionPrior) -> dict[int, tuple[float, ...]]:
    """VIPaint's ratios for this prior, by the number of levels K."""
    return EXACT_RATIOS if prior.is_exact else LATENT_RATIOS if prior.is_latent else RATIOS


def timesteps_for(
    prior: DiffusionPrior, levels: int = DEFAULT_LEVELS, top: float | None = None, bottom: float | None = None
) -> tuple[int, ...]:
    """Timesteps of this prior's schedule at VIPaint's noise-to-signal ratios, or between ratios of your own.

    Ratios whose nearest times coincide, as on a schedule of few times, take the next ones.

    Args:
        levels: K, 1, 2 or 4; any, where ``top`` or ``bottom`` is given.
        top: the ratio sigma/alpha at T_e, above that at T_s.
        bottom: the ratio at T_s; one level has none.

    With ``top`` or ``bottom`` they lie geometrically between the two (:func:`ratios_between`), and the one that is not
    given is VIPaint's own.

    Raises:
        ValueError: for another K, ratios that cannot be, or a schedule of fewer times than K; choose the timesteps
            yourself then.
    """
    check_levels(levels, top, bottom)
    count, own = prior.schedule.num_timesteps, top is None and bottom is None
    if count < levels:
        most = max((k for k in RATIOS if k <= count), default=0) if own else count
        raise ValueError(
            f"this prior's schedule has {count} times (num_train_timesteps), too few for {levels} levels: "
            f"take {most} levels{'' if own else ' at most'}, or another prior"
        )
    ratios = ratios_on(prior.schedule, ratios_for(prior), levels, top, bottom)
    return timesteps_at(prior, ratios)


def check_levels(levels: int, top: float | None = None, bottom: float | None = None) -> None:
    """Raise ValueError for K levels that no ratios are known of, and for a T_s of one level."""
    if top is None and bottom is None and levels not in RATIOS:
        known = ", ".join(map(str, sorted(RATIOS)))
        raise ValueError(f"where {levels} levels lie is not known, as it is of {known}: give T_e too, or the timesteps")
    if levels == 1 and bottom is not None:
        raise ValueError("one level is at T_e, and has no T_s: leave T_s out")
    if top is not None and bottom is not None:
        ratios_between(top, bottom, levels)


def ratios_on(
    schedule: NoiseSchedule,
    own: Mapping[int, Sequence[float]],
    levels: int | None = None,
    top: float | None = None,
    bottom: float | None = None,
) -> tuple[float, ...]:
    """:func:`level_ratios`, of which those that are given have to lie on a schedule that has room for the levels.

    Raises:
        ValueError: as :func:`level_ratios`, for ratios beyond the schedule, or fewer times between them than levels.
    """
    lowest, highest = (float(schedule.sigma(t) / schedule.alpha(t)) for t in (0, schedule.last))
    for name, ratio in (("T_e", top), ("T_s", bottom)):
        if ratio is not None and not lowest <= checked(name, ratio, number(above=0)) <= highest:
            raise ValueError(
                f"{name} is a ratio of noise to signal between {lowest:.3g} and {highest:.3g} on this schedule, not "
                f"{ratio:g}"
            )
    ratios = level_ratios(own, levels, top, bottom)
    times = [schedule.time_of_ratio(ratio) for ratio in ratios]
    if ratios != tuple(own.get(len(ratios), ())) and len(set(times)) < len(times):
        raise ValueError(
            f"{len(times)} levels between the ratios {ratios[0]:g} and {ratios[-1]:g} share times of the schedule: "
            "give fewer, or a wider range"
        )
    return ratios


def timesteps_at(prior: DiffusionPrior, ratios: Sequence[float]) -> tuple[int, ...]:
    """Timesteps of this prior's schedule nearest to noise-to-signal ratios, which descend.

    Those that coincide, as on a schedule of few times, take the next ones.

    Raises:
        ValueError: for ratios that no timesteps can be found for.
    """
    levels, times = len(ratios), [prior.schedule.time_of_ratio(r) for r in ratios]
    for k in reversed(range(levels - 1)):
        times[k] = max(times[k], times[k + 1] + 1)
    times[0] = min(times[0], prior.schedule.last)
    for k in range(1, levels):
        times[k] = min(times[k], times[k - 1] - 1)
    return prior.schedule.check_timesteps(times)


def ratios_between(top: float, bottom: float, levels: int, default: str = "") -> tuple[float, ...]:
    r"""K noise-to-signal ratios sigma/alpha from T_e down to T_s, each the same part of the one above it.

    .. math:: r_k = r_{T_e} (r_{T_s} / r_{T_e})^{k / (K - 1)}, \quad k = 0, \dots, K - 1

    Args:
        top: the ratio at T_e.
        bottom: the ratio at T_s, below it.
        levels: K, at least 2; of one level T_e is T_s.
        default: "T_e" or "T_s", where nobody has given that one, which the error then says.

    Raises:
        ValueError: for other ratios or levels.
    """
    checked("levels", levels, whole(2))
    for name, ratio in (("T_e", top), ("T_s", bottom)):
        checked(f"the ratio at {name}", ratio, number(above=0))
    if top <= bottom:
        mend = ": raise the one, or lower the other"
        if default:
            mend = f" ({default} is not given, and has its default): give {default} too"
        raise ValueError(f"T_e has to lie above T_s, but its ratio is {top:g}, and {bottom:g} that of T_s{mend}")
    between = (top * (bottom / top) ** (k / (levels - 1)) for k in range(1, levels - 1))
    return (float(top), *between, float(bottom))


def level_ratios(
    own: Mapping[int, Sequence[float]], levels: int | None = None, top: float | None = None, bottom: float | None = None
) -> tuple[float, ...]:
    """Noise-to-signal ratios of K levels, of which any of K, T_e and T_s may be left to what is known.

    Args:
        own: K -> ratios that are known, like :data:`RATIOS`. They are taken as they are where neither T_e nor T_s is
            given; else their first and last stand for the one that is not, those of the largest K where K is another.
        levels: K; None: the largest of ``own``.
        top: the ratio at T_e.
        bottom: the ratio at T_s. One level has none of its own: it is at T_e.

    Raises:
        ValueError: as :func:`ratios_between`.
    """
    levels = max(own) if levels is None else checked("levels", levels, whole())
    if top is None and bottom is None and levels in own:
        return tuple(own[levels])
    ends, default = own.get(levels, own[max(own)]), "T_e" if top is None else "T_s" if bottom is None else ""
    top, bottom = ends[0] if top is None else top, ends[-1] if bottom is None else bottom
    if levels == 1:
        return (float(checked("the ratio at T_e", top, number(above=0))),)
    return ratios_between(top, bottom, levels, default)
