"""What was seen: the operator, the likelihood and y, as one thing that is checked once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihood import Likelihood, as_likelihood
from vipaint_pyro.measurements.likelihoods import Gaussian, Noiseless
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.trial import try_operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import whole
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import counted, shown

__all__ = [
    "Measurement", "brought_to", "check_fits", "check_measurement", "check_operator", "check_shape_of_y", "check_y",
    "y_for",
]  # fmt: skip


def check_operator(operator: object) -> None:
    """Raise TypeError where something is no :class:`~vipaint_pyro.measurements.operator.Operator`.

    And ValueError where one of a user's does not do what it says, which it is tried for once.
    """
    if not isinstance(operator, Operator):
        raise TypeError(
            "operator is one of vipaint_pyro.make_operator(task, image_shape), a function of your own wrapped as "
            "vipaint_pyro.LinearMap(function, image_shape) or vipaint_pyro.Nonlinear(function, family, image_shape), "
            f"or a subclass of vipaint_pyro.measurements.Operator or LinearOperator, not {shown(operator)}"
        )
    observed, shape, name = operator.observed, operator.image_shape, type(operator).__name__
    if not isinstance(observed, Tensor) or observed.dtype != torch.bool or observed.ndim != 4:
        raise TypeError(
            f"the operator's observed is a bool tensor (N, C', H', W'), which entries of y are known, but that of this "
            f"{name} is {'not there' if observed is None else shown(observed)}"
        )
    if not isinstance(shape, Sequence) or len(shape) != 3 or not all(whole().check(n) for n in shape):
        raise TypeError(
            f"the operator's image_shape is (C, H, W), of the images, but that of this {name} is "
            f"{'not there' if shape is None else shown(shape)}"
        )
    try_operator(operator)


def check_shape_of_y(observed: Tensor, y: Tensor) -> None:
    """Raise ValueError where y has not the shape of what is observed, of which one image or channel stands for all."""
    if not _fits(observed, y):
        shape, mended = tuple(observed.shape), _mended(observed, y)
        words = f"y has the shape of what is observed, {shape} (channels may be shared), but came with {tuple(y.shape)}"
        raise ValueError(words + (f": {mended} has it" if mended else ""))


def _fits(observed: Tensor, y: Tensor) -> bool:
    sides = y.shape[2:] != observed.shape[2:]
    return y.ndim == 4 and not sides and not any(o not in (1, n) for o, n in zip(observed.shape, y.shape))


def _mended(observed: Tensor, y: Tensor) -> str:
    """What gives y the shape and leaves the picture whole; empty where nothing does, or two things that differ."""
    wide = y[(None,) * (4 - y.ndim)] if y.ndim < 4 else y
    ways = []
    if y.ndim in (3, 4) and y.shape[-1] > 1 and _fits(observed, wide.movedim(-1, -3)):
        ways.append("y.permute(0, 3, 1, 2)" if y.ndim == 4 else "y.permute(2, 0, 1)[None]")
    whole = tuple(wide.shape if _fits(observed, wide) else observed.shape)
    if [n for n in y.shape if n != 1] == [n for n in whole if n != 1]:  # or pixels would change places
        ways.append(f"y.reshape{whole}")
    return ways[0] if len(ways) == 1 else ""


def check_y(operator: Operator, y: Tensor, likelihood: Likelihood) -> None:
    """Raise TypeError where y is no tensor, ValueError where it is not what an operator measures of N images.

    That is: (N, C', H', W') in the shape of what is observed (channels may be shared), finite, and possible for the
    likelihood (where that is of noise in a linear measurement, no whole numbers beyond [-1, 1]).
    """
    check_tensor("y", y, "(N, C', H', W')", bools=False)
    observed = operator.observed
    if y.ndim == 4 and y.shape[0] != observed.shape[0]:
        raise ValueError(f"y holds {counted(y.shape[0], 'image')}, but {observed.shape[0]} are measured")
    check_shape_of_y(observed, y)
    if not torch.isfinite(y).all():
        raise ValueError("y holds values that are not finite; entries that are not observed are 0, not NaN")
    likelihood.check(operator, y)


def y_for(operator: Operator, likelihood: Likelihood, given: Tensor | Measurement) -> Tensor:
    """y (N, C', H', W') of a model with this operator and likelihood; of a measurement its y, under the model's own.

    Raises:
        TypeError, ValueError: as :func:`check_y`, and for a measurement of other entries than the model's.
    """
    y = given.y if isinstance(given, Measurement) else given
    check_y(operator, y, likelihood)
    if not isinstance(given, Measurement):
        _warn_of_mistaken(operator, y)
    else:
        theirs, ours = given.operator.observed.cpu(), operator.observed.cpu()
        if not torch.equal(theirs.expand(y.shape), ours.expand(y.shape)):
            raise ValueError("the measurement has another mask than the model: make the model of its operator")
    return y


def _warn_of_mistaken(operator: Operator, y: Tensor) -> None:
    """Say that a mask may be the wrong way round, where y is 0 exactly where it is known, or y be of bytes."""
    if not isinstance(operator, Inpainting):
        return
    if y.min() >= 0 and 8 < y.max() <= 255:
        warnings.warn(
            f"y goes from {y.min():g} to {y.max():g}, as bytes of a picture do, and images are in [-1, 1]: y / 127.5 - "
            "1 is of bytes what is meant",
            stacklevel=4,
        )
    known = operator.observed.to(y.device).expand(y.shape)
    if known.any() and not y[known].any() and y[~known].any():
        warnings.warn(
            "y is 0 wherever it is observed, and is not where it is hidden: the mask may be inverted. observed is True "
            "where a pixel is known, and y is 0 where it is not",
            stacklevel=4,
        )


def check_fits(operator: Operator, prior: DiffusionPrior) -> None:
    """Raise ValueError where an operator measures images of another size than a prior's."""
    if not operator.fits(prior.image_shape):
        seen, shape = tuple(operator.image_shape), tuple(prior.image_shape)
        raise ValueError(
            f"the operator measures images of shape {seen}, but those of this prior have {shape}: make it for these"
        )


def brought_to(prior: DiffusionPrior, operator: Operator) -> Operator:
    """An operator where a prior computes; one that is there already is returned itself."""
    return operator if operator.observed.device == prior.device else operator.to(prior.device)


@dataclass(frozen=True, eq=False)
class Measurement:
    """A measurement of N images: y = A x, and the noise in it.

    Args:
        operator: A, of N images.
        likelihood: of y given A x: what is believed of the noise. A function of A x is one, too.
        y: (N, C', H', W'), in units of images in [-1, 1] (of a nonlinear operator, in those of its family), 0 where
            not observed. One that is 0 where observed alone is warned of: the mask may be inverted.

    Raises:
        TypeError: where the operator, the likelihood or y is none.
        ValueError: where y is not what the operator measures; see :func:`check_y`.
    """

    operator: Operator
    likelihood: Likelihood
    y: Tensor

    def __post_init__(self) -> None:
        check_operator(self.operator)
        object.__setattr__(self, "likelihood", as_likelihood(self.likelihood))
        check_y(self.operator, self.y, self.likelihood)
        _warn_of_mistaken(self.operator, self.y)

    @classmethod
    def of(cls, operator: Operator, y: Tensor) -> Measurement:
        """With the likelihood that the operator brings, or none of the noise known."""
        check_operator(operator)
        return cls(operator, operator.likelihood or Noiseless(), y)

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.y)

    def part(self, start: int, stop: int) -> Measurement:
        """That of the images start ... stop - 1 alone."""
        operator, likelihood = self.operator.part(start, stop), self.likelihood.part(start, stop)
        return self._with(operator=operator, likelihood=likelihood, y=self.y[start:stop])

    def to(self, device: torch.device, dtype: torch.dtype) -> Measurement:
        """The same on another device and in another precision."""
        operator, likelihood = self.operator.to(device), self.likelihood.to(device, dtype)
        y = self.y.clone() if self.y.is_inference() else self.y  # one made in inference mode takes part in no gradient
        return self._with(operator=operator, likelihood=likelihood, y=y.to(device, dtype))

    def noisy(self, sigma: float) -> Measurement:
        """The same with Gaussian noise of standard deviation sigma, 0 for none, where nothing is known of the noise."""
        unknown = isinstance(self.likelihood, Noiseless) and sigma
        return self._with(likelihood=Gaussian(sigma)) if unknown else self

    def _with(self, **changes: object) -> Measurement:
        """The same but for these, which need no new check."""
        changed = copy(self)
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(y | x) of images x (*, N, C, H, W), with shape (*, N); what is not observed counts for nothing."""
        return self.likelihood.at(self.operator, Prediction.certain(x)).log_prob(self.y.to(x))

    def distance(self, x: Tensor) -> Tensor:
        """How far images x (*, N, C, H, W) are from explaining y, (*, N) and at least 0.

        A refinement goes down it.

        Raises:
            ValueError: where the likelihood's own is of another shape, without a gradient, or negative.
        """
        given: object = self.likelihood.distance(self.operator, self.y, x)
        followed = x.requires_grad and torch.is_grad_enabled()
        if not isinstance(given, Tensor) or given.shape != x.shape[:-3] or (followed and not given.requires_grad):
            self._refuse(given, x)
        if (given < 0).any():
            raise ValueError(
                f"{type(self.likelihood).__name__}.distance is at least 0, and 0 where x explains y as well as can be: "
                f"a refinement goes down it, and below 0 away from y. It gave {float(given.min()):.4g}"
            )
        return given

    def _refuse(self, given: object, x: Tensor) -> NoReturn:
        """A distance that is none: of another shape it would couple samples, without a gradient pull at nothing."""
        shape, came = tuple(x.shape[:-3]), tuple(given.shape) if isinstance(given, Tensor) else shown(given)
        raise ValueError(
            f"{type(self.likelihood).__name__}.distance gives a tensor (*, N), one distance for each image of each "
            f"sample, summed over (C', H', W') alone and with x's gradient; of x {tuple(x.shape)} that is {shape}, but "
            f"it gave {came}{' without a gradient' if came == shape else ''}"
        )

    def floor(self, x: Tensor, noise: NoiseStreams) -> Tensor | float:
        """What the noise leaves of the distance where x is the truth; further down noise is fitted."""
        return self.likelihood.floor(self.operator, self.y, x, noise)


def check_measurement(measurement: object) -> None:
    """Raise TypeError where something is no :class:`Measurement`."""
    if not isinstance(measurement, Measurement):
        raise TypeError(f"measurement is a vipaint_pyro.measurements.Measurement, not {type(measurement).__name__}")
