"""The picture and the mask that a command is given, looked at before anything that takes its time is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["FROM_ALPHA", "pictures_of"]

#: What --mask-from-alpha says of itself.
FROM_ALPHA = "In place of MASK: fill what is transparent in IMAGE, soft edges too: all that is not wholly opaque."

#: The share of a picture of which a mask that hides more is asked about.
_MOST = 0.8


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
        ValueError: where there is no mask, two, or one that cannot be one or is of another size; for a file that is no
            picture, or one of 16 bits, or that can be seen through where that is not the mask.
        FileNotFoundError: where there is no such file.
    """
    from vipaint_pyro.opening import check_depth, check_mask, check_opaque, opaque_and_mask, read_image

    if (mask_from_alpha and mask is not None) or not (mask_from_alpha or mask or hole_elsewhere):
        raise ValueError("give either MASK, white where IMAGE is to be filled, or --mask-from-alpha")
    picture, files = read_image(image), {"image": image}
    opaque, hole = picture, None
    check_depth(picture)
    if mask_from_alpha:
        opaque, hole = opaque_and_mask(picture)
    else:
        check_opaque(picture)
    if mask is not None:
        hole, files["mask"] = read_image(mask), mask
        if hole.size != picture.size:
            theirs, ours = ("x".join(map(str, x.size)) for x in (hole, picture))
            raise ValueError(f"the mask is {theirs}, but the image {ours}; they must be of one size")
        check_mask(hole, may_be_empty=hole_elsewhere)
        if not hole_elsewhere and (text := _most(hole)):
            click.echo(f"Warning: {text}", err=True)
    facts = {"image": str(image), "mask": str(mask) if mask else "alpha" if mask_from_alpha else None}
    return (picture, opaque, hole), facts, files


def _most(hole: PIL.Image.Image) -> str | None:
    """What is asked of a mask that hides most of the picture: it may be the other way round."""
    from vipaint_pyro.opening import hidden_by

    share = hidden_by(hole).histogram()[255] / (hole.width * hole.height)
    if share <= _MOST:
        return None
    return (
        f"the mask hides {100 * share:.0f} % of the picture. White is what is filled: if it is the other way round, "
        "invert the mask"
    )
