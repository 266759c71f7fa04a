"""Pictures that are of no prior's kind, to see whether a prior says so. Not a script of its own.

All are colour pictures (N, 3, 64, 64) in [0, 1], the same in every run.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib import get_data_path
from PIL import Image
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.images import from_bytes, from_model

SIDE = 64


def _grid() -> tuple[Tensor, Tensor]:
    return torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")


def noise(number: int, generator: torch.Generator) -> Tensor:
    return torch.rand(number, 3, SIDE, SIDE, generator=generator)


def flat_grey(number: int, generator: torch.Generator) -> Tensor:
    return torch.linspace(0.1, 0.9, number)[:, None, None, None].expand(number, 3, SIDE, SIDE).clone()


def gradients(number: int, generator: torch.Generator) -> Tensor:
    """From one colour to another, in any direction."""
    rows, columns = _grid()
    angles = 2 * math.pi * torch.rand(number, 1, 1, generator=generator)
    way = ((columns - 0.5) * angles.cos() + (rows - 0.5) * angles.sin()) / math.sqrt(2) + 0.5
    first, last = torch.rand(2, number, 3, 1, 1, generator=generator)
    return first + (last - first) * way[:, None]


def _landscape(generator: torch.Generator) -> Tensor:
    rows, columns = _grid()

    def colour(*rgb: float) -> Tensor:
        return torch.tensor(rgb)[:, None, None] + 0.08 * torch.randn(3, 1, 1, generator=generator)

    picture = colour(0.3, 0.5, 0.9) * (1 - rows) + colour(0.8, 0.85, 0.95) * rows
    x, y, r = torch.rand(3, generator=generator)
    sun = (columns - x) ** 2 + (rows - 0.35 * y) ** 2 < (0.05 + 0.08 * r) ** 2
    picture = torch.where(sun, colour(1.0, 0.9, 0.4), picture)
    for k in range(3):
        height, phase = torch.rand(2, 4, generator=generator)
        waves = torch.arange(1, 5)[:, None]
        hill = (0.08 / waves * height[:, None] * (2 * math.pi * (waves * columns[0] + phase[:, None])).sin()).sum(0)
        hill = 0.45 + 0.15 * k + hill
        picture = torch.where(rows > hill, colour(0.25, 0.45 - 0.08 * k, 0.25) * (1 - 0.3 * (rows - hill)), picture)
    return picture.clamp(0, 1)


def landscapes(number: int, generator: torch.Generator) -> Tensor:
    """A sky, a sun and three hills."""
    return torch.stack([_landscape(generator) for _ in range(number)])


def photograph(number: int, generator: torch.Generator) -> Tensor:
    """Squares of the portrait of Grace Hopper that comes with matplotlib (US Navy, public domain)."""
    picture = Image.open(Path(get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB")
    squares = []
    for u, v, w in torch.rand(number, 3, generator=generator).tolist():
        side = int(min(picture.size) * (0.3 + 0.7 * u))
        left, top = int(v * (picture.width - side)), int(w * (picture.height - side))
        square = picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        squares.append(torch.from_numpy(np.array(square)).permute(2, 0, 1) / 255)
    return torch.stack(squares)


def garments(number: int, generator: torch.Generator, folder: str | Path = FASHION_MNIST_FOLDER) -> Tensor:
    x = from_model(fashion_mnist("test", folder)[0][:number])
    return torch.nn.functional.interpolate(x, (SIDE, SIDE), mode="bilinear").expand(-1, 3, -1, -1)


def faces(number: int, generator: torch.Generator) -> Tensor:
    return from_model(from_bytes(cartoon_faces("test", number)[0]))


#: Name -> pictures of (number, generator).
FOREIGN = {
    "noise": noise,
    "flat grey": flat_grey,
    "gradients": gradients,
    "landscapes": landscapes,
    "a photograph": photograph,
}
