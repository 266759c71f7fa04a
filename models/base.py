"""What every model of this package is: a prior and an operator, for N images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pyro
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import Factored, check_distribution
from vipaint_pyro.measurements.likelihood import Likelihood
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.counting import Calls
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.tensors import check_tensor

__all__ = ["ImageModel", "check_model"]


class ImageModel(ABC):
    """A Pyro program over the latents of N images and their measurement y.

    Attributes:
        prior: the diffusion model.
        operator: the measurement.
        likelihood: of y.
        num_images: N.
    """

    prior: DiffusionPrior
    operator: Operator
    likelihood: Likelihood
    num_images: int

    def __repr__(self) -> str:
        kinds = (type(part).__name__ for part in (self.operator, self.likelihood))
        facts = (f"{name} {value}" for name, value in self.outline().items())
        return f"{type(self).__name__}({', '.join((*kinds, *facts, repr(self.prior)))})"

    @abstractmethod
    def __call__(self, y: Tensor | None = None) -> Tensor:
        """Run the program; with ``y=None`` it draws images and measurements from the prior."""

    @abstractmethod
    def fitting(self) -> AbstractContextManager:
        """Around a fit: what the program remembers from call to call begins and ends here."""

    def forget(self) -> None:
        """Forget what the last run of a guide and of the program remembers, but inside of :meth:`fitting`."""
        return None

    @contextmanager
    def counted(self, calls: Calls) -> Iterator[None]:
        """A block in which what the model and its guides ask the prior is added to ``calls``, and to no other count."""
        outside, self.prior = self.prior, self.prior.counted(calls)
        try:
            yield
        finally:
            self.prior = outside

    def outline(self) -> dict[str, object]:
        """What a guide of another model must share with this one to serve here."""
        return {"images": self.num_images, "latents": tuple(self.prior.latent_shape)}

    def images(self) -> pyro.plate:
        """The plate over the N images."""
        return pyro.plate("images", self.num_images, dim=-1)

    def observe(self, seen: TorchDistributionMixin, y: Tensor | None) -> None:
        """The site ``y``, and for a likelihood with a factor of its own the factor ``perceptual`` beside it.

        Raises:
            TypeError: for a y that is no tensor of numbers, a likelihood that gives no distribution of Pyro.
            ValueError: for y of another shape than the operator's, a likelihood that is none of N images.
        """
        density = seen.base_dist if isinstance(seen, Factored) else seen
        name = f"{type(self.likelihood).__name__}.at(operator, prediction)"
        check_distribution(name, density, "dist.Normal(mean, std).to_event(3)")
        if len(density.event_shape) != 3 or density.batch_shape[-1:] != (self.num_images,):
            raise ValueError(
                f"{name} gives a distribution whose rightmost batch dimension are the {self.num_images} images and "
                f"whose event is (C', H', W'), but gave batch shape {tuple(density.batch_shape)} and event shape "
                f"{tuple(density.event_shape)}"
            )
        shape = (*density.batch_shape[-1:], *density.event_shape)
        if y is not None:
            check_tensor("y", y, "(N, C', H', W')", bools=False)
        if y is not None and y.shape != shape:
            raise ValueError(f"y has shape {tuple(y.shape)}, but the operator measures {tuple(shape)}")
        if y is not None and not y.isfinite().all():
            raise ValueError("y holds values that are not finite; entries that are not observed are 0, not NaN")
        y = pyro.sample("y", density, obs=y)
        if isinstance(seen, Factored):
            log_factor = seen.log_factor(y)
            with torch.device(log_factor.device):  # Pyro would bring it to the default one
                pyro.factor("perceptual", log_factor)


def check_model(model: object, kind: type[ImageModel] = ImageModel) -> None:
    """Raise TypeError where something is no model of this kind."""
    if not isinstance(model, kind):
        raise TypeError(f"model is a vipaint_pyro.models.{kind.__name__}, not {type(model).__name__}")
