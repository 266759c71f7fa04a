r"""Super-resolution: images seen at a fraction of their size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_images, whole
from vipaint_pyro.measurements.separable import Separable, filter_matrix, mirrored
from vipaint_pyro.wording import shown

__all__ = ["SuperResolution"]


class SuperResolution(Separable):
    r"""A reduction to 1 / scale of the height and of the width.

    ``"bicubic"`` is antialiased: the cubic convolution kernel of Keys (IEEE Trans. ASSP 29(6), 1981, eq. 15)
    with a = -1/2, stretched by the scale s, so that 4 s pixels of an axis count. Beyond the border the image is
    mirrored, the outermost pixel repeated, as in the code of DPS (Chung et al., arXiv:2209.14687) and of VIPaint
    (arXiv:2411.18929). Inside, it is what PIL's ``BICUBIC`` and torch's ``interpolate(mode="bicubic",
    antialias=True)`` give; these drop what lies beyond the border and renormalise, and so differ within 2
    measured pixels of it.

    ``"average"`` is the mean of s x s pixels, as in CoPaint (arXiv:2304.03322).

    Both keep constants, and so does :meth:`estimate`.

    Args:
        image_shape: (C, H, W) of the images; y has (C, H / s, W / s).
        scale: s, at least 2; divides H and W.
        method: ``"bicubic"`` or ``"average"``.
        num_images: N.
        device: of ``observed``.

    Raises:
        ValueError: for another method, or a scale that does not divide the sizes.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        scale: int = 4,
        method: str = "bicubic",
        num_images: int = 1,
        device: torch.device | str | None = None,
    ) -> None:
        (channels, *size), num_images = check_images(image_shape, num_images)
        self.scale = whole("scale", scale, least=2)
        kernels = {"bicubic": _bicubic, "average": _average}
        if not isinstance(method, str) or method not in kernels:
            raise ValueError(f"method is 'bicubic' or 'average', not {shown(method)}")
        self.method = method
        if any(n % self.scale for n in size):
            fitting = [str(s) for s in range(2, min(size) + 1) if not any(n % s for n in size)]
            raise ValueError(
                f"scale {scale} does not divide the image's height and width {tuple(size)}; "
                f"{', '.join(fitting) or 'no scale'} would"
            )
        rows, columns = (kernels[method](n, self.scale) for n in size)
        super().__init__((channels, *size), rows, columns, num_images, device)

    def estimate(self, y: Tensor) -> Tensor:
        """y enlarged, s^2 A^T y with shape (*, N, C, H, W): by the same bicubic kernel, or by repeated pixels."""
        return self.scale**2 * self.adjoint(y)


def _average(size: int, s: int) -> Tensor:
    return torch.eye(size // s, dtype=torch.float64, device="cpu").repeat_interleave(s, 1) / s


def _bicubic(size: int, s: int) -> Tensor:
    # Measured pixel j covers pixels j s ... (j + 1) s - 1, and the kernel is centred in their middle.
    centres = (torch.arange(size // s, dtype=torch.float64, device="cpu")[:, None] + 0.5) * s - 0.5
    taps = centres.floor().long() + torch.arange(1 - 2 * s, 2 * s + 1, device="cpu")
    # The weights of a kernel stretched by a whole number add up to 1 as they are.
    return filter_matrix(_keys((taps - centres) / s) / s, mirrored(taps, size), size)


def _keys(u: Tensor, a: float = -0.5) -> Tensor:
    """The cubic convolution kernel at distance u."""
    u = u.abs()
    near = ((a + 2) * u - (a + 3)) * u * u + 1
    far = ((a * u - 5 * a) * u + 8 * a) * u - 4 * a
    return torch.where(u <= 1, near, torch.where(u < 2, far, 0))
