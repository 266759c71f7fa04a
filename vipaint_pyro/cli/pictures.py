"""The picture and the mask that a command is given."""

from __future__ import annotations

from pathlib import Path

__all__ = ["picture_and_hole"]


def picture_and_hole(
    image: Path, mask: Path | None, mask_from_alpha: bool
) -> tuple[tuple[object, object], dict[str, str], dict[str, Path]]:
    """The two as PIL images, white where the first is to be filled; what run.json says of them; and their files.

    Raises:
        ValueError: where there is no mask, or two; for a file that is no picture.
    """
    from vipaint_pyro.images import read_image, with_mask

    if mask_from_alpha == (mask is not None):
        raise ValueError("give either MASK, white where IMAGE is to be filled, or --mask-from-alpha")
    picture, files = read_image(image), {"image": image}
    if mask_from_alpha:
        (picture,), (hole,) = with_mask(picture, "alpha")
    else:
        hole, files["mask"] = read_image(mask), mask
    return (picture, hole), {"image": str(image), "mask": "alpha" if mask is None else str(mask)}, files
