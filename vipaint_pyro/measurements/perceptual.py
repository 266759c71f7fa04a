r"""The perceptual likelihood: L1 and LPIPS, as VIPaint weighs the pixels that are known.

Agarwal et al., arXiv:2411.18929, section 4; LPIPS is that of Zhang et al., arXiv:1801.03924.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from vipaint_pyro.distributions import Factored
from vipaint_pyro.measurements.likelihood import Likelihood
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import checked, number, path
from vipaint_pyro.wording import shown

__all__ = ["Perceptual", "check_asked", "published_weight"]


def check_asked(settings: object, *weights: str) -> None:
    """Raise ValueError where settings say which LPIPS, and none of its ``weights`` asks for one.

    Args:
        settings: of a sampler, with ``perceptual_net`` and ``perceptual_weights``.
        weights: the names of its weights of LPIPS.
    """
    given = vars(settings)
    if any(given[name] for name in weights):
        return
    for name, unless in (("perceptual_weights", (None, "")), ("perceptual_net", ("alex",))):
        if given[name] not in unless:
            which = " or ".join(weights)
            raise ValueError(f"{name} is of LPIPS, which has no weight here: give {which}, or leave {name} out")


def published_weight(prior: DiffusionPrior) -> float:
    """The weight of the paper's code beside a KL of weight 1: d, the number of the prior's latent dimensions.

    Its objective, all of it times d / 100, is sum KL + kappa ``sum |r|`` + d LPIPS. On a pixel model kappa is 1,
    which is Laplace noise of b = 1, this library's default.
    """
    return float(math.prod(prior.latent_shape))


@dataclass(frozen=True, eq=False)
class Perceptual(Likelihood):
    r"""A likelihood of the pixels times :math:`e^{-\lambda\,\mathrm{LPIPS}}`, both where observed.

    .. math:: \log \tilde p(y | x) = \log p_\mathrm{pixel}(y | A x) - \lambda\,\mathrm{LPIPS}(m y, m A x)

    with m = ``operator.observed``. The factor has no normaliser: in a program it is the ``pyro.factor``
    named ``perceptual`` beside the sample site ``y``, and what a fit bounds is :math:`\log\int\tilde p(y|x)p(x)`,
    to be compared only with fits of the same weight.

    Masking is that of the paper's first code: *both* pictures are 0 (mid-grey) where m is 0. A hidden pixel of
    A x is thrown away before the network sees it, so that its derivative is exactly 0, however far the
    network looks. (The later code puts the prediction, detached, into the hole of y, and averages the
    distance over the mask's share of each layer instead.) The mean that LPIPS takes over places runs over the
    hole too, where both pictures agree: a larger hole makes the term smaller.

    Computed in float32, picture by picture of a batch, in chunks; returned in the precision of x.

    Args:
        weight: lambda, in nats per unit of LPIPS, at least 0. :func:`published_weight` is the paper's.
        pixel: the likelihood of the pixels, one of :mod:`vipaint_pyro.measurements.likelihoods` .
        net: ``"alex"`` or ``"vgg"`` (the paper's).
        weights: a file with the network's weights; see :class:`vipaint_pyro.measurements.lpips.LPIPS`. It is loaded
            when first needed and shared by all that name the same.

    Raises:
        ValueError: for a weight that is negative, infinite or a bool, or another network.
    """

    weight: float
    pixel: Likelihood = field(default_factory=Laplace)
    net: str = "alex"
    weights: str | Path | None = None

    def __post_init__(self) -> None:
        if isinstance(self.weight, bool):
            raise ValueError(
                "the perceptual weight is a number of nats per unit of LPIPS, like published_weight(prior), not a bool"
            )
        if not number(least=0).check(self.weight):
            raise ValueError(f"the perceptual weight is finite and at least 0, but is {shown(self.weight)}")
        if not isinstance(self.pixel, Likelihood):
            raise TypeError(f"pixel is one of vipaint_pyro.measurements' likelihoods, not {shown(self.pixel)}")
        if self.weights is not None:
            checked("weights", self.weights, path())
        if self.net not in ("alex", "vgg"):
            raise ValueError(f"the perceptual net is 'alex' or 'vgg', not {shown(self.net)}")

    def at(self, operator: Operator, prediction: Prediction) -> Factored:
        """p(y | z_t) of the pixels, times the factor."""
        seen = self.pixel.at(operator, prediction)
        return Factored(seen, lambda y: -self.penalty(operator, y, prediction.x))

    def distance(self, operator: Operator, y: Tensor, x: Tensor) -> Tensor:
        """That of the pixels."""
        return self.pixel.distance(operator, y, x)

    def floor(self, operator: Operator, y: Tensor, x: Tensor, noise: NoiseStreams) -> Tensor | float:
        """That of the pixels."""
        return self.pixel.floor(operator, y, x, noise)

    def check(self, operator: Operator, y: Tensor) -> None:
        """Raise now what a fit would come to: the errors of the pixels' likelihood, and those of :meth:`penalty`."""
        self.pixel.check(operator, y)
        _check_picture(y.shape[-3:])
        shared_lpips(self.net, self._weights(), y.device)

    def part(self, start: int, stop: int) -> Perceptual:
        return replace(self, pixel=self.pixel.part(start, stop))

    def to(self, device: torch.device, dtype: torch.dtype) -> Perceptual:
        return replace(self, pixel=self.pixel.to(device, dtype))

    def penalty(self, operator: Operator, y: Tensor, x: Tensor) -> Tensor:
        """lambda LPIPS(m y, m A x) >= 0 of each image, in nats.

        Args:
            operator: the measurement, whose y are pictures of one or three channels.
            y: (N, C', H', W') in [-1, 1], or with the leading axes of x.
            x: (*, N, C, H, W).

        Returns:
            (*, N), with a gradient to x.

        Raises:
            ValueError: for measurements that are no pictures.
            FileNotFoundError: where ``weights`` is missing.
        """
        seen = torch.where(operator.observed, operator(x), 0)
        _check_picture(seen.shape[-3:])
        y = torch.where(operator.observed, y, 0).to(seen)
        return self.weight * shared_lpips(self.net, self._weights(), seen.device).spread(seen, y)

    def _weights(self) -> str | None:
        given = self.weights or os.environ.get(f"VIPAINT_LPIPS_{self.net.upper()}")
        return None if given is None else str(given)


def _check_picture(shape: torch.Size) -> None:
    if shape[0] not in (1, 3) or min(shape[1:]) < 2:
        raise ValueError(
            f"the perceptual distance is one of pictures, (1 or 3, H, W), but the operator measures {tuple(shape)}"
        )
