r"""Measurements that are not linear, or whose noise is not Gaussian: y ~ family(h(x)).

Counts, thresholds, magnitudes: whatever the measurement, it takes a function h from an image to the parameter
of a distribution for each entry of y, and that distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.checks import check_images, check_shape, check_trial, over_batch, tried
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.trial import check_gradient
from vipaint_pyro.wording import shown

__all__ = ["Nonlinear"]


class Nonlinear(Operator):
    r"""A measurement :math:`y_i \sim \mathrm{family}(h(x)_i)`, as an operator that brings its likelihood.

    A :class:`~vipaint_pyro.models.DiffusionModel` takes it as the pair of them. Photon counts, 30 in a white pixel
    and a few by chance in a black one::

        counts = Nonlinear(
            lambda x: 0.3 + 15 * (x.clamp_min(-1) + 1), dist.Poisson, (1, 28, 28),
            start=lambda y: y / 15 - 1,
        )
        model = DiffusionModel(prior, counts, (500, 250), counts.likelihood)

    An image thresholded at 0 through a slope, whose family has its parameter not in the units of y::

        Nonlinear(lambda x: 20 * x, Family(lambda logits: dist.Bernoulli(logits=logits), saturated=0.0), (1, 28, 28))

    Phase retrieval, magnitudes of the Fourier transform with Gaussian noise::

        Nonlinear(lambda x: torch.fft.fft2(x, norm="ortho").abs(), lambda loc: dist.Normal(loc, 0.05), (1, 28, 28))

    A fit follows the density of the family. So does the refinement, by the root of the deviance
    (:meth:`vipaint_pyro.measurements.any_family.Family.distance`).

    There is no adjoint and no matrix: moment-matched and exact likelihoods are for linear measurements.

    Args:
        function: h, differentiable, images (B, C, H, W) to parameters (B, C', H', W'), each image by itself. z
            may lie outside [-1, 1], and h has to give a parameter that the family takes there too, with a finite
            gradient: a Poisson's rate of 0 has none. A rounding, whose gradient is 0, goes into the family.
        family: parameters to a distribution of one number for each of them, or a
            :class:`~vipaint_pyro.measurements.any_family.Family` of them with settings of its own.
        image_shape: (C, H, W).
        num_images: N, all measured alike.
        start: y to images (*, N, C, H, W) where guides begin; by default mid-grey, 0.
        observed: bool, broadcasts to (N, C', H', W'), which entries are known; by default all. the others
            hold 0 in y, which the family has to allow, and count for nothing.
        dtype: of the trial call that finds (C', H', W') and whether h has a gradient.
        device: of the trial and of ``observed``, by default the CPU.

    Raises:
        TypeError: where function or family give no tensor and no distribution.
        ValueError: where the function cannot be called, has no gradient for any of a few random images, or shapes do
            not fit.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        family: Callable[[Tensor], TorchDistributionMixin] | Family,
        image_shape: Sequence[int],
        num_images: int = 1,
        *,
        start: Callable[[Tensor], Tensor] | None = None,
        observed: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        for name, value in (("function", function), ("family", family)):
            if not callable(value):
                raise TypeError(f"{name} is to be called, but is {shown(value)}")
        if start is not None and not callable(start):
            raise TypeError(f"start is to be called, with y, but is {shown(start)}")
        check_trial(dtype, device)
        self.image_shape, num_images = check_images(image_shape, num_images)
        self.function, self.start, self._dtype = function, start, dtype
        self.likelihood = family if isinstance(family, Family) else Family(family)
        loc = self._tried(device)
        seen = self.likelihood.tried(loc)
        if seen.batch_shape != loc.shape or seen.event_shape:
            raise ValueError(
                f"the family gives one number for each of the parameters {tuple(loc.shape)}, but has batch shape "
                f"{tuple(seen.batch_shape)} and event shape {tuple(seen.event_shape)}"
            )
        self.measured_shape = tuple(loc.shape[1:])
        self.observed = self._mask(observed, num_images, device)

    def _tried(self, device: torch.device | str | None) -> Tensor:
        """What the function makes of two random images, once it has passed."""
        generator = torch.Generator().manual_seed(0)
        # Of images made in inference mode no gradient would be recorded.
        with torch.inference_mode(False), torch.enable_grad():
            x = torch.rand(2, *self.image_shape, generator=generator, dtype=torch.float64, device="cpu")
            x = (x.to(device, self._dtype) * 2 - 1).requires_grad_()
            _, loc = tried(self.function, x.clone())  # which it may write into
            if not isinstance(loc, Tensor):
                raise TypeError(f"the function gives a tensor, but this one gave {type(loc).__name__}")
            if loc.ndim != 4 or len(loc) != len(x):
                raise ValueError(f"images {tuple(x.shape)} became {tuple(loc.shape)}, which is not (B, C', H', W')")
            check_gradient("the function", self.function, x, loc)
        return loc.detach()

    def _mask(self, observed: Tensor | None, num_images: int, device: torch.device | str | None) -> Tensor:
        shape = (num_images, *self.measured_shape)
        if observed is None:
            return torch.ones(shape, dtype=torch.bool, device=device)
        if not isinstance(observed, Tensor) or observed.dtype != torch.bool:
            kind = f"has dtype {observed.dtype}" if isinstance(observed, Tensor) else f"is {type(observed).__name__}"
            raise TypeError(f"observed is a bool tensor, but {kind}")
        try:
            return observed.expand(shape).to(device or observed.device)
        except RuntimeError:
            raise ValueError(f"observed {tuple(observed.shape)} does not broadcast to y's shape {shape}") from None

    def __call__(self, x: Tensor) -> Tensor:
        """h(x), with shape (*, N, C', H', W'), of images (*, N, C, H, W).

        Raises:
            ValueError: for images of another shape.
        """
        check_shape("x", x, self.image_shape)
        return over_batch(self.function, x)

    def blank(self, y: Tensor) -> Tensor:
        return super().blank(y).to(self.observed.device, self._dtype)

    def estimate(self, y: Tensor) -> Tensor:
        """Images (*, N, C, H, W) where guides begin: ``start(y)``, or mid-grey.

        Raises:
            ValueError: where y, or what ``start`` makes of it, has another shape.
        """
        check_shape("y", y, self.measured_shape)
        if self.start is None:
            return y.new_zeros(*y.shape[:-3], *self.image_shape)
        x = self.start(y)
        if x.shape != (*y.shape[:-3], *self.image_shape):
            raise ValueError(f"start made {tuple(x.shape)} of y {tuple(y.shape)}, not images of {self.image_shape}")
        return x
