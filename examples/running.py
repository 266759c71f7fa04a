"""What the comparisons of samplers share: pictures, settings, results kept image by image, tables.

Not a script of its own. Every image has seeds of its own. A method's figures are kept image by image in one small
JSON file, written beside and moved into place, its samples in a file per image: a stopped run goes on at the image
where it was, one with more images takes those whose figures are there, and two processes may run two methods at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import click
import PIL.Image
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets.fashion_mnist import fashion_mnist
from vipaint_pyro.evaluation.quality import Quality, evaluate, join, mean_and_error, paired
from vipaint_pyro.images import to_output
from vipaint_pyro.plots import grid
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler, timesteps_for

PRIORS = ("fashion-mnist", "cartoon-faces")
STEP = "DPS with VIPaint's step, equal calls"
HEADINGS = {
    "lpips_raw": "LPIPS raw",
    "lpips_composite": "LPIPS composite",
    "psnr": "PSNR (dB)",
    "observed_error": "observed error",
    "diversity": "diversity",
}


def pictures(prior: str, split: str, number: int, data: str, cache: Path) -> tuple[Tensor, list[int]]:
    """The first images of a split, (N, C, H, W) in [-1, 1], and their classes.

    Args:
        prior: whose pictures.
        split: ``"test"``, or ``"train"``, what the prior was trained on.
        number: N.
        data: folder of Fashion-MNIST.
        cache: folder for the faces that were drawn.
    """
    if prior == "cartoon-faces":
        from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces

        cache.mkdir(parents=True, exist_ok=True)
        faces, attributes = cartoon_faces(split, number, cache / f"faces-{split}-{number}.safetensors")
        return faces / 127.5 - 1, attributes[:, 0].tolist()  # the class is what is on the head
    images, classes = fashion_mnist(split, data)
    if number > len(images):
        raise click.BadParameter(f"the split has {len(images)} images, not {number}")
    return images[:number], classes[:number].tolist()


def samplers(prior: DiffusionPrior, num_samples: int, smoke: bool) -> dict:
    """VIPaint-4, VIPaint-2, and DPS at VIPaint-4's refinement steps and at its denoiser calls per sample.

    DPS runs as published (zeta = 0.5), and once more with the step that VIPaint refines with, since that was chosen
    for VIPaint. On the latents of faces both do about alike in an inpainting; in super-resolution the published
    step is worse by far (LPIPS 0.052 against 0.010 on four training faces).

    Args:
        prior: pixel or latent.
        num_samples: of an image, which share the calls of a fit.
        smoke: whether a few steps are enough.
    """
    # What VIPaint's None stands for, so that DPS can have the same.
    fraction = None if prior.codec.factor == 1 else 0.3
    # A few faces at once fit into memory without gradient checkpointing, which changes no number.
    four = VIPaintSampler(timesteps=timesteps_for(prior, 4), fraction=fraction, gradient_checkpointing=False)
    if smoke:
        four = replace(four, fit_steps=2, num_chains=1, refinement_steps=4)
    fit = four.fit_steps * four.num_chains * (four.num_levels + len(four.timesteps))
    calls = round(fit / num_samples) + len(four.timesteps) - 1 + four.refinement_steps
    calls = min(calls, prior.schedule.num_timesteps)
    published = DPSSampler(calls)
    return {
        "VIPaint-4": four,
        "VIPaint-2": replace(four, timesteps=timesteps_for(prior, 2)),
        "DPS, equal refinement steps": replace(published, num_steps=four.refinement_steps),
        "DPS, equal calls": published,
        STEP: replace(published, zeta=four.zeta, limit=four.limit, fraction=fraction),
    }


# -- results kept image by image ---------------------------------------------------------------------


def fingerprint(prior: DiffusionPrior) -> str:
    """A short name of a prior's weights: results of other weights are other results."""
    digest = hashlib.sha256()
    for network in (getattr(prior.denoiser, "network", None), getattr(prior.codec, "network", None)):
        for name, value in network.state_dict().items() if network is not None else ():
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def described(sampler: object) -> dict:
    """A sampler's class and settings, as JSON gives them back."""
    return json.loads(json.dumps({"class": type(sampler).__name__, **asdict(sampler)}))


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
        return self.folder.with_name(f"{self.folder.name}.json")

    def path(self, image: int) -> Path:
        return self.folder / f"{image:05d}.safetensors"

    def missing(self, images: int) -> list[int]:
        """The images that are still to be done.

        Raises:
            ClickException: where those that are done come from other settings.
        """
        done = self._read()
        return [image for image in range(images) if image not in done]

    def save(self, first: int, quality: Quality, samples: Tensor) -> None:
        """Keep the images ``first`` ... with their samples (S, N, C, H, W)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self._read()
        lists = [f.name for f in fields(Quality)[:-2]]
        for i in range(samples.shape[1]):
            eight_bits = ((samples[:, i].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).contiguous()
            partial = self.folder / f"{os.getpid()}.partial"
            save_file({"samples": eight_bits}, partial)
            os.replace(partial, self.path(first + i))
            done[first + i] = replace(quality, **{name: [getattr(quality, name)[i]] for name in lists})
        lines = ",\n".join(f'  "{image}": {json.dumps(_flat(done[image]))}' for image in sorted(done))
        columns = json.dumps([f.name for f in fields(Quality)])
        write(self.figures, f'{{"facts": {json.dumps(self.facts)},\n "columns": {columns},\n "images": {{\n{lines}\n }}}}\n')

    def quality(self, images: int) -> Quality:
        """Of the first images, all of which are there."""
        done = self._read()
        return join([done[image] for image in range(images)])

    def shown(self, images: int) -> int:
        """Of how many of the first images the samples are there: they need not be, where the figures are."""
        return next((i for i in range(images) if not self.path(i).exists()), images)

    def samples(self, images: int) -> Tensor:
        """Of the first images, (S, N, C, H, W) in [-1, 1], rounded to 8 bits."""
        return torch.stack([load_file(self.path(image))["samples"] for image in range(images)], 1) / 127.5 - 1

    def _read(self) -> dict[int, Quality]:
        if not self.figures.exists():
            return {}
        said = json.loads(self.figures.read_text())
        if said["facts"] != self.facts:
            raise click.ClickException(f"{self.figures} comes from other settings; choose another --out")
        names = said["columns"]
        rows = {int(image): dict(zip(names, row, strict=True)) for image, row in said["images"].items()}
        single = {f.name for f in fields(Quality)[-2:]}
        return {i: Quality(**{k: v if k in single else [v] for k, v in row.items()}) for i, row in rows.items()}


def _flat(quality: Quality) -> list[float]:
    """The figures of one image, in the order of the fields, to six digits."""
    values = [getattr(quality, f.name) for f in fields(Quality)]
    return [float(f"{v[0] if isinstance(v, list) else v:.6g}") for v in values]


def chunks(missing: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Missing images as ranges (first, behind the last) of at most so many that follow each other."""
    found: list[tuple[int, int]] = []
    for image in missing:
        if found and found[-1][1] == image and image - found[-1][0] < size:
            found[-1] = (found[-1][0], image + 1)
        else:
            found.append((image, image + 1))
    return found


