r"""Gaussian transitions between noise levels, for any schedule (VP, VE or rectified flow).

Letters as in the paper (VIPaint, arXiv:2411.18929): t is noisier than s, and z_t = alpha_t z_0 +
sigma_t eps. Every coefficient is a float64 CPU tensor with the shape of the times it was asked
for; :func:`like` brings it to a batch of images.
"""

from __future__ import annotations

from torch import Tensor

from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.wording import shown

__all__ = ["between", "check_times", "forward_step", "like", "posterior_std", "reverse_step"]


def like(coefficient: Tensor, z: Tensor) -> Tensor:
    """A coefficient per batch element, in z's precision and on its device, to broadcast over (C, H, W)."""
    c = coefficient.to(z.dtype)
    if c.ndim:
        c = c.to(z.device).reshape(*c.shape, 1, 1, 1)
    return c


def forward_step(schedule: NoiseSchedule, s: int | Tensor, t: int | Tensor) -> tuple[Tensor, Tensor]:
    r"""(a_ts, v_ts) of the forward step q(z_t | z_s) = N(a_ts z_s, v_ts), t > s.

    .. math:: a_{ts} = \alpha_t / \alpha_s, \quad v_{ts} = \sigma_t^2 - a_{ts}^2 \sigma_s^2
    """
    a = schedule.alpha(t) / schedule.alpha(s)
    return a, schedule.sigma(t) ** 2 - a**2 * schedule.sigma(s) ** 2


def check_times(schedule: NoiseSchedule, t: int | Tensor, s: int | Tensor | None = None) -> None:
    """Raise ValueError where t is no time of a schedule, or a step from t to s none: s is not noisier, or ``CLEAN``."""
    low = t if s is None else s
    least = 0 if s is None else CLEAN
    wrong = (low < least) | (low > t) | (t > schedule.last)  # numbers or tensors
    if wrong.any() if isinstance(wrong, Tensor) else wrong:
        to = "" if s is None else f" with s = {shown(s)}, which is not noisier than t, or {CLEAN}, the clean image"
        raise ValueError(f"times are whole numbers 0 ... {schedule.last}, but t = {shown(t)} came{to}")


def posterior_std(schedule: NoiseSchedule, t: int | Tensor, s: int | Tensor) -> Tensor:
    r"""Standard deviation of q(z_s | z_t, z_0), :math:`\sqrt{v_{ts}}\,\sigma_s / \sigma_t`.

    Ho et al. (DDPM, arXiv:2006.11239), eq. 7.
    """
    _, v = forward_step(schedule, s, t)
    return v.sqrt() * schedule.sigma(s) / schedule.sigma(t)


def reverse_step(
    schedule: NoiseSchedule, t: int | Tensor, s: int | Tensor, eta: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    r"""(c_0, c_t, std) of the reverse step p(z_s | z_t) = N(c_0 z0_hat + c_t z_t, std^2), s < t.

    .. math:: z_s = \alpha_s \hat z_0 + \sqrt{\sigma_s^2 - \varsigma^2}\,\hat\epsilon + \varsigma\xi,
              \quad \hat\epsilon = (z_t - \alpha_t \hat z_0) / \sigma_t

    with :math:`\varsigma` = eta times :func:`posterior_std`: eta = 1 is DDPM's ancestral step,
    eta -> 0 the deterministic one of DDIM (Song et al., arXiv:2010.02502, eq. 12).

    Raises:
        ValueError: for times that are none, or do not fall.
    """
    check_times(schedule, t, s)
    std = eta * posterior_std(schedule, t, s)
    c_t = (schedule.sigma(s) ** 2 - std**2).clamp_min(0).sqrt() / schedule.sigma(t)
    return schedule.alpha(s) - c_t * schedule.alpha(t), c_t, std


def between(
    schedule: NoiseSchedule, s: int | Tensor, u: int | Tensor, t: int | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""(c_s, c_t, std) of q(z_u | z_s, z_t) = N(c_s z_s + c_t z_t, std^2), s <= u <= t and s < t.

    .. math:: c_s = a_{us} v_{tu} / v_{ts}, \quad c_t = a_{tu} v_{us} / v_{ts}, \quad std^2 = v_{us} v_{tu} / v_{ts}
    """
    a_us, v_us = forward_step(schedule, s, u)
    a_tu, v_tu = forward_step(schedule, u, t)
    _, v_ts = forward_step(schedule, s, t)
    v_us, v_tu = v_us.clamp_min(0), v_tu.clamp_min(0)
    return a_us * v_tu / v_ts, a_tu * v_us / v_ts, (v_us * v_tu / v_ts).sqrt()
