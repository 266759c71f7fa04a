"""Tables of how often each choice was drawn under a mask, against the exact odds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES
from vipaint_pyro.evaluation.under_the_mask.frequencies import score
from vipaint_pyro.evaluation.under_the_mask.questions import Found, Key, Question, by_attribute

__all__ = ["choices", "table"]


def table(asked: Sequence[Question], found: Found, off: Mapping[Key, Tensor], names: Sequence[str]) -> str:
    """Per covered and read attribute and method, means over faces ± the sampling error of the mean.

    Args:
        asked: the faces with what is covered.
        found: what each completion shows.
        off: of each completion, its distance from the face that is read off it.
        names: of the methods.
    """
    heads = "covered | read | faces | method | total variation | of as many exact draws | ruled out | off"
    lines = [f"| {heads} |", "|--" * 8 + "|"]
    for covered, own in by_attribute(asked).items():
        for read in [covered, *(n for n in ATTRIBUTES if n != covered)]:
            faces = [q for q in own if read in q.open()]
            lines += [_row(covered, read, name, faces, found) for name in names if faces]
        lines += [_anything(covered, name, own, found, off) for name in names]
    return "\n".join(lines)


def _row(covered: str, read: str, name: str, faces: Sequence[Question], found: Found) -> str:
    """One attribute as one method shows it."""
    s = [score(found[covered, q.index, name][read], q.open()[read]) for q in faces]
    distance = _mean([v.distance for v in s], [v.error for v in s])
    ideal = _mean([v.ideal for v in s], [v.ideal_spread for v in s])
    share = sum(v.ruled_out for v in s) / len(s)
    return f"| {covered} | {read} | {len(s)} | {name} | {distance} | {ideal} | {share:.3f} | |"


def _anything(covered: str, name: str, own: Sequence[Question], found: Found, off: Mapping[Key, Tensor]) -> str:
    """Whether anything at all is wrong with a method's completions."""
    wrong = [w for q in own for w in q.impossible(found[covered, q.index, name])]
    far = torch.stack([off[covered, q.index, name] for q in own]).mean()
    return f"| {covered} | anything | {len(own)} | {name} | | | {sum(wrong) / len(wrong):.3f} | {far:.3f} |"


def _mean(values: Sequence[float], errors: Sequence[float]) -> str:
    n = len(values)
    return f"{sum(values) / n:.3f} ± {math.sqrt(sum(e * e for e in errors)) / n:.3f}"


def choices(
    asked: Sequence[Question],
    found: Found,
    residuals: Mapping[tuple[str, int], Mapping[str, float]],
    names: Sequence[str],
) -> str:
    """Of every face and possible choice: how well the seen part is rebuilt around it, and how often it was drawn."""
    lines = [f"| covered | face | choice | residual | exact | {' | '.join(names)} |", "|--" * (5 + len(names)) + "|"]
    for q in asked:
        odds, own = q.open()[q.attribute], residuals[q.attribute, q.index]
        for choice in sorted(own, key=own.__getitem__):
            drawn = [found[q.attribute, q.index, name][q.attribute] for name in names]
            shares = " | ".join(f"{shown.count(choice) / len(shown):.2f}" for shown in drawn)
            head = f"{q.attribute} | {q.index} | {choice.lower()} | {own[choice]:.3f} | {odds[choice]:.3f}"
            lines.append(f"| {head} | {shares} |")
    return "\n".join(lines)