def run(kept: Kept, images: int, chunk: int, compute: Callable[[int, int], tuple[Quality, Tensor]], name: str) -> None:
    """Do the images that are missing, ``compute(first, behind the last)`` by chunks, and keep each chunk."""
    for a, b in chunks(kept.missing(images), chunk):
        quality, samples = compute(a, b)
        kept.save(a, quality, samples)
        click.echo(f"{name}: {b} of {images} images, {quality.seconds:.0f} s each")


def compare(
    out: Path,
    methods: dict[str, object],
    only: str | None,
    facts: dict,
    truth: Tensor,
    chunk: int,
    prior: DiffusionPrior,
    num_samples: int,
    labels: Sequence[int] | None,
    measured: Callable[[int, int], dict],
) -> dict[str, Kept]:
    """Run the methods, or one, on all images, and give those that are complete.

    Args:
        out: folder of the run.
        methods: name -> sampler.
        only: a method's name, as it stands or as its folder is called; None for all.
        facts: what the results depend on, but for the sampler and the number of images.
        truth: (N, C, H, W).
        chunk: images at once.
        prior, num_samples, labels: of :func:`vipaint_pyro.evaluation.evaluate`.
        measured: (first, behind the last) -> ``observed``, or ``operator`` and ``y``, of those images.
    """
    names = {file_name(name): name for name in methods}
    if only is not None and file_name(only) not in names:
        raise click.BadParameter(f"no method {only!r}: there are {', '.join(methods)}", param_hint="--method")
    facts = {**facts, "samples": num_samples, "weights": fingerprint(prior)}
    kept = {n: Kept(out / file_name(n), {**facts, "sampler": described(s)}) for n, s in methods.items()}
    for name, sampler in methods.items():
        if only is None or name == names[file_name(only)]:

            def compute(a: int, b: int, sampler=sampler) -> tuple[Quality, Tensor]:
                given = None if labels is None else labels[a:b]
                more = measured(a, b)
                return evaluate(sampler, prior, truth[a:b], labels=given, num_samples=num_samples, first=a, **more)

            run(kept[name], len(truth), chunk, compute, name)
    return {name: k for name, k in kept.items() if not k.missing(len(truth))}


