"""Cut the patches that ``vipaint evaluate --data photos`` compares methods on, from photographs held out of training.

Of the photographs of a split (photographs.csv), in an order by chance, COUNT give EACH patches, drawn as those that
photo-patches is trained on: at a scale and a place by chance, half of them mirrored, never enlarged. A patch whose
grey values have a standard deviation of FLAT or less is drawn again; a photograph that gives only such ones is passed
over. OUT gets a sheet of patches and a table per split, which ``vipaint_pyro.datasets.photos`` reads, and a README.

    python examples/priors/cut_photo_patches.py --data photographs --out vipaint_pyro/assets/photos
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click
import torch
from PIL import Image
from torch import Tensor

from photographs import SIDE, Patches, photograph, scales, table
from vipaint_pyro.datasets.photos import COLUMNS
from vipaint_pyro.datasets.shares import SHARES
from vipaint_pyro.files import write_picture, write_text

#: Photographs of a split, patches of each, and how many patches stand in a row of the sheet.
SPLITS = {"test": (40, 1, 8), "validation": (18, 2, 6)}
SEED = 20
#: Grey levels of 255.
FLAT = 12.0
#: Places that are tried in a photograph before it is passed over.
TRIES = 50

ABOUT = """# `photos`: patches of photographs, to compare methods on

{test} patches of 64x64 pixels from {test} photographs (`--split test`), and {validation} from {halves} others to choose
settings on (`--split validation`). No photograph is among those that the prior `photo-patches` was trained on. All are
under free licences, from packages of Debian 12, as each package says; patches stay under the licence of their
photograph.

    vipaint evaluate --prior PRIOR --data photos --masks square-8,square-16,square-24,scratch --out photos

Made by `examples/priors/cut_photo_patches.py` from `examples/priors/photographs.csv`: photographs by chance, one patch
of each (of the validation ones two), at a scale and a place by chance, half of them mirrored, none enlarged; none whose
grey values have a standard deviation of {flat:g} of 255 or less. A photograph is halved by averages over 2x2 pixels,
any number of times. *Class* is how much of the photograph's longer side a patch spans: detail below a sixteenth, part
below an eighth, object below a quarter, scene above. *Scale* is the size of the photograph that the patch is cut from,
*corner* its left and upper edge there.
"""


def name_of(path: str) -> str:
    """What a photograph is called: its file's name, or its folder's where that is of a size."""
    parts = Path(path).with_suffix("").parts
    return parts[-4] if parts[-1][0].isdigit() else parts[-1]


def spread(patch: Tensor) -> float:
    """Standard deviation of the grey values of a patch (3, H, W) in 8 bits."""
    return patch.double().mean(0).std(correction=0).item()


def cut(rows: list[dict[str, str]], data: Path, count: int, each: int) -> list[tuple[Tensor, dict[str, str]]]:
    """Patches (3, SIDE, SIDE) in 8 bits, each with its row of the table; ValueError where too few are not flat."""
    generator, found, classes = torch.Generator().manual_seed(SEED), [], [*SHARES]
    for number in torch.randperm(len(rows), generator=generator).tolist():
        row = rows[number]
        patches, own = Patches(scales(photograph(row, data / "packages"))), []
        for _ in range(TRIES):
            place = patches.place(generator)
            patch = place.patch()
            if len(own) < each and spread(patch) > FLAT:
                height, width = place.picture.shape[:2]
                own.append((patch, {
                    "name": name_of(row["path"]), "class": classes[place.kind], "author": row["author"],
                    "licence": row["licence"], "scale": f"{width}x{height}", "left": str(place.left),
                    "top": str(place.top), "mirrored": "yes" if place.mirrored else "no", "package": row["package"],
                    "path": row["path"], "source": row["source"],
                }))  # fmt: skip
        found += own if len(own) == each else []
        if len(found) == count * each:
            return found
    raise ValueError(f"{count} photographs are asked for, but only {len(found) // each} have patches that are not flat")


def sheet(patches: list[Tensor], columns: int) -> Image.Image:
    """Patches side by side, without gaps, row by row; black where the last row has none."""
    patches = patches + [torch.zeros_like(patches[0])] * (-len(patches) % columns)
    rows = [torch.cat(patches[i : i + columns], 2) for i in range(0, len(patches), columns)]
    return Image.fromarray(torch.cat(rows, 1).permute(1, 2, 0).numpy())


def as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(rows: list[dict[str, str]]) -> str:
    """A row per patch: what a person wants to know of it."""
    lines = ["| | photograph | author | licence | class | scale | corner | package |", "|--" * 8 + "|"]
    for i, row in enumerate(rows):
        name = f"[{row['name']}]({row['source']})" if row["source"] else row["name"]
        corner = f"{row['left']}, {row['top']}" + (", mirrored" if row["mirrored"] == "yes" else "")
        shown = (i, name, row["author"], row["licence"], row["class"], row["scale"], corner, row["package"])
        lines.append("| " + " | ".join(str(v).replace("|", "\\|") for v in shown) + " |")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Where the photographs are kept.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(data: Path, out: Path) -> None:
    (test, _, _), (others, each, _) = SPLITS["test"], SPLITS["validation"]
    text = ABOUT.format(test=test, validation=others * each, halves=others, flat=FLAT)
    out.mkdir(parents=True, exist_ok=True)
    for split, (count, each, columns) in SPLITS.items():
        found = cut(table(split), data, count, each)
        rows = [row for _, row in found]
        write_picture(out / f"{split}.png", sheet([patch for patch, _ in found], columns))
        write_text(out / f"{split}.csv", as_csv(rows))
        text += f"\n## {split}\n\n![{split}, in rows of {columns}]({split}.png)\n\n{as_markdown(rows)}\n"
        click.echo(f"{split}: {len(found)} patches of {SIDE}x{SIDE}")
    write_text(out / "README.md", text)


if __name__ == "__main__":
    main()
