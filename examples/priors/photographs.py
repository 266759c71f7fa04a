"""Photographs under free licences from Debian packages, and patches of them: what photo-patches is trained on.

Not a script of its own. photographs.csv names every photograph, with its package (of Debian 12), author, licence and
split: as debian/copyright says, and where that speaks of the whole package alone, the README beside the picture
(GCompris), its metadata.json (Plasma) or the docstring of its function (scikit-image). The packages are fetched by
``apt-get download`` and unpacked, never installed; each photograph is kept in 8 bits at every scale of :data:`LONGEST`
pixels and below, by area averages over 2 x 2 pixels. Nothing is ever enlarged.
"""

from __future__ import annotations

import csv
import io
import struct
import subprocess
import zlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from vipaint_pyro.datasets.shares import share_class
from vipaint_pyro.files import write_tensors
from vipaint_pyro.images import from_bytes

TABLE = Path(__file__).parent / "photographs.csv"
SIDE = 64
#: Above this a photograph is sharper than its lens and its JPEG: the full size of large ones is not used.
LONGEST = 2048


def table(split: str | None = None) -> list[dict[str, str]]:
    """The rows of the table: split, package, version, path, author, licence, source."""
    with TABLE.open(newline="") as file:
        return [row for row in csv.DictReader(file) if split in (None, row["split"])]


def unpacked(package: str, folder: Path) -> Path:
    """The package's files under FOLDER/package, fetched where they are not there yet."""
    home = folder / package
    if not home.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (deb,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", deb.name, package], cwd=folder, check=True)
        deb.unlink()
    return home


def from_qt_resource(data: bytes, path: str) -> bytes:
    """One file of a Qt resource container, by its path inside (`rcc` format 1 to 3; no zstd)."""
    version, tree, start, names = struct.unpack_from(">IIII", data, 4)
    size = 14 if version < 2 else 22

    def children(node: int) -> dict[str, int]:
        count, first = struct.unpack_from(">II", data, tree + node * size + 6)
        found = {}
        for k in range(first, first + count):
            at = names + struct.unpack_from(">I", data, tree + k * size)[0]
            (length,) = struct.unpack_from(">H", data, at)
            found[data[at + 6 : at + 6 + 2 * length].decode("utf-16-be")] = k
        return found

    node = 0
    for name in path.split("/"):
        node = children(node)[name]
    flags, _, _, place = struct.unpack_from(">HHHI", data, tree + node * size + 4)
    (length,) = struct.unpack_from(">I", data, start + place)
    raw = data[start + place + 4 : start + place + 4 + length]
    return zlib.decompress(raw[4:]) if flags & 1 else raw


def largest_jpeg(data: bytes) -> bytes:
    """The largest JPEG inside a file of another kind (Edje's, which keep a picture at several sizes)."""
    found, at = [], data.find(b"\xff\xd8\xff")
    while at >= 0:
        try:
            with Image.open(io.BytesIO(data[at:])) as image:
                found.append((image.width * image.height, -at))
        except OSError:  # three bytes that look like a JPEG's first ones
            pass
        at = data.find(b"\xff\xd8\xff", at + 3)
    return data[-max(found)[1] :]


def photograph(row: dict[str, str], folder: Path) -> Image.Image:
    """The picture of a row of the table, RGB, as large as it is."""
    home, path = unpacked(row["package"], folder), row["path"]
    container, inside, rest = path.partition(".rcc/")
    if inside:
        data = from_qt_resource((home / f"{container}.rcc").read_bytes(), rest)
    else:
        data = (home / path).read_bytes()
        data = largest_jpeg(data) if path.endswith(".edj") else data
    return Image.open(io.BytesIO(data)).convert("RGB")


def scales(image: Image.Image) -> list[Tensor]:
    """The photograph at every scale that is used, the finest first, (H, W, 3) in 8 bits."""
    found = []
    while min(image.size) >= SIDE:
        if max(image.size) <= LONGEST:
            found.append(torch.from_numpy(np.array(image)))
        image = image.reduce(2)
    return found


def all_scales(split: str, folder: Path) -> list[Tensor]:
    """Of every photograph of a split, from FOLDER/split.safetensors where that is there."""
    path = folder / f"{split}.safetensors"
    if not path.is_file():
        found = {}
        for i, row in enumerate(table(split)):
            for k, one in enumerate(scales(photograph(row, folder / "packages"))):
                found[f"{i:03d}.{k}"] = one.contiguous()
        write_tensors(path, found)
        click.echo(f"{split}: {len(table(split))} photographs at {len(found)} scales in {path}")
    return [*load_file(path).values()]


class Place(NamedTuple):
    """Where a patch lies: its class, the photograph at a scale (H, W, 3), the corner, and whether it is mirrored."""

    kind: int
    picture: Tensor
    top: int
    left: int
    mirrored: bool

    def patch(self) -> Tensor:
        """The patch itself, (3, SIDE, SIDE) in 8 bits."""
        own = self.picture[self.top : self.top + SIDE, self.left : self.left + SIDE].permute(2, 0, 1)
        return own.flip(-1) if self.mirrored else own


class Patches:
    """Random patches of photographs: a class, then a photograph that has it, then a place in it.

    Args:
        pictures: each (H, W, 3) in 8 bits, none smaller than :data:`SIDE`.
    """

    def __init__(self, pictures: list[Tensor]) -> None:
        self.by_class = defaultdict(list)
        for picture in pictures:
            self.by_class[share_class(SIDE, max(picture.shape[:2]))].append(picture)
        self.classes = sorted(self.by_class)

    def place(self, generator: torch.Generator) -> Place:
        """Where a random patch lies; half of them are mirrored left to right."""

        def below(n: int) -> int:
            return int(torch.randint(n, (), generator=generator))

        kind = self.classes[below(len(self.classes))]
        same = self.by_class[kind]
        picture = same[below(len(same))]
        top, left = (below(n - SIDE + 1) for n in picture.shape[:2])
        return Place(kind, picture, top, left, bool(below(2)))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Patches (count, 3, SIDE, SIDE) in [-1, 1] and classes (count,)."""
        places = [self.place(generator) for _ in range(count)]
        return from_bytes(torch.stack([p.patch() for p in places])), torch.tensor([p.kind for p in places])
