"""The picture and the mask that a command is given, looked at before anything that takes its time is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["FROM_ALPHA", "pictures_of"]

#: What --mask-from-alpha says of itself.
FROM_ALPHA = "In place of MASK: fill what is transparent in IMAGE, soft edges too: all that is not wholly opaque."


def pictures_of(
    image: Path, mask: Path | None, mask_from_alpha: bool, hole_elsewhere: bool = False
) -> tuple[tuple, dict[str, Any], dict[str, Path]]:
    """What a command is given, as PIL images: the picture as it is, the same without transparency, and its hole.

    Args:
        image, mask: their files.
        mask_from_alpha: whether what is transparent in the picture is the hole.
        hole_elsewhere: whether there may be no mask, since what is around the picture is to be filled.

    Returns:
        The three, white where the first is to be filled, None without a mask; what run.json says of them; their files.

    Raises:
        ValueError: where there is no mask, two, or one of another size or without black or white; for a file that is
            no picture.
        FileNotFoundError: where there is no such file.
    """
    from vipaint_pyro.opening import check_mask, opaque_and_mask, read_image

    if (mask_from_alpha and mask is not None) or not (mask_from_alpha or mask or hole_elsewhere):
        raise ValueError("give either MASK, white where IMAGE is to be filled, or --mask-from-alpha")
    picture, files = read_image(image), {"image": image}
    opaque, hole = picture, None
    if mask_from_alpha:
        opaque, hole = opaque_and_mask(picture)
    elif mask is not None:
        hole, files["mask"] = read_image(mask), mask
        if hole.size != picture.size:
            theirs, ours = ("x".join(map(str, x.size)) for x in (hole, picture))
            raise ValueError(f"the mask is {theirs}, but the image {ours}; they must be of one size")
        if not hole_elsewhere:
            check_mask(hole)
    facts = {"image": str(image), "mask": str(mask) if mask else "alpha" if mask_from_alpha else None}
    return (picture, opaque, hole), facts, files
