r"""Blurs: convolutions with a kernel, the image reflected at its border.

The outermost pixel is not repeated (torch's ``reflect`` padding), and an image smaller than half the kernel is
reflected as often as it takes: a kernel of 61 pixels serves images of 28.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from vipaint_pyro.measurements.checks import LARGEST_KERNEL, check_images, whole
from vipaint_pyro.measurements.degradation import Degradation
from vipaint_pyro.measurements.motion import segment
from vipaint_pyro.measurements.separable import Separable, filter_matrix, reflected
from vipaint_pyro.settings import MOST, number
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["Blur", "GaussianBlur", "MotionBlur"]


class Blur(Degradation):
    r"""Convolution of each channel with any kernel, :math:`(k * x)_i = \sum_j k_j\, x_{i - j}`, by FFT.

    A single bright pixel becomes the kernel, not its mirror image. (torch's ``conv2d``, a correlation, would
    make that of it.)

    Args:
        image_shape: (C, H, W); y has the same.
        kernel: finite, with shape (h, w), both odd, the origin in the middle; used as it is, not normalised.
        num_images: N.
        device: of ``observed``.

    Raises:
        ValueError: for a kernel of another rank, of even size, not finite, or whose sum is not positive.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        kernel: Tensor,
        num_images: int = 1,
        device: torch.device | str | None = None,
    ) -> None:
        (channels, *size), num_images = check_images(image_shape, num_images)
        check_tensor("kernel", kernel, "(h, w), both odd")
        kernel = kernel.detach().cpu().to(torch.float64)
        if kernel.ndim != 2 or not kernel.numel() or any(n % 2 == 0 for n in kernel.shape):
            raise ValueError(f"kernel has shape (h, w), both odd, but came with {tuple(kernel.shape)}")
        if not kernel.isfinite().all() or not kernel.sum() > 0:
            raise ValueError("kernel holds finite numbers with a positive sum")
        self.kernel = kernel
        # Padded by half the kernel on both sides, the circular convolution is right where the kernel fits.
        self._margin = [n - 1 for n in kernel.shape]
        self._padded = [n + m for n, m in zip(size, self._margin)]
        rows, columns = (_padding(n, m // 2) for n, m in zip(size, self._margin))
        spectrum = torch.fft.rfft2(kernel, s=self._padded)
        shape = (channels, *size)
        super().__init__(shape, shape, num_images, (rows, columns, spectrum), device)

    def estimate(self, y: Tensor) -> Tensor:
        """y itself, over the sum of the kernel: blurred, but in the right place and of the right brightness."""
        return y / float(self.kernel.sum())

    def _measure(self, x: Tensor, *constants: Tensor) -> Tensor:
        rows, columns, spectrum = constants
        full = torch.fft.irfft2(torch.fft.rfft2(rows @ x @ columns.mT) * spectrum, s=self._padded)
        return full[..., self._margin[0] :, self._margin[1] :]

    def _adjoint(self, y: Tensor, *constants: Tensor) -> Tensor:
        rows, columns, spectrum = constants
        full = pad(y, (self._margin[1], 0, self._margin[0], 0))
        full = torch.fft.irfft2(torch.fft.rfft2(full) * spectrum.conj(), s=self._padded)
        return rows.mT @ full @ columns


class GaussianBlur(Separable):
    r"""Convolution with a Gaussian, :math:`k_j \propto \exp(-j^2 / 2 \mathrm{std}^2)`, normalised to 1, axis by axis.

    The defaults are those of VIPaint's deblurring (its code's configuration; arXiv:2411.18929) and of DPS (Chung et
    al., arXiv:2209.14687), for images of 256 x 256 pixels. DPS's code cuts the Gaussian 4 standard deviations from
    its centre, whatever the kernel's size: that is ``kernel_size=25`` here, and leaves out 3e-5 of each axis.

    Args:
        image_shape: (C, H, W); y has the same.
        kernel_size: odd; pixels of the kernel along each axis.
        std: > 0, in pixels.
        num_images: N.
        device: of ``observed``.

    Raises:
        ValueError: for an even kernel_size, or a std that is not positive.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        kernel_size: int = 61,
        std: float = 3.0,
        num_images: int = 1,
        device: torch.device | str | None = None,
    ) -> None:
        image_shape, num_images = check_images(image_shape, num_images)
        if not number(above=0, most=MOST).check(std):
            raise ValueError(f"std is a positive number of pixels, at most {MOST}, but is {shown(std)}")
        self.kernel_size, self.std = _odd(kernel_size), float(std)
        offsets = torch.arange(self.kernel_size, dtype=torch.float64, device="cpu") - self.kernel_size // 2
        taps = torch.softmax(-0.5 * (offsets / self.std) ** 2, 0)
        rows, columns = (_convolution(taps, n) for n in image_shape[1:])
        super().__init__(image_shape, rows, columns, num_images, device)

    def estimate(self, y: Tensor) -> Tensor:
        """y itself."""
        return y.clone()


class MotionBlur(Blur):
    r"""Uniform motion along a straight line while the picture is taken.

    See :func:`vipaint_pyro.measurements.motion.segment`.

    Deterministic, unlike the random trajectories of DPS (Chung et al., arXiv:2209.14687), which have a kernel of
    61 pixels for images of 256.

    Args:
        image_shape: (C, H, W); y has the same.
        length: of the path, > 0 pixels; by default an eighth of the smaller side.
        angle: in degrees, counter-clockwise from the rows' direction: 0 is horizontal, 90 vertical.
        kernel_size: odd, and large enough for the path; by default the smallest. More adds zeros alone.
        num_images: N.
        device: of ``observed``.

    Raises:
        ValueError: for a length that is not positive, an angle that is not finite, or too small a kernel.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        length: float | None = None,
        angle: float = 45.0,
        kernel_size: int | None = None,
        num_images: int = 1,
        device: torch.device | str | None = None,
    ) -> None:
        image_shape, num_images = check_images(image_shape, num_images)
        self.length, self.angle = min(image_shape[1:]) / 8 if length is None else length, angle
        kernel = segment(self.length, self.angle, None if kernel_size is None else _odd(kernel_size))
        self.length, self.angle, self.kernel_size = float(self.length), float(angle), len(kernel)
        super().__init__(image_shape, kernel, num_images, device)


def _odd(kernel_size: int) -> int:
    if whole("kernel_size", kernel_size, most=LARGEST_KERNEL) % 2 == 0:
        raise ValueError(f"kernel_size is odd, so that the kernel has a middle, but is {kernel_size}")
    return int(kernel_size)


def _padding(size: int, margin: int) -> Tensor:
    """The matrix (size + 2 margin, size) that pads an axis by reflection."""
    indices = reflected(torch.arange(-margin, size + margin, device="cpu"), size)[:, None]
    return filter_matrix(torch.ones(indices.shape, dtype=torch.float64, device="cpu"), indices, size)


def _convolution(taps: Tensor, size: int) -> Tensor:
    """The matrix (size, size) of a convolution with an odd number of taps."""
    offsets = torch.arange(len(taps), device="cpu") - len(taps) // 2
    indices = torch.arange(size, device="cpu")[:, None] - offsets
    return filter_matrix(taps.expand(size, -1), reflected(indices, size), size)
