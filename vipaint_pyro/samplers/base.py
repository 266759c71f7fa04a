"""What a sampler returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from vipaint_pyro.guides import Guide
from vipaint_pyro.inference.fit import FitResult

__all__ = ["Samples"]


@dataclass
class Samples:
    """Draws from a posterior over images.

    Attributes:
        images: (S, N, C, H, W), about [-1, 1], neither clipped nor composited.
        calls: denoiser calls per image (one call = one network evaluation of one z; those of
            the fit and of the refinement together).
        guide: the fitted guide, where the method has one.
        fit: the fit's record, where there was one.
        levels: E[z_0 | z_t], decoded, at each timestep of the guide's draws: t -> (S, N, C, H, W).
        seconds: phase -> seconds.
        diagnostics: of a correction, one number per image each: ``log_evidence``, and ``k_hat`` and
            ``ess`` (psis) or ``smallest_ess`` and ``ancestors`` (smc).
    """

    images: Tensor
    calls: dict[str, int]
    guide: Guide | None = None
    fit: FitResult | None = None
    levels: dict[int, Tensor] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    diagnostics: dict[str, list[float]] = field(default_factory=dict)
