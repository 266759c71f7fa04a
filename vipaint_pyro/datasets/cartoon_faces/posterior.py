r"""What may be under the mask of a cartoon face: its attributes' exact posterior, by enumeration.

Every face of :mod:`vipaint_pyro.datasets.cartoon_faces.faces` is a draw of independent attributes with known
probabilities, rendered without noise, so that for a measurement y = m * (x + noise) with Gaussian noise

.. math:: p(\text{attributes} | y) \propto p(\text{attributes}) \exp\Big(-\frac{\lVert m (y - x(\text{attributes}))
          \rVert^2}{2\sigma_y^2}\Big)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor, nn

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, number, render, shows

__all__ = ["FacePosterior", "attribute_mask", "face_posterior"]

# A face this many nats below the truth has no weight worth counting ...
_NEGLIGIBLE = 25.0
# ... and a change this far below it is not made good by other changes.
_LIKELY = 100.0

# More faces than this are not weighed one by one: minutes of rendering.
_MOST = 30_000

# The colours that a face may have no use for.
_OPTIONAL = ("hair_color", "hat_color")


@dataclass(frozen=True)
class FacePosterior:
    """The posterior over faces, as parts that are independent of each other.

    Attributes:
        parts: each part is over one or more attributes together: the choices that are possible, by attribute,
            and their probabilities, with shape (F,), float64, summing to 1. Every attribute is in one part.
    """

    parts: Sequence[tuple[Sequence[Mapping[str, str]], Tensor]]

    @property
    def num_faces(self) -> int:
        """How many faces are possible."""
        return math.prod(len(choices) for choices, _ in self.parts)

    def joint(self, *names: str) -> dict[tuple[str, ...], float]:
        """The distribution of some attributes together: choices, in the order of ``names`` -> probability.

        What is impossible is left out.

        Raises:
            ValueError: for an unknown attribute, or one that is named twice.
        """
        _check(*names)
        if len(set(names)) < len(names):
            raise ValueError(f"each attribute is named once, not as in {', '.join(names)}")
        total: dict[tuple[tuple[str, str], ...], float] = {(): 1.0}
        for choices, probabilities in self.parts:
            kept = [name for name in names if name in choices[0]]
            if not kept:
                continue
            part: dict[tuple[tuple[str, str], ...], float] = {}
            for choice, p in zip(choices, probabilities.tolist()):
                key = tuple((name, choice[name]) for name in kept)
                part[key] = part.get(key, 0.0) + p
            total = {a + b: p * q for (a, p), (b, q) in product(total.items(), part.items())}
        return {tuple(dict(key)[name] for name in names): p for key, p in total.items()}

    def marginal(self, name: str) -> dict[str, float]:
        """The distribution of one attribute: choice -> probability, all of them.

        Raises:
            ValueError: for an unknown attribute.
        """
        possible = self.joint(name)
        return {choice: possible.get((choice,), 0.0) for choice in ATTRIBUTES[name]}

    def draw(self, number: int, generator: torch.Generator | None = None) -> list[dict[str, str]]:
        """Independent draws: whole faces by their attributes.

        Args:
            number: how many.
            generator: None takes the global state.
        """
        drawn: list[dict[str, str]] = [{} for _ in range(number)]
        for choices, probabilities in self.parts:
            index = torch.multinomial(probabilities, number, replacement=True, generator=generator)
            for face, i in zip(drawn, index.tolist()):
                face.update(choices[i])
        return [{name: face[name] for name in ATTRIBUTES} for face in drawn]


def face_posterior(attributes: Mapping[str, str], observed: Tensor, sigma: float = 0.05) -> FacePosterior:
    """The exact posterior of a face's attributes, given the pixels that are seen of it.

    First every attribute is changed alone. The changes that the seen pixels allow fall into parts that touch
    no seen pixel in common (most touch none at all); within a part they are combined in every way and weighed
    together. Faces are drawn in layers: what covers a seen pixel goes on covering it whatever changes elsewhere,
    so that changes without a seen pixel in common bear on y independently. Changes that touch seen pixels
    faintly enough to be allowed are explored further, for what each of them opens to others. Between this and
    the enumeration of every face no probability differed by more than 1e-6, at any sigma and for masks of all
    kinds (tests/test_face_posterior.py).

    Args:
        attributes: of the true face; its rendering is y, without a draw of the noise.
        observed: bool (1, 64, 64) or (64, 64), True where seen.
        sigma: sigma_y, standard deviation of the noise that is reckoned with, in units of [-1, 1].

    Raises:
        ValueError: for a mask of another shape, a sigma that is not positive, or one so large that more faces
            remain than can be weighed.
        ImportError: without the extra ``faces``.
    """
    if observed.dtype != torch.bool or observed.shape[-2:] != (64, 64) or observed.numel() != 64 * 64:
        raise ValueError(f"observed is bool with shape (1, 64, 64), not {observed.dtype} {tuple(observed.shape)}")
    if not sigma > 0:
        raise ValueError(f"sigma is positive, but is {sigma}")
    seen, y = observed.reshape(1, 64, 64), _picture(attributes)

    def change(face: Mapping[str, str]) -> Tensor:
        """What is seen of the difference to the truth, (3, 64, 64)."""
        return seen * (y - _picture(face))

    def nats(difference: Tensor) -> float:
        """Minus the log likelihood, above that of the truth."""
        return float(difference.double().pow(2).sum() / (2 * sigma**2))

    possible: dict[str, set[str]] = {name: set() for name in ATTRIBUTES}
    touched = {name: torch.zeros(64, 64, dtype=torch.bool, device="cpu") for name in ATTRIBUTES}

    def explore(base: Mapping[str, str]) -> list[dict[str, str]]:
        """Note the single changes of a face that the seen pixels allow, and which pixels they touch."""
        faint, before = [], change(base)
        for name, odds in ATTRIBUTES.items():
            for face in (face for choice in odds for face in _changed(base, name, choice)):
                after = change(face)
                if nats(after) < _LIKELY:
                    possible[name].add(face[name])
                    pixels = (after != before).any(0)
                    touched[name] |= pixels
                    if pixels.any():
                        faint.append(face)
        return faint

    def groups() -> list[list[str]]:
        found = _overlapping(touched)
        if max(math.prod(len(possible[name]) for name in names) for names in found) > _MOST:
            raise ValueError(f"too many faces are as good as possible at sigma = {sigma} to weigh them: lower it")
        return found

    # A change that touches seen pixels and is allowed all the same may open them to other changes.
    faint = explore(attributes)
    groups()
    for face in faint:
        explore(face)

    parts = []
    for names in groups():
        choices, weights = [], []
        for combination in product(*([c for c in ATTRIBUTES[name] if c in possible[name]] for name in names)):
            part = dict(zip(names, combination))
            loss = nats(change({**attributes, **part}))
            if loss < _NEGLIGIBLE:
                choices.append(part)
                weights.append(-loss + sum(math.log(ATTRIBUTES[name][c]) for name, c in part.items()))
        parts.append((choices, torch.tensor(weights, dtype=torch.float64, device="cpu").softmax(0)))
    return FacePosterior(parts)


def attribute_mask(name: str, attributes: Mapping[str, str], margin: int = 1) -> Tensor:
    """The mask that covers all that an attribute can touch in this face, whatever its choice.

    Args:
        name: one of :data:`~vipaint_pyro.datasets.cartoon_faces.faces.ATTRIBUTES`.
        attributes: of the face.
        margin: pixels around it that are covered too.

    Returns:
        bool (1, 64, 64), True where observed.

    Raises:
        ValueError: for an unknown attribute, or one that shows nowhere in this face.
        ImportError: without the extra ``faces``.
    """
    _check(name)
    looks = torch.stack([_picture({**attributes, name: choice}) for choice in ATTRIBUTES[name]])
    touched = (looks != looks[:1]).any(0).any(0)
    if not touched.any():
        raise ValueError(f"{name} shows nowhere in this face: something covers it")
    grown = nn.functional.max_pool2d(touched[None].float(), 2 * margin + 1, stride=1, padding=margin)
    return grown == 0


def _check(*names: str) -> None:
    for name in names:
        if name not in ATTRIBUTES:
            raise ValueError(f"an attribute is one of {', '.join(ATTRIBUTES)}, not {name!r}")


def _silent(attributes: Mapping[str, str]) -> list[str]:
    """The colours that are drawn nowhere in a face."""
    drawn = dict(zip(ATTRIBUTES, shows(number(attributes)).tolist()))
    return [colour for colour in _OPTIONAL if not drawn[colour]]


def _picture(attributes: Mapping[str, str]) -> Tensor:
    """A face's rendering (3, 64, 64): drawn once for all faces that differ in colours without use."""
    if attributes.keys() != ATTRIBUTES.keys():
        return render(attributes)  # says what is wrong
    silent = _silent(attributes)
    return _drawn(tuple(next(iter(ATTRIBUTES[k])) if k in silent else attributes[k] for k in ATTRIBUTES))


@lru_cache(maxsize=2048)
def _drawn(choices: tuple[str, ...]) -> Tensor:
    return render(dict(zip(ATTRIBUTES, choices)))


def _changed(attributes: Mapping[str, str], name: str, choice: str) -> Iterator[dict[str, str]]:
    """The face with one attribute changed; where that brings in a colour the truth does not show, in each one."""
    face = {**attributes, name: choice}
    unknown = [colour for colour in _silent(attributes) if colour not in _silent(face) and colour != name]
    for colours in product(*(ATTRIBUTES[colour] for colour in unknown)):
        yield {**face, **dict(zip(unknown, colours))}


def _overlapping(touched: Mapping[str, Tensor]) -> list[list[str]]:
    """Names in groups: two are in one where their pixels overlap, directly or through others."""
    groups: list[tuple[list[str], Tensor]] = []
    for name, pixels in touched.items():
        apart = [g for g in groups if not (g[1] & pixels).any()]
        near = [g for g in groups if (g[1] & pixels).any()]
        for _, more in near:
            pixels = pixels | more
        groups = [*apart, ([n for names, _ in near for n in names] + [name], pixels)]
    return [names for names, _ in groups]
