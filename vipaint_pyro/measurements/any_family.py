"""Likelihoods of any family of distributions: counts, thresholds, other noise than Gaussian."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.measurements.likelihood import Noise, check_depends
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.settings import checked, number, switch
from vipaint_pyro.wording import shown

__all__ = ["Family"]


@dataclass(frozen=True, eq=False)
class Family(Noise):
    r"""A likelihood of any family: a distribution of each entry of y for each entry of A x, or of h(x).

    A fit needs nothing but its density and the gradient of it. A refinement that is given it
    follows it too, by way of its :meth:`distance`.

    Args:
        family: parameters to a distribution of one number for each of them.
        saturated: the largest log density that any parameter gives y: a number, or a function of y with y's shape.
            By default ``family(y).log_prob(y)``, right where the parameter is the mode or the mean of y (Poisson,
            Normal, Laplace, Bernoulli by its probability). 0 for a Bernoulli by its logits. :meth:`check` tries it.
        unit: > 0, of the discrepancy. With the standard deviation of Gaussian noise it is DPS's own.
        stop_at_noise: whether a refinement pulls no further than the family's own noise leaves (:meth:`floor`). On
            Fashion-MNIST pictures of up to 6 and 30 photons a pixel, half and more of the noise is fitted without.
    """

    family: Callable[[Tensor], TorchDistributionMixin]
    saturated: float | Callable[[Tensor], Tensor] | None = None
    unit: float = 1.0
    stop_at_noise: bool = True

    def __post_init__(self) -> None:
        if not callable(self.family):
            raise TypeError(f"family is to be called, with parameters, but is {shown(self.family)}")
        if not (self.saturated is None or callable(self.saturated) or number().check(self.saturated)):
            raise ValueError(f"saturated is a finite number or a function of y, but is {shown(self.saturated)}")
        if not number(above=0).check(self.unit):
            raise ValueError(f"unit is positive, but is {shown(self.unit)}")
        checked("stop_at_noise", self.stop_at_noise, switch())

    def __call__(self, loc: Tensor) -> TorchDistributionMixin:
        return self.family(loc)

    def tried(self, loc: Tensor) -> TorchDistributionMixin:
        """The family's distribution; a ValueError in one line where it does not take these parameters.

        A TypeError where it gives none.
        """
        try:
            law = self.family(loc)
        except ValueError as error:
            low, high = (f"{v:g}" for v in (loc.min(), loc.max()))
            raise ValueError(
                f"the family does not take the parameters that the function gives, {low} ... {high}: bring them into "
                "its range (a rate is positive), for any images"
            ) from error
        if not isinstance(law, torch.distributions.Distribution):
            raise TypeError(f"the family gives a distribution, but this one gave {type(law).__name__}")
        return law

    def check(self, operator: Operator, y: Tensor) -> None:
        """Raise ValueError where y (N, C', H', W') holds what the family cannot give, or is not judged by its deviance.

        Its parameters are those of grey images; the deviance is also that of light, dark and random ones.
        """
        with torch.no_grad():
            grey = operator.blank(y)
            loc = operator(grey)
            self._check_support(self.tried(loc), y)
            check_depends("the family", self.family, loc, y.to(loc))
            wide = torch.float32 if loc.device.type == "mps" else torch.float64
            for x in (grey, *_others(grey)):
                loc = operator(x).to(wide)
                try:
                    log_p = self.family(loc).log_prob(y.to(loc))
                except ValueError:  # not for these images: that is said where it comes to them
                    continue
                self._gap(operator.observed.to(loc.device), y.to(loc), log_p, 1e-3)

    def _check_support(self, seen: TorchDistributionMixin, y: Tensor) -> None:
        try:
            wrong = y[~seen.support.check(y).expand(y.shape)]
        except NotImplementedError:  # a distribution that does not say
            return
        if wrong.numel():
            raise ValueError(
                f"y holds {wrong[0].item():g}, which a {type(seen).__name__} cannot give: "
                f"its values are {seen.support}. "
                "y of a nonlinear measurement is in the units of its family (counts are whole numbers, not pictures)"
            )

    def deviance(self, operator: Operator, y: Tensor, x: Tensor) -> Tensor:
        r"""The deviance :math:`2 \sum_i [\max \log p(y_i) - \log p(y_i | x)] \ge 0` over observed entries.

        Half of it is the negative log likelihood up to a constant (McCullagh and Nelder, Generalized Linear
        Models, 1989, section 2.3). For Gaussian noise it is :math:`\lVert y - A x\rVert^2 / \sigma^2`.

        Args:
            operator: the measurement.
            y: with shape (N, C', H', W'), or what broadcasts against A x.
            x: images (*, N, C, H, W).

        Returns:
            A tensor with shape (*, N).

        Raises:
            ValueError: where ``saturated`` is not the largest log density.
        """
        log_p = self.family(operator(x)).log_prob(y)
        gap = self._gap(operator.observed, y, log_p)
        return 2 * gap.sum((-3, -2, -1))

    def _gap(self, observed: Tensor, y: Tensor, log_p: Tensor, least: float = 0.0) -> Tensor:
        """How far log p of each entry of y is below the largest that it can have; 0 where not observed.

        A ValueError where it is above, by more than rounding and ``least``.
        """
        gap = torch.where(observed, self._largest(y, log_p) - log_p, 0)
        size = 1 + log_p.detach().abs()
        # A count's terms, y log rate and log y!, are as large as y, and all but cancel.
        slack = least * size + 1e3 * torch.finfo(gap.dtype).eps * (size + y.abs())
        if (gap.detach() < -slack).any():
            raise ValueError(self._words)
        return gap

    def _largest(self, y: Tensor, log_p: Tensor) -> Tensor | float:
        if self.saturated is not None:
            return self.saturated(y) if callable(self.saturated) else self.saturated
        try:
            return self.family(y.expand(log_p.shape)).log_prob(y)
        except ValueError as error:  # y is no parameter that the family takes
            raise ValueError(self._words) from error

    @property
    def _words(self) -> str:
        words = "saturated is not the largest log density that y can have: "
        if self.saturated is not None:
            return f"{words}it is {shown(self.saturated)}, and there are images that give y a larger one"
        return (
            f"{words}the family's parameter is not in the units of y. Give that density, 0 where y has a probability "
            "(a Bernoulli by its logits): Family(family, saturated=0.0) of vipaint_pyro.measurements.any_family"
        )

    def distance(self, operator: Operator, y: Tensor, x: Tensor) -> Tensor:
        """``unit`` times the root of the deviance, with shape (*, N): what refinement pulls down.

        For Gaussian noise of standard deviation ``unit`` that is the norm of y - A x.
        """
        # No gradient at 0, where there is nothing left to correct.
        return self.unit * self.deviance(operator, y, x).clamp_min(1e-20).sqrt()

    def floor(self, operator: Operator, y: Tensor, x: Tensor, noise: NoiseStreams) -> Tensor | float:
        r"""The distance of data drawn at x itself, with shape (*, N): what is left where x is the truth.

        One draw of every entry: over d entries the deviance is known to about :math:`\sqrt{2 / d}` of itself. 0 without
        ``stop_at_noise``.

        Args:
            operator: the measurement.
            y: not looked at.
            x: images (*, N, C, H, W).
            noise: a seed per image, which its draws depend on alone, each sample's on its number; the global random
                state is left as it is.
        """
        if not self.stop_at_noise:
            return 0.0
        with torch.no_grad():
            loc = operator(x)
            samples, seeds = loc.reshape(-1, *loc.shape[-4:]).split(1), noise.seeds()
            drawn = [self._drawn(one, [seed + i for seed in seeds]) for i, one in enumerate(samples, noise.first)]
            return self.distance(operator, torch.cat(drawn).reshape(loc.shape), x)

    def _drawn(self, loc: Tensor, seeds: list[int]) -> Tensor:
        """A draw of every entry of one sample, (1, N, C', H', W'), each image's from its seed."""
        drawn = []
        for one, seed in zip(loc.split(1, -4), seeds, strict=True):
            with isolated(seed):
                drawn.append(self.family(one).sample())
        return torch.cat(drawn, -4)


def _others(grey: Tensor) -> Iterator[Tensor]:
    """Images like these that differ from each other: light, dark and random, in [-0.9, 0.9]."""
    yield from (grey + 0.9, grey - 0.9)
    generator = torch.Generator().manual_seed(0)
    yield torch.rand(grey.shape, generator=generator, dtype=torch.float64, device="cpu").to(grey) * 1.8 - 0.9
