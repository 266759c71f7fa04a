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

from dataclasses import replace
from pathlib import Path

import click

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets.cartoon_faces.classifier import read_attributes
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES
from vipaint_pyro.evaluation.engines import samplers
from vipaint_pyro.evaluation.records import described, file_name, fingerprint
from vipaint_pyro.evaluation.under_the_mask.completions import complete, kept
from vipaint_pyro.evaluation.under_the_mask.frequencies import outcomes, score
from vipaint_pyro.evaluation.under_the_mask.questions import questions
from vipaint_pyro.evaluation.under_the_mask.report import chart, choices, sheet, table
from vipaint_pyro.files import write_text

EXACT = "exact draws"
ALONE = "VIPaint-4, guide alone"
METHODS = ("VIPaint-2", "VIPaint-4", ALONE, "DPS, equal calls")


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
    settings = {m: s for m, s in samplers(prior, completions, smoke).items() if m in METHODS}
    settings[ALONE] = replace(settings["VIPaint-4"], zeta=0.0)
    # What is on the head is part of the question, so that no label is given.
    weights, prior = fingerprint(prior), prior.conditioned(None)
    chosen = {file_name(m.strip()): m.strip() for m in methods.split(";")}
    for wrong in chosen.keys() - {file_name(m) for m in METHODS}:
        raise click.BadParameter(f"a method is one of {'; '.join(METHODS)}, not {chosen[wrong]}", param_hint="--methods")
    for attribute in attributes.split(","):
        if attribute not in ATTRIBUTES:
            raise click.BadParameter(f"an attribute is one of {', '.join(ATTRIBUTES)}, not {attribute}")
    names = [m for m in METHODS if file_name(m) in chosen] + [EXACT]
    asked = [q for attribute in attributes.split(",") for q in questions(attribute, faces)]
    pictures, found, off = {}, {}, {}
    for q in asked:
        for method in names:
            sampler = settings.get(method)
            facts = {"weights": weights, "completions": completions, "batch": batch}
            facts["sampler"] = None if sampler is None else described(sampler)
            path = out / "completions" / f"{q.attribute}-{q.index}-{file_name(method)}.safetensors"
            drawn = kept(path, facts, lambda q=q, s=sampler: complete(prior, q, s, completions, batch))
            read, key = read_attributes(drawn / 127.5 - 1), (q.attribute, q.index, method)
            pictures[key], found[key], off[key] = drawn, outcomes(read), q.off(drawn / 127.5 - 1, read)
    text = table(asked, found, off, names)
    write_text(out / "table.md", text + "\n")
    residuals = {(q.attribute, q.index): q.rebuilt(prior) for q in asked}
    write_text(out / "choices.md", choices(asked, found, residuals, names) + "\n")
    chart(asked, found, names).savefig(out / "frequencies.png")
    sheet(asked, pictures, names).save(out / "completions.png")
    click.echo(text)
    for q in asked:
        for method in names:
            drawn = pictures[q.attribute, q.index, method] / 127.5 - 1
            assert (drawn - q.truth)[:, q.observed.expand(3, -1, -1)].abs().max() < 1e-6  # what is seen is kept
    assert smoke or all(
        score(found[q.attribute, q.index, EXACT][q.attribute], q.open()[q.attribute]).distance < 0.3 for q in asked
    )


if __name__ == "__main__":
    main()
