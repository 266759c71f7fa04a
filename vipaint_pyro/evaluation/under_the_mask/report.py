"""Tables and pictures of how often each choice was drawn under a mask, against the exact odds."""

from __future__ import annotations

import math

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES
from vipaint_pyro.evaluation.under_the_mask.frequencies import as_tensor, counts, score
from vipaint_pyro.evaluation.under_the_mask.questions import Question
from vipaint_pyro.images import to_output
from vipaint_pyro.plots import grid, observed_picture

__all__ = ["chart", "choices", "sheet", "table"]


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
