r"""Energy distance of samples to exact draws, where the posterior is known.

Szekely and Rizzo 2013, "Energy statistics: a class of statistics based on distances", Journal of Statistical Planning
and Inference 143(8), eq. 1.2:

.. math:: E(X, Y) = 2 E|X - Y| - E|X - X'| - E|Y - Y'| \ge 0,

0 only where the two distributions are one. (Some call its square root the energy distance.)
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import check
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, render
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior, face_posterior
from vipaint_pyro.evaluation.study.scores import check_samples, hidden
from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.exact.posterior import exact_posterior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Noiseless
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.tensors import check_tensor

__all__ = ["energy_distance", "energy_scores", "exact_draws", "posterior_draws"]

# Noise that is reckoned with where there is none: a face that differs by one step of 8 bits in one seen entry has
# a weight of exp(-31).
_EIGHT_BITS = 1e-3


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Energy distance between two sets of draws, without bias: about 0, and as often below, for one distribution.

    Args:
        x: (S, D), S at least 2.
        y: (T, D), T at least 2.

    Returns:
        A distance in the unit of x. Means within a set are over pairs of different draws.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or sets of one.
    """
    check("x", x, "(S, D)")
    check("y", y, "(T, D)")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x (S, D) and y (T, D) differ in D: {tuple(x.shape)} and {tuple(y.shape)}")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"an energy distance takes two draws of each or more, but there are {len(x)} and {len(y)}")
    x, y = x.double(), y.double()
    return (2 * _distances(x, y).mean() - torch.pdist(x).mean() - torch.pdist(y).mean()).item()


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """(S, T), from differences: equal draws are 0 apart."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


@torch.no_grad()
def energy_scores(images: Tensor, exact: Tensor, measurement: Measurement) -> dict[str, float | None]:
    """The energy distance of samples to exact draws, and what as many exact draws have in their place.

    Two images are as far apart as the root mean square of their difference in the hole, of a restoration in the whole
    image, in units of [-1, 1]: a larger hole has no larger distances.

    Args:
        images: samples (S, 1, C, H, W) as they came, not clipped.
        exact: independent exact draws (S + T, 1, C, H, W), T at least 2: the first S take the samples' place, the
            others are what both are compared with. The larger T, the less noise of its own it adds; 100 is plenty.
        measurement: of this one image.

    Returns:
        ``energy_distance``, and ``energy_distance_of_exact``, which is 0 in expectation: its standard error over
        images says how large a distance is by chance. None for one sample: how far samples are from each other takes
        two.

    Raises:
        ValueError: for shapes that do not fit, too few exact draws, or values that are not finite.
    """
    check_samples(images, measurement)
    check_samples(exact, measurement)
    samples = len(images)
    if images.shape[1:] != exact.shape[1:] or len(exact) < samples + 2:
        raise ValueError(
            f"exact draws are ({samples} + 2 or more, {', '.join(map(str, images.shape[1:]))}) for {samples} samples, "
            f"but came with {tuple(exact.shape)}"
        )
    if samples < 2:
        return {"energy_distance": None, "energy_distance_of_exact": None}
    hole = hidden(measurement, images[0]).to(exact.device)
    x, y = (v.double()[:, hole.to(v.device)] / math.sqrt(int(hole.sum())) for v in (images.to(exact.device), exact))
    return {
        "energy_distance": energy_distance(x, y[samples:]),
        "energy_distance_of_exact": energy_distance(y[:samples], y[samples:]),
    }


def posterior_draws(
    prior: DiffusionPrior, measurement: Measurement, num: int, generator: torch.Generator | None = None
) -> Tensor | None:
    """Draws (num, N, C, H, W) of the exact posterior under a prior of :mod:`vipaint_pyro.exact`.

    None where it is not known: of other priors, of operators that are not linear, and of noise that is not Gaussian.
    """
    linear, noise = isinstance(measurement.operator, LinearOperator), measurement.likelihood
    if not isinstance(prior, GaussianMixturePrior) or not linear or not isinstance(noise, Gaussian):
        return None
    return exact_posterior(prior, measurement.operator, measurement.y, noise.scale).sample(num, generator)


def exact_draws(
    source: str,
    image: int,
    measurement: Measurement,
    num: int,
    generator: torch.Generator | None = None,
    split: str = "test",
) -> Tensor | None:
    """Exact draws of what may be in the hole of a picture whose data set's distribution is known: cartoon faces.

    Args:
        source: of the pictures; all but "cartoon-faces" have no posterior that is known.
        image: number of the face in its split.
        measurement: of this face alone, through a mask. Where it is said to be noiseless, the draws agree with all
            that is seen; with Gaussian noise in the likelihood but none in y they are as
            :func:`~vipaint_pyro.datasets.cartoon_faces.posterior.face_posterior` has them for its scale.
        num: how many.
        generator: one of their own; None takes the global state.
        split: "train" or "test".

    Returns:
        (num, 1, 3, 64, 64) float32 in [-1, 1]. None where the posterior is not known: of other sources, other operators
        and likelihoods, and where noise was drawn.

    Raises:
        ValueError: where y is said to be noiseless and is not what is seen of this face; as ``face_posterior``.
        ImportError: without the extra ``faces``.
    """
    checked("num", num, whole())
    noise = measurement.likelihood
    if source != "cartoon-faces" or not isinstance(measurement.operator, Inpainting):
        return None
    if not isinstance(noise, (Noiseless, Gaussian)) or (isinstance(noise, Gaussian) and _many(noise.scale)):
        return None
    observed, y = measurement.operator.observed.cpu(), measurement.y.cpu()
    check_tensor("y", y, "(1, 3, 64, 64)")
    if tuple(y.shape) != (1, 3, 64, 64) or (observed != observed[:, :1]).any():
        raise ValueError(f"a face is measured as y (1, 3, 64, 64), all channels alike, but y has {tuple(y.shape)}")
    attributes = draw_attributes(split, image)
    seen = torch.where(observed, _rendered(tuple(attributes.values())), 0)
    if not torch.allclose(seen, y.float(), rtol=0, atol=1e-5):
        if isinstance(noise, Gaussian):
            return None
        raise ValueError(f"y is not what the mask shows of face {image} of the {split} split")
    sigma = float(noise.scale) if isinstance(noise, Gaussian) else _EIGHT_BITS
    posterior = _posterior(split, image, observed[0, 0].numpy().tobytes(), sigma)
    return torch.stack([_rendered(tuple(face.values())) for face in posterior.draw(num, generator)])[:, None]


def _many(scale: Tensor | float) -> bool:
    return isinstance(scale, Tensor) and scale.numel() > 1


@lru_cache(maxsize=64)
def _posterior(split: str, image: int, mask: bytes, sigma: float) -> FacePosterior:
    """Kept, since every method asks for the same one."""
    observed = torch.frombuffer(bytearray(mask), dtype=torch.bool).reshape(1, 64, 64)
    return face_posterior(draw_attributes(split, image), observed, sigma)


@lru_cache(maxsize=2048)
def _rendered(choices: tuple[str, ...]) -> Tensor:
    """A face's picture (3, 64, 64): of a hundred draws many are the same."""
    return render(dict(zip(ATTRIBUTES, choices)))
