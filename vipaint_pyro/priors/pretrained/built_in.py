"""The priors that ship with the package, and all that is said of them by name. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUILT_IN", "BuiltIn"]


@dataclass(frozen=True)
class BuiltIn:
    """What is known of a prior without loading it.

    Attributes:
        line: one line about it.
        size: of its pictures, width and height.
        shows: what its pictures are, in the plural.
        data: what it is judged on, as ``--data`` names it.
        patches: whether its pictures are pieces of larger ones. Those it fills square by square, at their own size, and
            where no prior is named it is taken for them; any other built-in prior knows whole pictures alone.
    """

    line: str
    size: tuple[int, int]
    shows: str
    data: str
    patches: bool = False


#: By name, in the order in which they are listed.
BUILT_IN: dict[str, BuiltIn] = {
    "fashion-mnist": BuiltIn(
        "28x28 greyscale pictures of clothes, 10 classes and none; pixel space",
        (28, 28),
        "clothes",
        "fashion-mnist",
    ),
    "photo-patches": BuiltIn(
        "64x64 colour patches of photographs, labelled by how much of one they span, or not; pixel space",
        (64, 64),
        "photographs",
        "photos",
        patches=True,
    ),
    "cartoon-faces": BuiltIn(
        "64x64 colour cartoon faces, labelled by what is on the head, or not; latent space",
        (64, 64),
        "cartoon faces",
        "cartoon-faces",
    ),
}
