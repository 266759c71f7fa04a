"""Where a study's images come from, by name: the built-in kinds, a folder of pictures, the hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import PIL.Image
import PIL.ImageOps
from torch import Tensor

from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.datasets.photos import photos
from vipaint_pyro.datasets.shares import SHARES
from vipaint_pyro.images import read_image, to_model, to_unit
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.wording import counted

__all__ = ["NAMED", "Pictures", "Source", "make_source"]

#: Data that are known by a name.
NAMED = ("fashion-mnist", "cartoon-faces", "photos")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_HUB = "hf:"
#: So many names of classes are said of those that a prior has.
_NAMES = 5


class Source(ABC):
    """Images by number, from 0.

    Attributes:
        kind: what they are: "fashion-mnist", "cartoon-faces", "photos", "folder" or "hub".
    """

    kind: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def truth(self, i: int) -> Tensor:
        """Image i, (C, H, W) in [-1, 1]; ValueError or OSError where the prior cannot take it or it cannot be read."""

    def label(self, i: int) -> int | None:
        """Its class, where it is known."""
        return None

    def name(self, i: int) -> str:
        """What it is called."""
        return f"{self.kind} {i}"

    def to_class(self) -> str:
        """How its images could have classes, in words that end a sentence; empty where they cannot."""
        return ""

    def check(self, numbers: range) -> None:
        """Raise ValueError where there are fewer images, or what can be seen at once says that one cannot be taken."""
        if numbers.stop > len(self):
            raise ValueError(f"images {numbers.start} ... {numbers.stop - 1} are asked for, but the data have "
                             f"{counted(len(self), 'image')}")  # fmt: skip
        self.truth(numbers.start)


class _Garments(Source):
    kind = "fashion-mnist"

    def __init__(self, split: str, folder: Path) -> None:
        self._images, self._labels = fashion_mnist(split, folder)

    def __len__(self) -> int:
        return len(self._images)

    def truth(self, i: int) -> Tensor:
        return self._images[i]

    def label(self, i: int) -> int | None:
        return int(self._labels[i])


class _Faces(Source):
    kind = "cartoon-faces"

    def __init__(self, split: str) -> None:
        from vipaint_pyro.datasets.cartoon_faces.faces import draw_attributes, number, render

        draw_attributes(split, 0)  # checks the split
        self._attributes = lambda i: draw_attributes(split, i)
        self._render, self._number = render, number

    def __len__(self) -> int:
        return 10**9  # they are drawn as they are asked for

    def truth(self, i: int) -> Tensor:
        return self._render(self._attributes(i))

    def label(self, i: int) -> int | None:
        return int(self._number(self._attributes(i))[0])  # what is on the head


class _Photos(Source):
    kind = "photos"

    def __init__(self, split: str, class_names: Sequence[str]) -> None:
        self._images, self._rows = photos(split)
        self._classes = [*class_names] if SHARES.keys() <= set(class_names) else []

    def __len__(self) -> int:
        return len(self._images)

    def truth(self, i: int) -> Tensor:
        return self._images[i]

    def label(self, i: int) -> int | None:
        """How much of its photograph a patch spans, where the prior has such classes."""
        return self._classes.index(self._rows[i]["class"]) if self._classes else None

    def name(self, i: int) -> str:
        return self._rows[i]["name"]


class Pictures(Source):
    """Pictures that have to be brought to what a prior takes.

    Args:
        shape: (C, H, W) of the prior.
        resize: whether one of another size is cropped to the middle and resized; else it is refused.
    """

    def __init__(self, shape: Sequence[int], resize: bool) -> None:
        self._shape, self._resize = tuple(shape), resize

    @abstractmethod
    def picture(self, i: int) -> PIL.Image.Image:
        """Picture i as it is."""

    def truth(self, i: int) -> Tensor:
        size = (self._shape[2], self._shape[1])
        try:
            picture = self.picture(i)
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.name(i)}: {error}; another try does not help before it is mended") from error
        try:
            if self._resize and picture.size != size:
                picture = PIL.ImageOps.fit(picture, size, PIL.Image.Resampling.LANCZOS)
            return to_model(to_unit(picture, self._shape, mend="--resize crops and resizes"))[0]
        except ValueError as error:
            raise ValueError(f"{self.name(i)}: {error}") from error


class _Folder(Pictures):
    kind = "folder"

    def __init__(self, folder: Path, shape: Sequence[int], resize: bool, class_names: Sequence[str]) -> None:
        super().__init__(shape, resize)
        found = (p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))
        self._folder, self._files = folder, sorted(found)
        self._classes = {name.lower(): i for i, name in enumerate(class_names)}
        if not self._files:
            raise ValueError(f"the folder {folder} holds no pictures ({', '.join(_SUFFIXES)})")

    def __len__(self) -> int:
        return len(self._files)

    def picture(self, i: int) -> PIL.Image.Image:
        return read_image(self._files[i])

    def label(self, i: int) -> int | None:
        """By the subfolder: a number, or the name of a class of the prior."""
        parent = self._files[i].parent
        if parent == self._folder:
            return None
        return int(parent.name) if parent.name.isdecimal() else self._classes.get(parent.name.lower())

    def name(self, i: int) -> str:
        return str(self._files[i].relative_to(self._folder))

    def to_class(self) -> str:
        names = [f"{name!r}" for name in self._classes]
        called = f" ({', '.join(names[:_NAMES])}{' ...' if len(names) > _NAMES else ''})" if names else ""
        return f", or put them into subfolders that are named by its classes{called} or their numbers, from 0 on"

    def check(self, numbers: range) -> None:
        super().check(numbers)
        size = (self._shape[2], self._shape[1])
        for i in numbers if not self._resize else ():
            try:
                with PIL.Image.open(self._files[i]) as picture:
                    found = picture.size
            except OSError:  # one that cannot be read is a failing image
                continue
            if found not in (size, size[::-1]):  # it may lie on its side, as its EXIF data say
                raise ValueError(f"{self.name(i)} is {found[0]}x{found[1]}, but the prior takes {size[0]}x{size[1]}: "
                                 "--resize crops and resizes")  # fmt: skip


def make_source(data: str, split: str, prior: DiffusionPrior, resize: bool = False) -> Source:
    """The images of a study.

    Args:
        data: "fashion-mnist" (where Debian puts it), "cartoon-faces", "photos", "hf:NAME" of the hub, or a folder: of
            pictures, or of Fashion-MNIST's four files.
        split: "test", "train", of photos "validation" ...; a folder of pictures has none, and takes "test".
        prior: whose images they are to be.
        resize: whether pictures of another size are cropped and resized.

    Raises:
        ValueError: for other data, a split that they do not have, images of another size than the prior's, or
            ``resize`` where there is nothing to resize.
        FileNotFoundError, ImportError, OSError: where what is needed is missing.
    """
    shape, names = tuple(prior.image_shape), prior.class_names or ()
    folder = Path(data)
    garments = folder / "t10k-images-idx3-ubyte.gz"
    if data.startswith(_HUB):
        from vipaint_pyro.evaluation.study.hub_source import HubPictures

        return HubPictures(data.removeprefix(_HUB), split, shape, resize)
    if data not in NAMED and not folder.is_dir():
        came = f"there is no folder {folder.resolve()}" if "/" in data else f"not {data!r}"
        raise ValueError(f"the data are {', '.join(NAMED)}, a folder of pictures or hf:NAME, {came}")
    if data not in NAMED and not garments.is_file():
        if split != "test":
            raise ValueError(f"a folder of pictures has no split {split!r}: leave --split out")
        return _Folder(folder, shape, resize, names)
    if resize:
        raise ValueError(f"the pictures of {data} are of one size: leave --resize out")
    source: Source
    if data == "cartoon-faces":
        source = _Faces(split)
    elif data == "photos":
        source = _Photos(split, names)
    else:
        source = _Garments(split, FASHION_MNIST_FOLDER if data == "fashion-mnist" else folder)
    there = tuple(source.truth(0).shape)
    if there != shape:
        raise ValueError(f"the pictures of {data} are {there[2]}x{there[1]} with {counted(there[0], 'channel')}, but "
                         f"the prior takes {shape[2]}x{shape[1]} with {shape[0]}")  # fmt: skip
    return source

