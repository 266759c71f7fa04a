r"""What may be under the mask of a cartoon face: its attributes' exact posterior, by enumeration.

Every face of :mod:`vipaint_pyro.faces` is a draw of independent attributes with known probabilities, rendered
without noise, so that for a measurement y = m * (x + noise) with Gaussian noise

.. math:: p(\text{attributes} | y) \propto p(\text{attributes}) \exp\Big(-\frac{\lVert m (y - x(\text{attributes}))
          \rVert^2}{2\sigma_y^2}\Big)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from vipaint_pyro.faces import ATTRIBUTES, render

__all__ = ["FacePosterior", "attribute_mask", "face_posterior"]

# A face this many nats below the truth has no weight worth counting.
_NEGLIGIBLE = 25.0


@dataclass(frozen=True)
class FacePosterior:
    """The posterior over faces.

    Attributes:
        faces: the faces that are possible, each as its attributes.
        probabilities: of each, with shape (F,), float64, summing to 1.
    """

    faces: Sequence[Mapping[str, str]]
    probabilities: Tensor

    def marginal(self, name: str) -> dict[str, float]:
        """The distribution of one attribute: choice -> probability, all of them."""
        total = dict.fromkeys(ATTRIBUTES[name], 0.0)
        for face, p in zip(self.faces, self.probabilities.tolist()):
            total[face[name]] += p
        return total


def face_posterior(attributes: Mapping[str, str], observed: Tensor, sigma: float = 0.05) -> FacePosterior:
    """The exact posterior of a face's attributes, given the pixels that are seen of it.

    First every attribute is changed alone; the changes that the seen pixels allow are then combined in
    every way and weighed together. Attributes are drawn in layers, so a change that shows when made alone is
    not hidden by another change that does not show; only a coincidence of colours could make an exception.

    Args:
        attributes: of the true face; its rendering is y, without a draw of the noise.
        observed: bool (1, 64, 64) or (64, 64), True where seen.
        sigma: sigma_y, standard deviation of the noise that is reckoned with, in units of [-1, 1].

    Raises:
        ValueError: for a mask of another shape or a sigma that is not positive.
        ImportError: without the extra ``faces``.
    """
    if observed.dtype != torch.bool or observed.shape[-2:] != (64, 64) or observed.numel() != 64 * 64:
        raise ValueError(f"observed is bool with shape (1, 64, 64), not {observed.dtype} {tuple(observed.shape)}")
    if not sigma > 0:
        raise ValueError(f"sigma is positive, but is {sigma}")
    seen = observed.reshape(1, 64, 64)
    y = render(attributes)

    def loss(face: Mapping[str, str]) -> float:
        """Minus the log likelihood, above that of the truth."""
        return float((seen * (y - render(face))).double().pow(2).sum() / (2 * sigma**2))

    open_choices = {
        name: [c for c in odds if loss({**attributes, name: c}) < _NEGLIGIBLE] for name, odds in ATTRIBUTES.items()
    }
    faces, weights = [], []
    for choices in product(*open_choices.values()):
        face = dict(zip(open_choices, choices))
        nats = loss(face)
        if nats < _NEGLIGIBLE:
            faces.append(face)
            weights.append(-nats + sum(math.log(ATTRIBUTES[name][c]) for name, c in face.items()))
    return FacePosterior(faces, torch.tensor(weights, dtype=torch.float64).softmax(0))


def attribute_mask(name: str, attributes: Mapping[str, str], margin: int = 1) -> Tensor:
    """The mask that covers all that an attribute can touch in this face, whatever its choice.

    Args:
        name: one of :data:`~vipaint_pyro.faces.ATTRIBUTES`.
        attributes: of the face.
        margin: pixels around it that are covered too.

    Returns:
        bool (1, 64, 64), True where observed.

    Raises:
        ValueError: for an unknown attribute, or one that shows nowhere in this face.
    """
    if name not in ATTRIBUTES:
        raise ValueError(f"an attribute is one of {', '.join(ATTRIBUTES)}, not {name!r}")
    looks = torch.stack([render({**attributes, name: choice}) for choice in ATTRIBUTES[name]])
    touched = (looks != looks[:1]).any(0).any(0)
    if not touched.any():
        raise ValueError(f"{name} shows nowhere in this face: something covers it")
    grown = nn.functional.max_pool2d(touched[None].float(), 2 * margin + 1, stride=1, padding=margin)
    return grown == 0
