r"""Where the levels of a guide lie: VIPaint's noise-to-signal ratios on a prior's schedule."""

from __future__ import annotations

from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["LATENT_RATIOS", "RATIOS", "timesteps_for"]

#: Noise-to-signal ratios sigma/alpha of T_e ... T_s, by the number of levels K.
RATIOS = {1: (1.8,), 2: (3.1, 1.0), 4: (3.1, 2.0, 1.4, 1.0)}

#: The same for latent priors. Large flat parts of a picture keep their modes apart up to higher noise: T_e has to lie
#: where they have merged. (With two levels the step from there is too long.)
LATENT_RATIOS = {**RATIOS, 4: (20.0, 7.0, 2.5, 1.2)}


def timesteps_for(prior: DiffusionPrior, levels: int = 4) -> tuple[int, ...]:
    """Timesteps of this prior's schedule at VIPaint's noise-to-signal ratios.

    Ratios whose nearest times coincide, as on a schedule of few times, take the next ones.

    Args:
        levels: K, 1, 2 or 4.

    Raises:
        ValueError: for another K, or a schedule of fewer times than K; choose the timesteps yourself then.
    """
    if levels not in RATIOS:
        raise ValueError(f"ratios are known for K = {sorted(RATIOS)}, not {levels}: give the timesteps")
    ratios = LATENT_RATIOS if prior.is_latent else RATIOS
    count = prior.schedule.num_timesteps
    if count < levels:
        raise ValueError(
            f"this prior's schedule has {count} times (num_train_timesteps), too few for {levels} levels: "
            f"take {max((k for k in RATIOS if k <= count), default=0)} levels, or another prior"
        )
    times = [prior.schedule.time_of_ratio(r) for r in ratios[levels]]
    for k in reversed(range(levels - 1)):
        times[k] = max(times[k], times[k + 1] + 1)
    times[0] = min(times[0], prior.schedule.last)
    for k in range(1, levels):
        times[k] = min(times[k], times[k - 1] - 1)
    return prior.schedule.check_timesteps(times)
