"""Measure what is usual of a prior's own kind, so that it can say of a picture that it is of another.

Writes kind.json, which belongs into the prior's folder: how the prior does on pictures of its kind under masks
(vipaint_pyro.kind), and, with --bounds, to which bounds fits at the default settings come. --judge looks at pictures
that had no part in it, and at others that are of another kind, and writes a table beside it.

    python examples/priors/measure_kind.py cartoon-faces --out faces/kind.json --bounds 9 --judge faces/kind.md
    python examples/priors/measure_kind.py fashion-mnist --out garments/kind.json --bounds 9 --judge garments/kind.md
    python examples/priors/measure_kind.py photo-patches --data photographs --out photos/kind.json --bounds 9
    python examples/priors/measure_kind.py ./my-prior --pictures ./its-pictures --out ./my-prior/kind.json
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor

from foreign_pictures import FOREIGN, faces, garments
from photographs import Patches, all_scales
from vipaint_pyro import VIPaintPipeline
from vipaint_pyro.cli.kinds import fit_settings, seen_share
from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.files import write_text
from vipaint_pyro.images import from_bytes, read_image, to_model, to_unit
from vipaint_pyro.kind.bounds import final_bound, range_of_bounds
from vipaint_pyro.kind.check import CALLS
from vipaint_pyro.kind.measuring import all_local, masks_for, measured_range
from vipaint_pyro.kind.range import Range, read_range, write_range
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers.vipaint.fitting import fit_guide
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler


def pictures_of(prior, name: str, folder: Path | None, number: int, split: str, data: Path) -> tuple[Tensor, str]:
    """Pictures of the kind (N, C, H, W) in [-1, 1], and what they are; of a folder every other one is for the test."""
    if folder is not None:
        files = sorted(p for p in folder.iterdir() if p.is_file())[split == "test" :: 2][:number]
        return to_model(torch.cat([to_unit(read_image(p), prior.image_shape) for p in files])), folder.name
    if name == "cartoon-faces":
        return from_bytes(cartoon_faces(split, number)[0]), f"cartoon faces of the {split} split"
    if name == "fashion-mnist":
        x = fashion_mnist(split, data)[0]
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        return x[order[:number]], f"Fashion-MNIST, {split} split"
    if name == "photo-patches":
        x = Patches(all_scales(split, data)).draw(number, torch.Generator().manual_seed(4))[0]
        return x, f"patches of photographs, {split} split"
    raise click.UsageError("give --pictures: a folder of pictures of the prior's kind, of its size")


def bounds_of(prior, x: Tensor) -> dict:
    """What fits at default settings, each to one picture under a mask, come to."""
    found, settled = [], None
    for i, observed in enumerate(masks_for(len(x), tuple(x.shape[-2:]), seed=3)):
        operator = Inpainting(observed[None])
        measurement = Measurement.of(operator, torch.where(operator.observed, x[i : i + 1], 0))
        settled = VIPaintSampler().settle(prior, measurement)
        _, record = fit_guide(settled, prior.conditioned(None), measurement, torch.Generator().manual_seed(i))
        found.append(final_bound(record.terms) / seen_share(measurement))
        click.echo(f"fit {i + 1} of {len(x)}: {found[-1]:.2f} nats per dimension and share seen")
    return range_of_bounds(found, fit_settings(settled))


def resized(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Colour pictures (N, 3, S, S) in [0, 1] as a prior takes them, (N, C, H, W) in [-1, 1]."""
    small = torch.nn.functional.interpolate(x, shape[1:], mode="bilinear", antialias=True)
    return to_model(small.clamp(0, 1) if shape[0] == 3 else small.clamp(0, 1).mean(1, keepdim=True))


def judged(prior, known: Range, test: Tensor, others: dict[str, Tensor]) -> str:
    """A table of how many pictures of each sort are warned of."""
    lines = ["| pictures | | median strangeness | warned of |", "|--|--|--|--|"]
    sorts = {"of the kind, not seen before": test, **others}
    for i, (name, x) in enumerate(sorts.items()):
        strange = known.strangeness(all_local(prior, x, masks_for(len(x), tuple(x.shape[-2:]), seed=i + 4)))
        share = (strange > known.limit).double().mean()
        lines.append(f"| {name} | {len(x)} | {strange.median():.2f} | {100 * share:.1f} % |")
        click.echo(lines[-1])
    return "\n".join([*lines, "", f"Warned of from {known.limit:.2f} on; {CALLS} calls of the denoiser a picture.", ""])


def changed(test: Tensor) -> dict[str, Tensor]:
    """Pictures of the kind, changed: nearer and nearer to it."""
    side = test.shape[-1]
    middle = test[..., side // 4 : side - side // 4, side // 4 : side - side // 4]
    zoomed = torch.nn.functional.interpolate(middle, (side, side), mode="bilinear")
    noisy = test + 0.2 * torch.randn(test.shape, generator=torch.Generator().manual_seed(0))
    return {"inverted": -test, "half the contrast": test / 2, "zoomed in twice": zoomed, "noise of 0.1 of the range":
            noisy.clamp(-1, 1), "upside down": test.flip(-2), "mirrored": test.flip(-1)}  # fmt: skip


@click.command(help=__doc__)
@click.argument("name", metavar="PRIOR")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="kind.json; bounds are added to one.")
@click.option("--pictures", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Of the prior's kind.")
@click.option("--number", default=500, show_default=True, help="Pictures, half of them held out.")
@click.option("--bounds", default=0, show_default=True, help="Fits at default settings.")
@click.option("--judge", type=click.Path(path_type=Path), help="A table of who is warned of.")
@click.option("--test", default=200, show_default=True, help="Fresh pictures of the kind, for --judge.")
@click.option("--foreign", default=24, show_default=True, help="Of each other sort, for --judge.")
@click.option("--keep", is_flag=True, help="Take the range that --out has, and measure what else is asked for.")
@click.option(
    "--data", type=click.Path(path_type=Path), default=FASHION_MNIST_FOLDER, help="Of Fashion-MNIST; of photographs."
)
@click.option("--smoke", is_flag=True, help="Few pictures: does it run?")
def main(name, out, pictures, number, bounds, judge, test, foreign, keep, data, smoke):
    if smoke:
        number, bounds, test, foreign = 144, min(bounds, 1), 3, 2
    prior = VIPaintPipeline.from_pretrained(name).prior
    if keep:
        known = read_range(out.parent)
    else:
        x, what = pictures_of(prior, name, pictures, number, "train", data)
        if smoke:  # the same ones again, under other masks
            x = x[torch.arange(number) % len(x)]
        known = measured_range(prior, x, {"of": what}, progress=lambda n: click.echo(f"{n} of {len(x)} pictures"))
        write_range(out, known)
    if judge:
        fresh, _ = pictures_of(prior, name, pictures, test, "test", data)
        other = {"cartoon faces": faces} if name != "cartoon-faces" else {"garments": partial(garments, folder=data)}
        generator, sorts = torch.Generator().manual_seed(2), other | FOREIGN
        if name == "photo-patches":
            del sorts["a photograph"]
        drawn = {sort: resized(make(foreign, generator), prior.image_shape) for sort, make in sorts.items()}
        table = judged(prior, known, fresh, drawn | changed(fresh[:foreign]))
        write_text(judge, f"# {name}\n\n{table}")
    if bounds:
        x, _ = pictures_of(prior, name, pictures, bounds, "test", data)
        known = replace(known, bound=bounds_of(prior, x))
        write_range(out, known)
    click.echo(f"wrote {out}: it belongs into the prior's folder")


if __name__ == "__main__":
    main()
