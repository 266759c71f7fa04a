r"""Noise schedules: t -> (alpha_t, sigma_t), so that z_t = alpha_t z_0 + sigma_t eps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin
from torch import Tensor

from vipaint_pyro.networks.kinds import kinds
from vipaint_pyro.settings import LARGEST, checked, number, whole
from vipaint_pyro.wording import shown

__all__ = ["CLEAN", "LONGEST", "NoiseSchedule", "family_of"]

#: The largest number of times.
LONGEST = 100_000

#: The time of the clean image: alpha = 1, sigma = 0.
CLEAN = -1


def family_of(scheduler: object) -> str | None:
    """``EDM``, ``FlowMatch`` or ``ScoreSdeVe``, of a scheduler of diffusers or one derived from it; None for others."""
    families = ("EDM", "FlowMatch", "ScoreSdeVe")
    return next((f for name in kinds(scheduler) for f in families if name.startswith(f)), None)


class NoiseSchedule:
    r"""The noise levels of a diffusion model on its discrete times t = 0 ... T-1.

    Time ``CLEAN`` = -1 stands for the clean image (alpha = 1, sigma = 0). The tables live on the
    CPU in float64 whatever the network's device and precision: v_ts = sigma_t^2 - a_ts^2 sigma_s^2
    of two neighbouring levels is a difference of nearly equal numbers.

    Args:
        alpha: :math:`\alpha_t` of every time, with shape (T,), positive except perhaps the last.
        sigma: :math:`\sigma_t` of every time, with shape (T,), increasing and positive.
        terminal_std: standard deviation of p(z_{T-1}), taken as a centred Gaussian: 1 for
            variance-preserving schedules, sigma_{T-1} for variance-exploding ones.

    Raises:
        ValueError: where the tables are not a noise schedule.
    """

    def __init__(self, alpha: Tensor, sigma: Tensor, terminal_std: float = 1.0) -> None:
        alpha, sigma = _table("alpha", alpha), _table("sigma", sigma)
        checked("terminal_std", terminal_std, number(above=0))
        if alpha.ndim != 1 or alpha.shape != sigma.shape or len(alpha) < 2:
            raise ValueError(
                "alpha and sigma are two tables of one length of at least 2, but have shapes "
                f"{tuple(alpha.shape)} and {tuple(sigma.shape)}"
            )
        ratio = alpha / sigma
        if not (sigma > 0).all() or not (alpha >= 0).all() or not (ratio.diff() < 0).all():
            raise ValueError(
                "alpha_t / sigma_t must fall strictly from t = 0 to the last time, with sigma_t > 0 "
                "and alpha_t >= 0: these tables are not those of a forward diffusion"
            )
        # The clean level is appended, so that index -1 is time -1.
        self._alpha = torch.cat([alpha, alpha.new_ones(1)])
        self._sigma = torch.cat([sigma, sigma.new_zeros(1)])
        self.terminal_std = float(terminal_std)
        self._log_ratios = self._sigma[:-1].log() - self._alpha[:-1].log()

    def __repr__(self) -> str:
        return f"NoiseSchedule(T={self.num_timesteps}, terminal_std={self.terminal_std:g})"

    @classmethod
    def from_scheduler(cls, scheduler: Any, num_tokens: int | None = None) -> NoiseSchedule:
        """The schedule that a diffusers scheduler was configured with.

        Discrete variance-preserving schedulers are read from their ``alphas_cumprod`` (whatever
        the betas came from), EDM, VE and flow-matching ones from the sigmas that their config describes.

        Args:
            scheduler: the scheduler.
            num_tokens: how many tokens a transformer makes of one latent, which a flow-matching
                scheduler with ``use_dynamic_shifting`` shifts its sigmas by.

        Raises:
            ValueError: for a scheduler of another kind, or a shift by tokens without their number.
        """
        if not isinstance(scheduler, ConfigMixin):
            raise TypeError(f"scheduler is one of diffusers, like DDPMScheduler(), not {type(scheduler).__name__}")
        config = scheduler.config
        family = family_of(scheduler)
        if family == "EDM":
            steps = config.num_train_timesteps
            low, high = _bounds(config)
            if config.sigma_schedule == "exponential":
                return cls.variance_exploding(steps, low, high)
            ramp = torch.linspace(0, 1, steps, dtype=torch.float64, device="cpu")
            a, b = low ** (1 / config.rho), high ** (1 / config.rho)
            sigma = (a + ramp * (b - a)) ** config.rho
            return cls(torch.ones_like(sigma), sigma, terminal_std=high)
        if family == "FlowMatch":
            return cls._flow(config, num_tokens)
        if family == "ScoreSdeVe":
            return cls.variance_exploding(config.num_train_timesteps, *_bounds(config))
        name = type(scheduler).__name__
        if config.get("timestep_type", "discrete") == "continuous":
            raise ValueError(
                f"{name} with timestep_type='continuous' asks its network at a quarter of log sigma, between sigma_min "
                "and sigma_max: such networks are not known here"
            )
        if getattr(scheduler, "alphas_cumprod", None) is not None:
            abar = scheduler.alphas_cumprod.double().cpu()
            if config.get("rescale_betas_zero_snr", False):
                # Some schedulers lift the last level from 0 to 2^-24, above levels before it, for their samplers.
                abar = torch.cat([abar[:-1], abar.new_zeros(1)])
            if not (abar >= 0).all() or not (abar < 1).all() or not (abar.diff() < 0).all():
                raise ValueError(
                    f"{name} has betas (beta_start, beta_end, beta_schedule, trained_betas) that do not lie in (0, 1): "
                    "they add no noise"
                )
            return cls(abar.sqrt(), (1 - abar).sqrt())
        raise ValueError(
            f"{name} has neither alphas_cumprod nor EDM/VE sigmas, so its noise levels are unknown; "
            "load the prior with the scheduler that it was trained with (DDPMScheduler, "
            "DDIMScheduler, EDMEulerScheduler, ScoreSdeVeScheduler, FlowMatchEulerDiscreteScheduler ...)"
        )

    @classmethod
    def _flow(cls, config: Any, num_tokens: int | None) -> NoiseSchedule:
        r"""Rectified flow with its even sigmas shifted: s sigma / (1 + (s - 1) sigma).

        The shift s is the config's, or, where it depends on the resolution, exp(mu) (or mu, for the linear
        type) with mu linear in the number of tokens (Esser et al., arXiv:2403.03206, section 5.3.2).
        """
        other = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas", "shift_terminal")
        for name in other:
            if config.get(name, None):
                raise ValueError(f"a flow-matching scheduler with {name} is not known here; set it to its default")
        steps = config.num_train_timesteps
        sigma = torch.arange(1, steps + 1, dtype=torch.float64, device="cpu") / steps
        shift = float(config.get("shift", 1.0))
        if config.get("use_dynamic_shifting", False):
            if num_tokens is None:
                raise ValueError("this scheduler shifts its sigmas by the number of tokens: give num_tokens")
            few, many = config.base_image_seq_len, config.max_image_seq_len
            if few == many:
                raise ValueError(
                    f"base_image_seq_len and max_image_seq_len are two numbers of tokens, but are both {few}"
                )
            slope = (config.max_shift - config.base_shift) / (many - few)
            mu = config.base_shift + slope * (num_tokens - few)
            linear = config.get("time_shift_type", "exponential") == "linear"
            shift = mu if linear else math.exp(mu) if mu < math.log(LARGEST) else math.inf
            checked(f"the shift for {num_tokens} tokens (base_shift, max_shift)", shift, number(above=0))
        else:
            checked("shift", shift, number(above=0))
        sigma = shift * sigma / (1 + (shift - 1) * sigma)
        return cls(1 - sigma, sigma)

    @classmethod
    def variance_preserving(cls, num_timesteps: int = 1000, low: float = 1e-4, high: float = 0.02) -> NoiseSchedule:
        """DDPM's linear betas from ``low`` to ``high`` (Ho et al., arXiv:2006.11239, section 4)."""
        _check_length(num_timesteps)
        checked("low", low, number(above=0, most=1))
        checked("high", high, number(above=0, most=1))
        abar = torch.cumprod(1 - torch.linspace(low, high, num_timesteps, dtype=torch.float64, device="cpu"), 0)
        return cls(abar.sqrt(), (1 - abar).sqrt())

    @classmethod
    def variance_exploding(cls, num_timesteps: int = 1000, low: float = 0.01, high: float = 100.0) -> NoiseSchedule:
        """alpha = 1, and sigma growing by equal factors (Song et al., arXiv:2011.13456, section 3.4)."""
        _check_length(num_timesteps)
        checked("low", low, number(above=0))
        checked("high", high, number(above=0))
        sigma = low * (high / low) ** torch.linspace(0, 1, num_timesteps, dtype=torch.float64, device="cpu")
        return cls(torch.ones_like(sigma), sigma, terminal_std=high)

    @classmethod
    def rectified_flow(cls, num_timesteps: int = 1000) -> NoiseSchedule:
        """alpha = 1 - sigma, sigma = 1/T, 2/T, ..., 1 (Liu et al., arXiv:2209.03003, eq. 1)."""
        _check_length(num_timesteps)
        sigma = torch.arange(1, num_timesteps + 1, dtype=torch.float64, device="cpu") / num_timesteps
        return cls(1 - sigma, sigma)

    @property
    def num_timesteps(self) -> int:
        """T: the times are 0 ... T-1."""
        return len(self._alpha) - 1

    @property
    def last(self) -> int:
        """The noisiest time, T-1."""
        return self.num_timesteps - 1

    def alpha(self, t: int | Tensor) -> Tensor:
        r""":math:`\alpha_t`, float64 on the CPU, with the shape of t."""
        return self._alpha[t]

    def sigma(self, t: int | Tensor) -> Tensor:
        r""":math:`\sigma_t`, float64 on the CPU, with the shape of t."""
        return self._sigma[t]

    def log_snr(self, t: int | Tensor) -> Tensor:
        r""":math:`\log(\alpha_t^2 / \sigma_t^2)`, float64 on the CPU, with the shape of t."""
        return 2 * (self.alpha(t).log() - self.sigma(t).log())

    def time_of_ratio(self, ratio: float) -> int:
        r"""The time whose :math:`\sigma_t / \alpha_t` is nearest to ``ratio`` on the log scale.

        This carries a choice of noise levels from one schedule to another.
        """
        checked("ratio", ratio, number(above=0))
        return int((self._log_ratios - math.log(ratio)).abs().argmin())

    def check_timesteps(self, timesteps: Sequence[int]) -> tuple[int, ...]:
        """The posterior's timesteps T_e > ... > T_s as a tuple of ints.

        Raises:
            ValueError: where they are empty, not whole, outside 0 ... T-1 or not descending.
        """
        listed = timesteps.tolist() if isinstance(timesteps, (Tensor, np.ndarray)) else timesteps
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise ValueError(f"timesteps are one or more whole numbers, but are {shown(timesteps)}")
        times = tuple(listed)
        if not times or not all(isinstance(t, Integral) and not isinstance(t, bool) for t in times):
            raise ValueError(f"timesteps are one or more whole numbers, but are {times}")
        times = tuple(int(t) for t in times)
        if min(times) < 0 or max(times) > self.last:
            raise ValueError(f"timesteps {times} must lie in 0 ... {self.last}")
        if any(s >= t for t, s in zip(times, times[1:])):
            raise ValueError(f"timesteps {times} must fall from each to the next, from T_e (noisiest) to T_s")
        return times


def _bounds(config: Mapping) -> tuple[float, ...]:
    """sigma_min and sigma_max of a scheduler's config."""
    return tuple(float(checked(name, config[name], number(above=0))) for name in ("sigma_min", "sigma_max"))


def _check_length(num_timesteps: int) -> None:
    checked("num_timesteps", num_timesteps, whole(2, LONGEST))


def _table(name: str, given: object) -> Tensor:
    """A table of finite numbers, float64 on the CPU; a ValueError where it is none."""
    listed = given.tolist() if isinstance(given, (Tensor, np.ndarray)) and np.ndim(given) == 1 else given
    if not isinstance(listed, (list, tuple)) or not all(map(number().check, listed)):
        raise ValueError(f"{name} is a table of finite numbers, with shape (T,), but is {shown(given)}")
    return torch.tensor(listed, dtype=torch.float64, device="cpu")
