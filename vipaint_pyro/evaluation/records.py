"""Results kept image by image, so that a run that was stopped, or asked for more images, goes on from there.

A method's figures are kept in one small JSON file, written whole or not at all, its samples in a file per
image: a stopped run goes on at the image where it was, one with more images takes those whose figures are there, and
two processes may run two methods at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vipaint_pyro.evaluation.quality import Quality, join
from vipaint_pyro.files import sweep, write_tensors, write_text
from vipaint_pyro.images import from_bytes, to_bytes
from vipaint_pyro.networks.kinds import unwrapped
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.wording import differences

__all__ = ["Kept", "check_facts", "chunks", "described", "eight_bits", "file_name", "fingerprint", "fingerprint_of"]

# Quality's fields: lists with a value per image, and the means over images behind them.
_PER_IMAGE, _MEANS = [f.name for f in fields(Quality)[:-2]], [f.name for f in fields(Quality)[-2:]]


def fingerprint(prior: DiffusionPrior) -> str:
    """A short name of a prior's weights: results of other weights are other results."""
    return fingerprint_of(prior.denoiser.network, prior.codec.network)


def fingerprint_of(*networks: nn.Module | None) -> str:
    """A short name of the weights of networks."""
    digest = hashlib.sha256()
    for network in networks:
        for name, value in unwrapped(network).state_dict().items() if network is not None else ():
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
    return digest.hexdigest()[:12]


def described(sampler: object) -> dict:
    """A sampler's class and the settings that results depend on, as JSON gives them back."""
    settings = {name: value for name, value in asdict(sampler).items() if name != "chunk"}
    return json.loads(json.dumps({"class": type(sampler).__name__, **settings}))


def file_name(method: str) -> str:
    """A method's name without what file names had better not have."""
    return method.lower().replace(",", "").replace("'", "").replace(" ", "-")


@dataclass(frozen=True)
class Kept:
    """The results of one method: its figures in ``<method>.json``, an image's samples in a safetensors file.

    The figures are all that a table or a longer run needs; the samples are for pictures.

    Args:
        folder: of this method's samples; its figures are kept beside it.
        facts: what the results depend on, but for the number of images.
    """

    folder: Path
    facts: dict

    @property
    def figures(self) -> Path:
        """The file of the figures."""
        return self.folder.with_name(f"{self.folder.name}.json")

    def path(self, image: int) -> Path:
        """The file of an image's samples."""
        return self.folder / f"{image:05d}.safetensors"

    def missing(self, images: int) -> list[int]:
        """The images that are still to be done.

        Raises:
            ValueError: where those that are done come from other settings, or the file is damaged.
        """
        sweep(self.folder)
        done = self._read()
        return [image for image in range(images) if image not in done]

    def save(self, first: int, quality: Quality, samples: Tensor) -> None:
        """Keep the images ``first`` ... with their samples (S, N, C, H, W)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self._read()
        for i, single in enumerate(_singles(quality)):
            write_tensors(self.path(first + i), {"samples": eight_bits(samples[:, i])})
            done[first + i] = single
        write_text(self.figures, self._text(done))

    def quality(self, images: int) -> Quality:
        """Of the first images, all of which are there."""
        done = self._read()
        return join([done[image] for image in range(images)])

    def shown(self, images: int) -> int:
        """Of how many of the first images the samples are there: they need not be, where the figures are."""
        return next((i for i in range(images) if not self.path(i).exists()), images)

    def samples(self, images: int) -> Tensor:
        """Of the first images, (S, N, C, H, W) in [-1, 1], rounded to 8 bits."""
        return from_bytes(torch.stack([self._samples(self.path(image)) for image in range(images)], 1))

    def _samples(self, path: Path) -> Tensor:
        try:
            return load_file(path)["samples"]
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"{path} is damaged ({error}): delete it, and pictures do without it") from error

    def _read(self) -> dict[int, Quality]:
        if not self.figures.exists():
            return {}
        try:
            said = json.loads(self.figures.read_text(encoding="utf-8"))
            check_facts(self.figures, dict(said["facts"]), self.facts)
            return {int(image): _quality(said["columns"], row) for image, row in said["images"].items()}
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            cure = "delete it, and it is computed again, or choose another --out"
            raise ValueError(f"{self.figures} is damaged, or of another kind ({reason}): {cure}") from error

    def _text(self, done: Mapping[int, Quality]) -> str:
        """JSON with a line per image, so that what is added to a run is what a diff of it shows."""
        lines = ",\n".join(f'  "{image}": {json.dumps(_flat(done[image]))}' for image in sorted(done))
        facts, columns = json.dumps(self.facts), json.dumps([*_PER_IMAGE, *_MEANS])
        return f'{{"facts": {facts},\n "columns": {columns},\n "images": {{\n{lines}\n }}}}\n'


def check_facts(path: Path, found: dict, expected: dict) -> None:
    """Whether what is kept comes from these settings.

    Raises:
        ValueError: where it does not, with each difference, old -> new.
    """
    if found != expected:
        changes = "; ".join(differences(found, expected))
        raise ValueError(f"{path} comes from other settings; choose another --out ({changes})")


def eight_bits(x: Tensor) -> Tensor:
    """Images in [-1, 1] as whole numbers 0 ... 255, uint8 of the same shape."""
    return to_bytes(x).contiguous()


def _singles(quality: Quality) -> list[Quality]:
    """The quality of each image for itself."""
    rows = zip(*(getattr(quality, name) for name in _PER_IMAGE), strict=True)
    return [replace(quality, **{name: [v] for name, v in zip(_PER_IMAGE, row)}) for row in rows]


def _flat(quality: Quality) -> list[float]:
    """The figures of one image, in the order of the fields, to six digits."""
    values = [*(getattr(quality, name)[0] for name in _PER_IMAGE), *(getattr(quality, name) for name in _MEANS)]
    return [float(f"{v:.6g}") for v in values]


def _quality(columns: Sequence[str], row: Sequence[float]) -> Quality:
    """The same, back."""
    if len(columns) != len(row) or not all(isinstance(v, (int, float)) for v in row):
        raise TypeError(f"a row has {len(columns)} numbers, but is {row}")
    return Quality(**{k: v if k in _MEANS else [v] for k, v in zip(columns, row)})


def chunks(missing: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Missing images as ranges (first, behind the last) of at most so many that follow each other."""
    found: list[tuple[int, int]] = []
    for image in missing:
        if found and found[-1][1] == image and image - found[-1][0] < size:
            found[-1] = (found[-1][0], image + 1)
        else:
            found.append((image, image + 1))
    return found