# -- what is shown -----------------------------------------------------------------------------------


def table(results: dict[str, Quality], columns: Sequence[str], deviation: bool = False) -> str:
    """Means over images ± their standard errors, and paired differences of the first method to the others.

    Args:
        results: method -> quality, all on the same images.
        columns: lists of :class:`~vipaint_pyro.evaluation.Quality`.
        deviation: whether the standard deviation over images is given beside, in brackets.
    """

    def cell(quality: Quality, column: str) -> str:
        values = getattr(quality, column)
        mean, error = mean_and_error(values)
        digits = 1 if column == "psnr" else 4
        spread = f" ({error * len(values) ** 0.5:.{digits}f})" if deviation else ""
        return f"{mean:.{digits}f} ± {error:.{digits}f}{spread}"

    lines = [f"| method | {' | '.join(HEADINGS[c] for c in columns)} | calls | s per image |"]
    lines.append("|--" * (len(columns) + 3) + "|")
    for name, quality in results.items():
        cells = " | ".join(cell(quality, c) for c in columns)
        lines.append(f"| {name} | {cells} | {quality.calls:.0f} | {quality.seconds:.1f} |")
    first, *others = results
    lines.append("")
    for name in others:
        for column in (c for c in columns if c.startswith("lpips")):
            mean, error = paired(getattr(results[first], column), getattr(results[name], column))
            lines.append(f"{first} - {name}, {column}: {mean:+.4f} ± {error:.4f} (paired)")
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    os.replace(partial, path)


def sheet(
    truth: Tensor, given: dict[str, Callable[[int], PIL.Image.Image]], drawn: Tensor, rows: int = 8
) -> PIL.Image.Image:
    """Truth, what was given, and up to five samples of the first images.

    Args:
        truth: (N, C, H, W) in [-1, 1].
        given: heading -> picture of an image by its number.
        drawn: samples (S, n, C, H, W) of the first n images, in [-1, 1].
        rows: how many images at most.
    """
    lines = []
    for i in range(min(rows, drawn.shape[1])):
        unit = truth[i] / 2 + 0.5
        shown = [picture(i) for picture in given.values()]
        lines.append([*to_output(unit[None], "pil"), *shown, *to_output(drawn[:5, i].clamp(-1, 1) / 2 + 0.5, "pil")])
    labels = ["truth", *given, *[f"sample {k}" for k in range(min(5, len(drawn)))]]
    return grid(lines, labels, side=84 if truth.shape[-1] < 64 else 128)
