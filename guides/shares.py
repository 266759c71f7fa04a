"""Which part of a parameter is an image's own."""

from __future__ import annotations

from torch import Tensor

__all__ = ["no_share", "row"]

#: The axis of the images in a parameter with an event shape (C, H, W).
_IMAGES = -4


def row(name: str, parameter: Tensor, num_images: int, image: int) -> Tensor:
    """An image's row of a parameter (*, N, C, H, W), as a view.

    Raises:
        ValueError: for a parameter of another shape.
    """
    if parameter.ndim < -_IMAGES or parameter.shape[_IMAGES] != num_images:
        raise no_share(name, num_images)
    return parameter.select(_IMAGES, image)


def no_share(name: str, num_images: int) -> ValueError:
    """What is said of a parameter of which no part is known to be an image's own."""
    return ValueError(
        f"the fit of each image ends by itself, but {name} is no parameter of one image: fit one image at a time, "
        f"not {num_images}, or overwrite Guide.share"
    )
