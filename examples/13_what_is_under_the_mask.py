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

import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import click
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from frequencies import (
    as_tensor,
    bootstrap_error,
    counts,
    exact_outcomes,
    exact_total_variation,
    outcomes,
    total_variation,
)
from running import described, file_name, fingerprint, samplers, write
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.face_classifier import read_attributes
from vipaint_pyro.face_posterior import FacePosterior, attribute_mask, face_posterior
from vipaint_pyro.faces import ATTRIBUTES, draw_attributes, number, render, shows
from vipaint_pyro.images import to_output
from vipaint_pyro.operators import Inpainting
from vipaint_pyro.plots import grid, observed_picture
from vipaint_pyro.samplers import VIPaintSampler

EXACT = "exact draws"
ALONE = "VIPaint-4, guide alone"
METHODS = ("VIPaint-2", "VIPaint-4", ALONE, "DPS, equal calls")
#: Below this an outcome counts as ruled out by what is seen.
IMPOSSIBLE = 1e-9


@dataclass(frozen=True)
class Question:
    """One face with one attribute covered.

    Attributes:
        attribute: which.
        index: of the face in the test split.
        face: its attributes.
        truth: its picture, (3, 64, 64) in [-1, 1].
        observed: (1, 64, 64), True where seen.
        posterior: of its attributes, given what is seen.
    """

    attribute: str
    index: int
    face: dict[str, str]
    truth: Tensor
    observed: Tensor
    posterior: FacePosterior

    @property
    def seed(self) -> int:
        return len(ATTRIBUTES) * self.index + [*ATTRIBUTES].index(self.attribute)

    def open(self) -> dict[str, dict[str, float]]:
        """What is in question: the attribute, and others that are not known for certain, with the exact odds."""
        every = {name: exact_outcomes(self.posterior, name) for name in ATTRIBUTES}
        return {n: odds for n, odds in every.items() if n == self.attribute or max(odds.values()) < 1 - 1e-6}

    def off(self, completions: Tensor, read: Tensor) -> Tensor:
        """How far completions (S, 3, 64, 64) are from the faces that are read off them, (S,).

        Root mean square over what is hidden, in units of [-1, 1]; about 0.03 is the autoencoder's own, and a
        mouth between two of the generator's has more.
        """
        choices = [[*odds] for odds in ATTRIBUTES.values()]
        faces = [{n: c[i] for n, c, i in zip(ATTRIBUTES, choices, row)} for row in read.tolist()]
        drawn = {tuple(face.values()): render(face) for face in faces}
        change = completions - torch.stack([drawn[tuple(face.values())] for face in faces])
        return change[:, ~self.observed.expand(3, -1, -1)].pow(2).mean(1).sqrt()

    def rebuilt(self, prior: DiffusionPrior) -> dict[str, float]:
        """Of each choice that is possible, how badly the seen pixels come out when it is the one that is hidden.

        The norm of y - A D(E(x)) over what is seen, in units of [-1, 1], x the true face with that choice: equal
        for all of them if hidden latents touched hidden pixels alone.
        """
        odds = exact_outcomes(self.posterior, self.attribute)
        choices = [c for c in ATTRIBUTES[self.attribute] if odds[c] >= IMPOSSIBLE]
        faces = torch.stack([render({**self.face, self.attribute: c}) for c in choices]).to(prior.dtype)
        with torch.no_grad():
            change = prior.decode(prior.encode(faces)) - self.truth
        residual = change[:, self.observed.expand(3, -1, -1)].pow(2).sum(1).sqrt()
        return dict(zip(choices, residual.tolist()))

    def impossible(self, found: dict[str, list[str]]) -> list[bool]:
        """Which completions show anything at all that what is seen rules out."""
        wrong = [False] * len(found[self.attribute])
        for name, shown in found.items():
            odds = exact_outcomes(self.posterior, name)
            wrong = [w or odds.get(outcome, 0.0) < IMPOSSIBLE for w, outcome in zip(wrong, shown)]
        return wrong


def questions(attribute: str, faces: int) -> list[Question]:
    """The first test faces in which an attribute shows."""
    found: list[Question] = []
    index, place = 0, [*ATTRIBUTES].index(attribute)
    while len(found) < faces:
        face = draw_attributes("test", index)
        if shows(number(face))[place]:
            seen = attribute_mask(attribute, face)
            found.append(Question(attribute, index, face, render(face), seen, face_posterior(face, seen)))
        index += 1
    return found


