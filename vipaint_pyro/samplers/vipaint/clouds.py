"""How many particles there are, and in how many clouds."""

from __future__ import annotations

from vipaint_pyro.samplers.vipaint.settings import Settings
from vipaint_pyro.wording import counted

__all__ = ["check_particles", "in_clouds", "settled_clouds"]


def in_clouds(settings: Settings) -> bool:
    """Whether particles are weighed all the way down to the image."""
    return settings.correct == "smc" or settings.refine == "tds"


def settled_clouds(given: Settings) -> dict[str, int | bool]:
    """The settings of particles with what None stands for: 0 are none, or of ``refine="tds"`` 8 for each sample.

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
