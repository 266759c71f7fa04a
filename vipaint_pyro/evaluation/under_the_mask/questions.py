"""A cartoon face with one attribute covered: what may be there, and what a completion says is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, number, render, shows
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior, attribute_mask, face_posterior
from vipaint_pyro.evaluation.under_the_mask.frequencies import IMPOSSIBLE, exact_outcomes, faces_read
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["Found", "Key", "Question", "by_attribute", "questions"]

#: Attribute that is covered, number of the face, method.
Key = tuple[str, int, str]
#: Of the completions of each: attribute -> what every completion shows.
Found = Mapping[Key, dict[str, list[str]]]


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
        """A number that no other question has."""
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
        change = completions - faces_read(read)
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


def by_attribute(asked: Sequence[Question]) -> dict[str, list[Question]]:
    """The questions of each covered attribute, in their order."""
    return {name: [q for q in asked if q.attribute == name] for name in dict.fromkeys(q.attribute for q in asked)}


def questions(attribute: str, faces: int) -> list[Question]:
    """The first test faces in which an attribute shows.

    Raises:
        ValueError: for an unknown attribute.
    """
    if attribute not in ATTRIBUTES:
        raise ValueError(f"an attribute is one of {', '.join(ATTRIBUTES)}, not {attribute}")
    found: list[Question] = []
    index, place = 0, [*ATTRIBUTES].index(attribute)
    while len(found) < faces:
        face = draw_attributes("test", index)
        if shows(number(face))[place]:
            seen = attribute_mask(attribute, face)
            found.append(Question(attribute, index, face, render(face), seen, face_posterior(face, seen)))
        index += 1
    return found