def complete(prior: DiffusionPrior, question: Question, sampler: object | None, completions: int, batch: int) -> Tensor:
    """Completions (S, 3, 64, 64) in [-1, 1], what is seen put back; without a sampler, exact draws by the decoder."""
    generator = torch.Generator().manual_seed(question.seed)
    sizes = [min(batch, completions - k) for k in range(0, completions, batch)]
    parts = []
    if sampler is None:
        faces = question.posterior.draw(completions, generator)
        with torch.no_grad():
            for part in torch.stack([render(face) for face in faces]).split(batch):
                parts.append(prior.decode(prior.encode(part)))
    else:
        operator = Inpainting(question.observed[None])
        y = operator.adjoint(question.truth[None])
        fitted = {}
        for size in sizes:
            drawn = sampler(prior, operator, y, size, generator, **fitted)
            if isinstance(sampler, VIPaintSampler):
                fitted = {"guide": drawn.guide}  # one fit for all
            parts.append(drawn.images[:, 0])
    return torch.where(question.observed, question.truth, torch.cat(parts).clamp(-1, 1))


def kept(path: Path, facts: dict, compute) -> Tensor:
    """Completions as 8-bit pictures, from their file where they are there."""
    if path.exists():
        with safe_open(path, "pt") as file:
            if json.loads(file.metadata()["facts"]) != facts:
                raise click.ClickException(f"{path} comes from other settings; choose another --out")
            return file.get_tensor("completions")
    click.echo(f"{path.stem} ...")
    pictures = ((compute() + 1) * 127.5).round().to(torch.uint8).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{os.getpid()}.partial")
    save_file({"completions": pictures}, partial, metadata={"facts": json.dumps(facts)})
    os.replace(partial, path)
    return pictures


@dataclass(frozen=True)
class Score:
    """One method's frequencies of one attribute in one face, against the exact odds."""

    distance: float
    error: float
    ruled_out: float
    ideal: float
    ideal_spread: float


def score(found: list[str], odds: dict[str, float]) -> Score:
    counted, exact = counts(found, odds), as_tensor(odds)
    ruled_out = counted[exact < IMPOSSIBLE].sum() / counted.sum()
    distance = total_variation(counted, exact).item()
    ideal = exact_total_variation(exact, len(found))
    return Score(distance, bootstrap_error(counted, exact), ruled_out.item(), *ideal)


def table(
    asked: list[Question],
    found: dict[tuple[str, int, str], dict[str, list[str]]],
    off: dict[tuple[str, int, str], Tensor],
    names: list[str],
) -> str:
    """Per covered and read attribute and method, means over faces ± the sampling error of the mean.

    ``off``: of each completion, its distance from the face that is read off it.
    """
    heads = "covered | read | faces | method | total variation | of as many exact draws | ruled out | off"
    lines = [f"| {heads} |", "|--" * 8 + "|"]

    def mean(values: list[float], errors: list[float]) -> str:
        n = len(values)
        return f"{sum(values) / n:.3f} ± {math.sqrt(sum(e * e for e in errors)) / n:.3f}"

    for covered in dict.fromkeys(q.attribute for q in asked):
        own = [q for q in asked if q.attribute == covered]
        for read in [covered, *(n for n in ATTRIBUTES if n != covered)]:
            faces = [q for q in own if read in q.open()]
            for name in names if faces else ():
                s = [score(found[covered, q.index, name][read], q.open()[read]) for q in faces]
                distance = mean([v.distance for v in s], [v.error for v in s])
                ideal = mean([v.ideal for v in s], [v.ideal_spread for v in s])
                share = sum(v.ruled_out for v in s) / len(s)
                lines.append(f"| {covered} | {read} | {len(s)} | {name} | {distance} | {ideal} | {share:.3f} | |")
        for name in names:
            wrong = [w for q in own for w in q.impossible(found[covered, q.index, name])]
            far = torch.stack([off[covered, q.index, name] for q in own]).mean()
            lines.append(f"| {covered} | anything | {len(own)} | {name} | | | {sum(wrong) / len(wrong):.3f} | {far:.3f} |")
    return "\n".join(lines)


