"""A data set as a diffusion prior: every image a narrow Gaussian."""

from __future__ import annotations

from torch import Tensor

from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.settings import number
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["DatasetPrior"]

#: By how much pictures may be beyond their range.
_ROUNDING = 1e-3


class DatasetPrior(GaussianMixturePrior):
    r"""Every image of a data set as a narrow Gaussian: an exact prior over real pictures.

    Args:
        images: (K, C, H, W) in [-1, 1]. Float64 is advised: squared distances over std^2 are large.
        std: of each Gaussian, in the same units.
        schedule: the noise levels.
        weights: of the images, by default all alike.
        kernel: see :class:`GaussianMixturePrior`.

    Raises:
        TypeError, ValueError: for images of another shape or range, and as :class:`GaussianMixturePrior`.
    """

    def __init__(
        self,
        images: Tensor,
        std: float,
        schedule: NoiseSchedule,
        *,
        weights: Tensor | None = None,
        kernel: str = "exact",
    ) -> None:
        check_tensor("images", images, "(K, C, H, W)")
        if not number(above=0).check(std):
            raise ValueError(f"std is the positive width of each image's Gaussian, but is {shown(std)}")
        if images.ndim != 4:
            raise ValueError(f"images have shape (K, C, H, W), but came with {tuple(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(
                f"images are floating-point numbers in [-1, 1], not {images.dtype}: vipaint_pyro.images.from_bytes "
                "brings 0 ... 255 there"
            )
        largest = float(images.flatten()[images.abs().argmax()]) if images.numel() else 0.0
        if abs(largest) > 1 + _ROUNDING:
            raise ValueError(
                f"images are in [-1, 1], but reach {largest:g}: vipaint_pyro.images.from_bytes brings 0 ... 255 there, "
                "to_model 0 ... 1"
            )
        weights = images.new_ones(len(images)) if weights is None else weights
        super().__init__(weights, images, schedule, variances=std**2, kernel=kernel)
