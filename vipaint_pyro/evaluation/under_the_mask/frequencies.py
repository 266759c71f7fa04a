"""Frequencies of attributes read off cartoon faces, against known probabilities.

What a picture cannot show (the colour of a hat that is not there) counts as an outcome of
its own, NOT_DRAWN, in the readings as in the probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, number, render, shows
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior

__all__ = [
    "IMPOSSIBLE",
    "NOT_DRAWN",
    "Score",
    "as_tensor",
    "bootstrap_error",
    "counts",
    "exact_outcomes",
    "exact_total_variation",
    "faces_read",
    "outcomes",
    "score",
    "total_variation",
]

NOT_DRAWN = "not drawn"
#: Below this an outcome counts as ruled out by what is seen.
IMPOSSIBLE = 1e-9
# On these it depends what shows.
_COVERING = ("top", "facial_hair", "accessory")


def outcomes(read: Tensor) -> dict[str, list[str]]:
    """What faces show: attribute -> its choice in each face, or NOT_DRAWN.

    Args:
        read: whole numbers (N, 11), as :func:`~vipaint_pyro.datasets.cartoon_faces.classifier.read_attributes` gives
            them.
    """
    seen = shows(read)
    return {
        name: [[*odds][i] if s else NOT_DRAWN for i, s in zip(read[:, k].tolist(), seen[:, k].tolist())]
        for k, (name, odds) in enumerate(ATTRIBUTES.items())
    }


def faces_read(read: Tensor) -> Tensor:
    """The generator's own pictures, (N, 3, 64, 64) in [-1, 1], of faces that were read as whole numbers (N, 11)."""
    choices = [[*odds] for odds in ATTRIBUTES.values()]
    faces = [{n: c[i] for n, c, i in zip(ATTRIBUTES, choices, row)} for row in read.tolist()]
    drawn = {tuple(face.values()): render(face) for face in faces}  # each but once
    return torch.stack([drawn[tuple(face.values())] for face in faces])


def exact_outcomes(posterior: FacePosterior, name: str) -> dict[str, float]:
    """The probabilities of the same: every choice of an attribute, and NOT_DRAWN where that is possible."""
    names = (name, *(n for n in _COVERING if n != name))
    total = dict.fromkeys(ATTRIBUTES[name], 0.0)
    for choices, p in posterior.joint(*names).items():
        face = {n: next(iter(odds)) for n, odds in ATTRIBUTES.items()} | dict(zip(names, choices))
        drawn = bool(shows(number(face))[[*ATTRIBUTES].index(name)])
        outcome = face[name] if drawn else NOT_DRAWN
        total[outcome] = total.get(outcome, 0.0) + p
    return total


def counts(found: list[str], probabilities: dict[str, float]) -> Tensor:
    """How often each outcome was found, (K,), in the order of the probabilities; NOT_DRAWN may come beside them."""
    return torch.tensor([found.count(outcome) for outcome in (*probabilities, *_unknown(probabilities))], device="cpu")


def as_tensor(probabilities: dict[str, float]) -> Tensor:
    """(K,), float64, in the order of :func:`counts`."""
    values = [*probabilities.values(), *(0.0 for _ in _unknown(probabilities))]
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def _unknown(probabilities: dict[str, float]) -> tuple[str, ...]:
    return () if NOT_DRAWN in probabilities else (NOT_DRAWN,)


def total_variation(counted: Tensor, probabilities: Tensor) -> Tensor:
    """Half the summed differences between frequencies and probabilities, in [0, 1].

    Args:
        counted: (*, K).
        probabilities: (K,).
    """
    return (counted / counted.sum(-1, keepdim=True) - probabilities).abs().sum(-1) / 2


def _drawn(probabilities: Tensor, total: int, repeats: int) -> Tensor:
    """Counts of as many draws, again and again: (repeats, K)."""
    generator = torch.Generator().manual_seed(0)
    index = torch.multinomial(probabilities, repeats * total, replacement=True, generator=generator)
    return torch.nn.functional.one_hot(index.reshape(repeats, total), len(probabilities)).sum(1)


def exact_total_variation(probabilities: Tensor, total: int, repeats: int = 2000) -> tuple[float, float]:
    """Mean and standard deviation of the total variation that so many exact draws have."""
    values = total_variation(_drawn(probabilities, total, repeats), probabilities)
    return values.mean().item(), values.std().item()


def bootstrap_error(counted: Tensor, probabilities: Tensor, repeats: int = 2000) -> float:
    """Standard error of a total variation, by drawing the counted outcomes anew."""
    again = _drawn(counted.double() / counted.sum(), int(counted.sum()), repeats)
    return total_variation(again, probabilities).std().item()


@dataclass(frozen=True)
class Score:
    """One method's frequencies of one attribute in one face, against the exact odds.

    Attributes:
        distance: total variation.
        error: its standard error.
        ruled_out: share of completions that show what is impossible.
        ideal: mean total variation of as many exact draws.
        ideal_spread: its standard deviation.
    """

    distance: float
    error: float
    ruled_out: float
    ideal: float
    ideal_spread: float


def score(found: list[str], odds: dict[str, float]) -> Score:
    """Of an attribute's outcomes in the completions of one face.

    Args:
        found: the outcome in each completion.
        odds: the exact probabilities of :func:`exact_outcomes`.
    """
    counted, exact = counts(found, odds), as_tensor(odds)
    ruled_out = counted[exact < IMPOSSIBLE].sum() / counted.sum()
    distance = total_variation(counted, exact).item()
    ideal = exact_total_variation(exact, len(found))
    return Score(distance, bootstrap_error(counted, exact), ruled_out.item(), *ideal)
