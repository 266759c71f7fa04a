"""What the samples of one problem are worth, held against its exact posterior."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.evaluation.exact_pictures.atoms import STD
from vipaint_pyro.evaluation.exact_pictures.problems import Problem
from vipaint_pyro.evaluation.metrics import observed_error
from vipaint_pyro.evaluation.study.energy import energy_scores

__all__ = ["OFF", "REFERENCES", "class_distance", "effective_number", "nearest", "score"]

#: A sample further from every picture than this, root mean square in units of [-1, 1], is none of them: twice the
#: standard deviation of the prior's Gaussians. The prior's own draws are at :data:`~atoms.STD`, give or take a
#: fortieth, never there; what a sampler may leave of the noise of its last time (sigma/alpha 0.01 at time 0) is within;
#: and halfway between the two nearest of 2,000 garments is at 0.067, of 2,000 faces, the likest pair, at 0.025.
OFF = 2 * STD

#: Exact draws that the samples are compared with, beside as many as there are samples.
REFERENCES = 100


def score(images: Tensor, exact: Tensor, problem: Problem) -> dict[str, float | None]:
    """Every column of the table for one problem; ``..._of_exact`` is what as many exact draws have.

    Args:
        images: samples (S, 1, C, H, W) as they came, S at least 2.
        exact: exact draws (S + T, 1, C, H, W), T at least 2: the first S take the samples' place.
        problem: of the samples.

    Returns:
        - ``class_tv``: see :func:`class_distance`;
        - ``energy_distance``: see :func:`~vipaint_pyro.evaluation.study.energy.energy_scores`;
        - ``pictures``: the effective number of different pictures among the samples;
        - ``atoms``: the effective number of pictures in the posterior;
        - ``off``: the share of samples that are off every picture, see :data:`OFF`;
        - ``seen_error``: mean of |A x - y| over what is seen, the mean over samples, in units of [-1, 1].
    """
    as_many, found = exact[: len(images)], {}
    for suffix, x in (("", images), ("_of_exact", as_many)):
        which, distance = nearest(x[:, 0], problem.atoms.images)
        counts = torch.bincount(which, minlength=len(problem.atoms.images)).double()
        weights, labels = problem.posterior.weights, problem.atoms.labels
        found[f"class_tv{suffix}"] = class_distance(counts / len(x), weights, labels, problem.atoms.classes)
        found[f"pictures{suffix}"] = effective_number(counts / len(x))
        found[f"off{suffix}"] = (distance > OFF).double().mean().item()
        seen = problem.measurement
        found[f"seen_error{suffix}"] = observed_error(x.double(), seen.y, seen.operator.observed).mean().item()
    found["atoms"] = effective_number(problem.posterior.weights)
    return found | energy_scores(images, exact, problem.measurement)


def nearest(x: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the pictures (K, C, H, W) is nearest to each x (S, C, H, W), and how far, root mean square."""
    a, b = x.flatten(1).to(pictures.dtype), pictures.flatten(1)
    distance, which = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    return which, distance / a.shape[1] ** 0.5


def effective_number(shares: Tensor) -> float:
    """exp of the entropy of shares (K,) that sum to 1: K where all are alike, 1 where there is but one."""
    return torch.special.entr(shares).sum().exp().item()


def class_distance(shares: Tensor, weights: Tensor, labels: Tensor, classes: Sequence[int]) -> float:
    """Total variation between the classes of samples and of the posterior; 0 to 1.

    Args:
        shares: of the samples, by picture, (K,).
        weights: of the pictures in the posterior, (K,).
        labels: (K, L); of more than one class the mean over them.
        classes: how many of each there are, (L,).
    """
    found = []
    for label, number in zip(labels.T, classes, strict=True):
        total = torch.zeros(number, dtype=torch.float64, device=shares.device)
        found.append(total.index_add(0, label, shares - weights.to(shares)).abs().sum().item() / 2)
    return sum(found) / len(found)