def choices(
    asked: list[Question],
    found: dict[tuple[str, int, str], dict[str, list[str]]],
    residuals: dict[tuple[str, int], dict[str, float]],
    names: list[str],
) -> str:
    """Of every face and possible choice: how well the seen part is rebuilt around it, and how often it was drawn."""
    lines = [f"| covered | face | choice | residual | exact | {' | '.join(names)} |", "|--" * (5 + len(names)) + "|"]
    for q in asked:
        odds, own = q.open()[q.attribute], residuals[q.attribute, q.index]
        for choice in sorted(own, key=own.__getitem__):
            drawn = [found[q.attribute, q.index, name][q.attribute] for name in names]
            shares = " | ".join(f"{shown.count(choice) / len(shown):.2f}" for shown in drawn)
            lines.append(f"| {q.attribute} | {q.index} | {choice.lower()} | {own[choice]:.3f} | {odds[choice]:.3f} | {shares} |")
    return "\n".join(lines)


def chart(asked: list[Question], found: dict[tuple[str, int, str], dict[str, list[str]]], names: list[str]):
    """Bars of the covered attribute's frequencies; black: exact probability, with the spread of as many draws."""
    from matplotlib.figure import Figure

    covered = list(dict.fromkeys(q.attribute for q in asked))
    rows = [[q for q in asked if q.attribute == name][:3] for name in covered]
    columns = max(map(len, rows))
    figure = Figure(figsize=(4.6 * columns, 3.4 * len(rows)), layout="constrained", dpi=100)
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for line, row in zip(panels, rows):
        for axes, question in zip(line, row):
            axes.set_visible(True)
            odds = question.open()[question.attribute]
            labels, exact = [*odds], as_tensor(odds)[: len(odds)]
            place = torch.arange(len(labels))
            width = 0.8 / len(names)
            for k, name in enumerate(names):
                shown = found[question.attribute, question.index, name][question.attribute]
                share = counts(shown, odds)[: len(labels)] / len(shown)
                left = place + (k - (len(names) - 1) / 2) * width
                axes.bar(left.numpy(), share.numpy(), width, label=name, color=f"C{k}")
            spread = (exact * (1 - exact) / len(shown)).sqrt()
            axes.errorbar(place.numpy(), exact.numpy(), spread.numpy(), fmt="k_", ms=22, capsize=3, label="exact")
            axes.set_xticks(place.numpy(), [v.lower().replace("_", " ") for v in labels], rotation=60, fontsize=7)
            axes.set_title(f"{question.attribute} of test face {question.index}", fontsize=9)
    panels[0, 0].set_ylabel("frequency")
    panels[0, 0].legend(fontsize=7)
    return figure


def said(text: str, side: int) -> PIL.Image.Image:
    """A few words as a picture, to stand at the head of a row."""
    picture = PIL.Image.new("RGB", (side, side), (255, 255, 255))
    font = PIL.ImageFont.load_default(size=13)
    lines = text.replace(", ", ",\n")
    PIL.ImageDraw.Draw(picture).text((2, side / 2), lines, fill=(40, 40, 40), font=font, anchor="lm")
    return picture


def sheet(asked: list[Question], pictures: dict[tuple[str, int, str], Tensor], names: list[str]) -> PIL.Image.Image:
    """Of the first face of each attribute: truth, what is seen, and up to eight completions per method."""
    side, most = 96, 8
    rows = []
    for covered in dict.fromkeys(q.attribute for q in asked):
        question = next(q for q in asked if q.attribute == covered)
        unit = question.truth / 2 + 0.5
        for name in names:
            drawn = pictures[covered, question.index, name][:most] / 255
            head = [said(name, side), *to_output(unit[None], "pil"), observed_picture(unit, question.observed)]
            rows.append([*head, *to_output(drawn, "pil")])
    return grid(rows, ["method", "truth", "observed", *[f"{k + 1}" for k in range(len(rows[0]) - 3)]], side)


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
    write(out / "table.md", text + "\n")
    residuals = {(q.attribute, q.index): q.rebuilt(prior) for q in asked}
    write(out / "choices.md", choices(asked, found, residuals, names) + "\n")
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
