"""A command replaces files of its own alone: those that begin as it begins them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["check_own"]


def check_own(folder: Path, heads: Mapping[str, str], writer: str) -> None:
    """Look whether files can be written in ``folder`` without one of somebody else's being lost.

    Args:
        folder: it need not be there.
        heads: of every file that is to be written, by its name in the folder, how it begins; of a picture (``.png``)
            its title, the text "Title" of its metadata.
        writer: the command, for the message.

    Raises:
        ValueError: where a file, a folder or a link of such a name is there that begins otherwise.
    """
    for name, head in heads.items():
        path = folder / name
        if (path.exists() or path.is_symlink()) and not _begins(path, head):
            raise ValueError(f"{path} was not written by {writer}: move it, or name another folder with --out")


def _begins(path: Path, head: str) -> bool:
    import PIL.Image

    try:
        if path.suffix != ".png":
            with open(path, encoding="utf-8", newline="") as file:
                return file.read(len(head)) == head
        with PIL.Image.open(path) as picture:
            return picture.info.get("Title") == head
    except (OSError, ValueError, SyntaxError):
        return False
