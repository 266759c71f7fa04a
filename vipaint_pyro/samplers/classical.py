"""Classical fills of a hole, to compare with: one picture made of what is seen of it, by no network and no chance.

They are other libraries' (extra ``classical``), each with the paper that it is of. Where one takes numbers of 8 or 16
bits, [-1, 1] is rounded to 0 ... 255 or 65535 before it, and what is beyond cut off; seen pixels are put back as they
came.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np
import torch

from vipaint_pyro.images import from_model, to_model
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import number, setting, switch

__all__ = [
    "BiharmonicFill", "ClassicalFill", "FrequencySelectiveFill", "NavierStokesFill", "ShiftMapFill", "TeleaFill",
]  # fmt: skip


@dataclass(frozen=True)
class ClassicalFill(Sampler):
    """A hole filled from what is seen around it, in pixels. All samples are the same."""

    #: Of the registry, and what has to be there.
    name: ClassVar[str] = ""
    library: ClassVar[str] = "cv2"

    @abstractmethod
    def fill(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """A picture without its hole, (C, H, W) about [0, 1]; what it says of seen pixels is not looked at.

        Args:
            x: (C, H, W) in [0, 1], float64, C being 1 or 3; what stands where it is hidden means nothing.
            hidden: (H, W), bool; some pixels are hidden, and some are seen.
        """

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        operator, channels = measurement.operator, measurement.y.shape[1]
        if not isinstance(operator, Inpainting):
            raise ValueError(f"{self.name} fills the pixels that a mask hides: it is for inpainting alone")
        if channels not in (1, 3):
            raise ValueError(f"{self.name} fills pictures of one or three channels, and this one has {channels}")
        observed = operator.observed
        if bool((observed != observed[:, :1]).any()):
            raise ValueError(f"{self.name} takes one mask for all channels, but here they are hidden differently")
        if not bool(observed.flatten(1).any(1).all()):
            raise ValueError(f"{self.name} fills from what is seen, but of an image nothing is")
        _library(self.library)
        return super().settle(prior, measurement)

    def draw(self, run: Run) -> Samples:
        y, observed = run.measurement.y, run.measurement.operator.observed
        hidden = (~observed[:, 0]).cpu().numpy()
        unit = from_model(y.double()).cpu().numpy()
        filled = [self.fill(x, hole) if hole.any() else x for x, hole in zip(unit, hidden, strict=True)]
        x = torch.where(observed, y, to_model(torch.from_numpy(np.stack(filled))).to(y))
        return Samples(x.expand(run.num_samples, *x.shape))


@dataclass(frozen=True)
class _NearbyFill(ClassicalFill):
    """OpenCV's ``inpaint``, channel by channel in 16 bits: in 8 bits Telea's comes out a level too dark."""

    radius: float = setting(3.0, number(above=0), "Of what is looked at around a pixel, in pixels.")

    flag: ClassVar[str] = ""

    def fill(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        cv2 = _library("cv2")
        mask, flag = hidden.astype(np.uint8), vars(cv2)[self.flag]
        channels = np.rint(x * 65535).astype(np.uint16)
        return np.stack([cv2.inpaint(c, mask, self.radius, flag) for c in channels]) / 65535


@dataclass(frozen=True)
class TeleaFill(_NearbyFill):
    """Telea 2004, "An image inpainting technique based on the fast marching method", J. Graphics Tools 9(1)."""

    name: ClassVar[str] = "telea"
    flag: ClassVar[str] = "INPAINT_TELEA"


@dataclass(frozen=True)
class NavierStokesFill(_NearbyFill):
    """Bertalmio, Bertozzi, Sapiro 2001, "Navier-Stokes, fluid dynamics, and image and video inpainting", CVPR."""

    name: ClassVar[str] = "navier-stokes"
    flag: ClassVar[str] = "INPAINT_NS"


@dataclass(frozen=True)
class BiharmonicFill(ClassicalFill):
    """Damelin and Hoang 2018, "On surface completion and image inpainting by biharmonic functions", in float64."""

    name: ClassVar[str] = "biharmonic"
    library: ClassVar[str] = "skimage.restoration"

    def fill(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return _library(self.library).inpaint_biharmonic(x, hidden, channel_axis=0)


@dataclass(frozen=True)
class ShiftMapFill(ClassicalFill):
    """He and Sun 2012, "Statistics of patch offsets for image completion", ECCV; OpenCV's xphoto.

    In CIELab as OpenCV has it in 8 bits, but not rounded; colours come back to half of one of 255 levels. Where the
    hole is large for the picture it leaves pixels empty; those are filled by :class:`TeleaFill`, from all that is there
    by then. It also repaints two pixels around the hole, which are put back, so that seams show.
    """

    name: ClassVar[str] = "shift-map"
    library: ClassVar[str] = "cv2.xphoto"

    def fill(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        cv2, xphoto = _library("cv2"), _library(self.library)
        mask, colours = np.where(hidden, 0, 255).astype(np.uint8), len(x) == 3
        # 0 in all channels is no colour in either, so that a pixel that has it has been left empty.
        slope = np.array([2.55, 1, 1] if colours else [254], np.float32)
        start = np.array([0, 128, 128] if colours else [1], np.float32)
        picture = np.ascontiguousarray(np.moveaxis(x, 0, -1), np.float32)
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab) if colours else picture
        source = picture * slope + start
        source[hidden] = 0
        found = np.zeros_like(source)
        xphoto.inpaint(source, mask, found, xphoto.INPAINT_SHIFTMAP)
        found = found.reshape(source.shape)
        empty = hidden & (found == 0).all(-1)
        found = (found - start) / slope
        found = cv2.cvtColor(found, cv2.COLOR_Lab2RGB) if colours else found
        result = np.where(hidden, np.moveaxis(found, -1, 0).astype(np.float64).clip(0, 1), x)
        return TeleaFill().fill(result, empty) if empty.any() else result


@dataclass(frozen=True)
class FrequencySelectiveFill(ClassicalFill):
    """Seiler et al. 2015, "Resampling images to a regular grid from a non-regular subset of pixel positions using
    frequency selective reconstruction", IEEE TIP 24(11); OpenCV's xphoto, channel by channel in 8 bits.
    """

    fast: bool = setting(False, switch(), "Fewer iterations a block: ten times as fast.")

    name: ClassVar[str] = "fsr"
    library: ClassVar[str] = "cv2.xphoto"

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        settled = super().settle(prior, measurement)
        height, width = measurement.y.shape[-2:]
        if height % 16 or width % 16:
            raise ValueError(f"fsr works in blocks of 16x16 pixels and leaves out what is beyond the last whole one: "
                             f"it takes sides that are multiples of 16, not {width}x{height}")  # fmt: skip
        return settled

    def fill(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        xphoto = _library(self.library)
        mask = np.where(hidden, 0, 255).astype(np.uint8)
        quality = xphoto.INPAINT_FSR_FAST if self.fast else xphoto.INPAINT_FSR_BEST
        channels = np.rint(np.where(hidden, 0, x) * 255).astype(np.uint8)
        filled = np.zeros_like(channels)
        for channel, found in zip(channels, filled, strict=True):
            xphoto.inpaint(channel, mask, found, quality)
        return filled / 255


def _library(name: str) -> Any:
    """OpenCV, its xphoto or scikit-image's restoration; an ImportError that names the extra where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"the classical fills need {name}, of the extra 'classical': pip install 'vipaint-pyro[classical]'"
        ) from error
