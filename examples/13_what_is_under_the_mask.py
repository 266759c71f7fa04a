"""What is under the mask? Completions of cartoon faces against the exact posterior of what they may show.

A face of the test split is covered where one of its attributes (the mouth, the eyes, the hair) may be, whatever it
is, and completed a hundred times by VIPaint-2, VIPaint-4 and DPS at VIPaint-4's calls, and by VIPaint-4's guide
alone: its draws at T_s, from there the prior without a pull (zeta = 0). A classifier reads the attributes off each
completion. What the seen pixels leave possible, and how probable it is, is known exactly, so that the methods'
frequencies can be held against it: in total variation, beside that of as many exact draws. The
row ``exact draws`` is that of faces drawn from the exact posterior and passed through the prior's autoencoder: it
says what autoencoder and classifier alone do to the numbers. The classifier reads something off any picture: ``off``
is how far the completions are, in the hole, from the generator's picture of what is read. ``choices.md`` lists every
choice that is possible, with the residual that the autoencoder leaves where pixels are seen when that choice is hidden
beside them: hidden latents change seen pixels too, and what is rebuilt best is drawn too often.

Each face, attribute and method has a file of its own: a stopped run goes on where it was.

    python examples/13_what_is_under_the_mask.py --out under-the-mask
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import torch
from torch import Tensor

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.datasets.cartoon_faces.classifier import read_attributes
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES
from vipaint_pyro.evaluation.described import described
from vipaint_pyro.evaluation.study.claims import calls_of
from vipaint_pyro.evaluation.study.conditions import measured
from vipaint_pyro.evaluation.study.methods import sampler_of
from vipaint_pyro.evaluation.study.specs import file_name
from vipaint_pyro.evaluation.under_the_mask.charts import chart, sheet
from vipaint_pyro.evaluation.under_the_mask.completions import complete, kept
from vipaint_pyro.evaluation.under_the_mask.frequencies import outcomes, score
from vipaint_pyro.evaluation.under_the_mask.questions import Question, questions
from vipaint_pyro.evaluation.under_the_mask.report import choices, table
from vipaint_pyro.files import check_writable, write_picture, write_text
from vipaint_pyro.priors.fingerprints import fingerprint

EXACT = "exact draws"
ALONE = "VIPaint-4, guide alone"
METHODS = ("VIPaint-2", "VIPaint-4", ALONE, "DPS, equal calls")


def engines(prior: DiffusionPrior, completions: int, smoke: bool) -> dict[str, Callable | None]:
    """Name -> sampler, or None for exact draws."""
    few = {"fit_steps": 2, "num_chains": 1, "refinement_steps": 4} if smoke else {}
    found = {n: sampler_of(n.lower(), prior, completions, few) for n in ("VIPaint-2", "VIPaint-4")}
    seen = measured("rotated", torch.zeros(1, *prior.image_shape), 0, 0)  # of a picture of this size
    calls = round(calls_of(found["VIPaint-4"], prior, seen, completions))
    found[ALONE] = sampler_of("vipaint-4:zeta=0", prior, completions, few)
    found["DPS, equal calls"] = sampler_of(f"dps@{calls}", prior, completions)
    return {**{method: found[method] for method in METHODS}, EXACT: None}


def chosen(methods: str) -> list[str]:
    """Those of METHODS that are named, in their order, and exact draws."""
    given = [m.strip() for m in methods.split(";")]
    for wrong in {*given} - {*METHODS}:
        raise click.BadParameter(f"a method is one of {'; '.join(METHODS)}, not {wrong}", param_hint="--methods")
    return [m for m in METHODS if m in given] + [EXACT]


def drawn(path: Path, prior: DiffusionPrior, question: Question, sampler: Callable | None, facts: dict) -> Tensor:
    """Completions (S, 3, 64, 64), uint8, from their file where they are there."""

    def compute() -> Tensor:
        click.echo(f"{path.stem} ...")
        return complete(prior, question, sampler, facts["completions"], facts["batch"])

    return kept(path, {**facts, "sampler": None if sampler is None else described(sampler)}, compute)


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--prior", "name", default="cartoon-faces", show_default=True, help="Its name or folder.")
@click.option("--faces", default=3, show_default=True, help="Per attribute.")
@click.option("--completions", default=100, show_default=True, help="Per face, attribute and method.")
@click.option("--attributes", default="mouth,eyes,top", show_default=True, help=f"Of {', '.join(ATTRIBUTES)}.")
@click.option("--methods", default=";".join(METHODS), show_default=True, help="Separated by semicolons.")
@click.option("--batch", default=25, show_default=True, help="Completions at once.")
@click.option("--smoke", is_flag=True, help="One face, four completions, a few steps: does it run?")
def main(out, name, faces, completions, attributes, methods, batch, smoke) -> None:
    if smoke:
        faces, completions, attributes, batch = 1, 4, "top", 3
    prior = DiffusionPrior.from_pretrained(name)
    facts = {"weights": fingerprint(prior), "completions": completions, "batch": batch}
    methods, names = engines(prior, completions, smoke), chosen(methods)
    prior = prior.conditioned(None)  # what is on the head is part of the question
    with reporting():
        check_writable(out)
        asked = [q for attribute in attributes.split(",") for q in questions(attribute, faces)]
    pictures, found, off = {}, {}, {}
    for q in asked:
        for method in names:
            path = out / "completions" / f"{q.attribute}-{q.index}-{file_name(method)}.safetensors"
            with reporting():
                picture = drawn(path, prior, q, methods[method], facts)
            key, x = (q.attribute, q.index, method), picture / 127.5 - 1
            read = read_attributes(x)
            pictures[key], found[key], off[key] = picture, outcomes(read), q.off(x, read)
            assert (x - q.truth)[:, q.observed.expand(3, -1, -1)].abs().max() < 1e-6  # what is seen is kept
    text = table(asked, found, off, names)
    write_text(out / "table.md", text + "\n")
    residuals = {(q.attribute, q.index): q.rebuilt(prior) for q in asked}
    write_text(out / "choices.md", choices(asked, found, residuals, names) + "\n")
    write_picture(out / "frequencies.png", chart(asked, found, names))
    write_picture(out / "completions.png", sheet(asked, pictures, names))
    click.echo(text)
    assert smoke or all(
        score(found[q.attribute, q.index, EXACT][q.attribute], q.open()[q.attribute]).distance < 0.3 for q in asked
    )


if __name__ == "__main__":
    main()
