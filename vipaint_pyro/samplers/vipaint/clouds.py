"""How many particles there are, and in how many clouds."""

from __future__ import annotations

from vipaint_pyro.samplers.vipaint.settings import Settings
from vipaint_pyro.wording import counted

__all__ = ["PER_SAMPLE", "check_particles", "clouds_at_once", "in_clouds", "of_each_draw", "settled_clouds"]

#: Particles of each draw of the guide that TDS has, where nothing is said.
PER_SAMPLE = 10


def in_clouds(settings: Settings) -> bool:
    """Whether particles are weighed all the way down to the image."""
    return settings.correct == "smc" or settings.refine == "tds"


def of_each_draw(settings: Settings) -> bool:
    """Whether the particles of a sample all start at one draw of the guide."""
    return settings.refine == "tds" and settings.own_cloud is not False


def clouds_at_once(settled: Settings, num_samples: int) -> int:
    """How many samples are drawn at once: all of one cloud; of clouds whose particles are draws of the guide one."""
    if not settled.own_cloud:
        return num_samples
    each, more = divmod(settled.num_particles or PER_SAMPLE * num_samples, num_samples)
    if more or not of_each_draw(settled):  # clouds of other sizes, or noise that is a guide's
        return 1
    return max(1, min((settled.chunk or num_samples * each) // each, num_samples))


def settled_clouds(given: Settings) -> dict[str, int | bool]:
    """The settings of particles with what None stands for: 0 are none, or of ``refine="tds"`` 10 for each sample.

    Raises:
        ValueError: for particles where nothing weighs them, or none where something does.
    """
    if given.correct == "none" and not in_clouds(given):
        if given.num_particles:
            raise ValueError(
                "num_particles is of a correction or of refine='tds', and correct is 'none': leave num_particles out"
            )
        return {"own_cloud": bool(given.own_cloud), "num_particles": 0}
    own = given.refine == "tds" if given.own_cloud is None else given.own_cloud
    each = own and given.refine == "tds"
    if given.num_particles == 0 and not each:
        raise ValueError("num_particles is a whole number, at least 1, but is 0")
    stands_for = 0 if each else 64
    return {"own_cloud": own, "num_particles": stands_for if given.num_particles is None else given.num_particles}


def check_particles(settled: Settings, num_samples: int) -> None:
    """Raise ValueError where so many samples cannot be drawn from the particles that there are."""
    particles = settled.num_particles
    if not particles:
        return
    if particles < max(num_samples, 1 + in_clouds(settled)):
        asked, there = counted(num_samples, "sample"), counted(particles, "particle")
        raise ValueError(f"{asked} cannot be drawn from {there}: raise num_particles")
    if settled.own_cloud and particles < 2 * num_samples:
        one = "give own_cloud=False" if settled.refine == "tds" else "leave own_cloud out"
        raise ValueError(
            f"{counted(num_samples, 'cloud')} of two particles or more cannot be made of {particles}: "
            f"raise num_particles to {2 * num_samples}, or {one}"
        )
