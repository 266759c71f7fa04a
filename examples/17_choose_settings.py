"""Settings chosen for every method by the same small search, on training images.

A method's grid (``vipaint_pyro/evaluation/study/candidates.py``) has at most nine candidates. All of them are tried on
three images, the best three on all, at the same number of forward calls per sample, and the lowest mean LPIPS of the
completed images is chosen. Records are kept per candidate and image: the same command goes on where an ended one was.
The file is what ``vipaint evaluate --settings`` takes; beside it lies a table of all that was tried.

    python examples/17_choose_settings.py --prior fashion-mnist --condition rotated --out settings.json
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.evaluation.study.candidates import grid_of, latent_methods, pixel_methods
from vipaint_pyro.evaluation.study.plan import Plan
from vipaint_pyro.evaluation.study.search import is_latent, is_task, search, table
from vipaint_pyro.files import write_text


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The JSON file; the table lies beside it.")
@click.option("--records", type=click.Path(path_type=Path), help="Folder of the records; that of --out by default.")
@click.option("--prior", default="fashion-mnist", show_default=True)
@click.option("--data", help="By default the prior's own.")
@click.option("--condition", default="rotated", show_default=True)
@click.option("--methods", help="Divided by commas; all that the prior takes by default.")
@click.option("--images", default=8, show_default=True, help="Of the training split, for the best candidates.")
@click.option("--few", default=3, show_default=True, help="For all candidates.")
@click.option("--best", default=3, show_default=True, help="Candidates that go on.")
@click.option("--samples", default=1, show_default=True, help="Of an image.")
@click.option("--calls", default=250, show_default=True, help="Forward calls per sample.")
@click.option("--seed", default=0, show_default=True)
@click.option("--smoke", is_flag=True, help="Two methods, two images, few calls: does it run?")
def main(out, records, prior, data, condition, methods, images, few, best, samples, calls, seed, smoke) -> None:
    with reporting():
        if smoke:
            methods, images, few, best, calls = methods or "blended,ddnm", 2, 1, 1, 10
        plan = Plan(prior, data or prior, ("dps",), (condition,), split="train", images=images, samples=samples,
                    seed=seed, features="none", keep="none")  # fmt: skip
        latent, task, found = is_latent(plan), is_task(plan), {}
        names = methods.split(",") if methods else latent_methods() if latent else pixel_methods()
        for name in names:
            grid_of(name, latent, task)  # what cannot be searched is said before any is
        for name in names:
            folder = (records or out.with_suffix("")) / name
            found[name] = search(plan, name, calls, few, best, folder, click.echo)
            how = {"prior": prior, "condition": condition, "split": "train", "images": images, "few": few, "best": best,
                   "samples": samples, "calls": calls, "seed": seed, "judged by": "mean composite LPIPS"}  # fmt: skip
            tried = {n: [asdict(t) for t in tried] for n, tried in found.items()}
            chosen = {n: tried[0].settings for n, tried in found.items()}
            said = {"methods": chosen, "search": {**how, "tried": tried}}
            write_text(out, json.dumps(said, indent=1) + "\n")
            write_text(out.with_suffix(".md"), table(found, latent, task))
    click.echo(table(found, latent, task))


if __name__ == "__main__":
    main()
