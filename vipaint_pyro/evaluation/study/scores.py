"""What the samples of one image are worth, each for itself: means are taken later, over samples, then images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vipaint_pyro.evaluation.composites import composites, widened
from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.evaluation.study.ssim import SSIM_WINDOW, ssim
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.measurement import Measurement, check_measurement
from vipaint_pyro.tensors import check_tensor

__all__ = ["check_samples", "composites", "energy_score", "hidden", "lpips_between", "score"]


@torch.no_grad()
def score(
    images: Tensor, truth: Tensor, measurement: Measurement, lpips_fn: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, list[float] | float | None]:
    """All scores of the samples of one image.

    Args:
        images: samples (S, 1, C, H, W) as they came, not clipped.
        truth: (1, C, H, W) in [-1, 1].
        measurement: of this one image.
        lpips_fn: takes images (*, C, H, W) in [-1, 1] and truths that broadcast, as
            :class:`~vipaint_pyro.measurements.lpips.LPIPS` does. Which network it has is for its owner to tell.

    Returns:
        Lists of S numbers:

        - ``lpips_raw``: LPIPS to the truth, of the samples, clipped to [-1, 1];
        - ``lpips_composite``: the same of the composites, see
          :func:`~vipaint_pyro.evaluation.composites.composites`;
        - ``psnr``: in dB, of the composites: 10 log10(2^2 / mean squared error), the range being 2 wide; infinite
          where nothing differs;
        - ``ssim``: of the composites, see :func:`~vipaint_pyro.evaluation.study.ssim.ssim`; None in place of the list
          where a side has less than 11 pixels;
        - ``observed_error``: mean of ``|A x - y|`` over the observed entries of y, of the samples as they came, in
          units of [-1, 1].

        Numbers about all samples:

        - ``psnr_mean``: ``psnr`` of the composites' mean over samples: what a point estimate is to be compared with;
        - ``psnr_mean_hole``: the same over the hole alone; None of a restoration;
        - ``diversity``: standard deviation over samples (S - 1 in the denominator) in the hole, root mean square over
          its entries, in units of [-1, 1]; in a restoration over the whole image; None for one sample;
        - ``lpips_diversity``: mean LPIPS between two different samples, over all pairs; None for one sample;
        - ``energy_score``: see :func:`energy_score`, of the composites; None for one sample.

    Raises:
        TypeError: for what is no tensor or no measurement.
        ValueError: for shapes that do not fit, more than one image, values that are not finite, or a mask that shows
            everything or nothing.
    """
    check_samples(images, measurement)
    check_tensor("truth", truth, "(1, C, H, W)")
    if truth.shape != images.shape[1:] or not torch.isfinite(truth).all():
        raise ValueError(
            f"truth is finite, of shape {tuple(images.shape[1:])} like each sample, but has {tuple(truth.shape)}"
        )
    x, truth = widened(images), widened(truth)
    seen, hole = measurement.to(x.device, x.dtype), hidden(measurement, truth)
    clipped, whole = x.clamp(-1, 1), composites(images, measurement)
    raw = lpips_fn(clipped, truth)[:, 0]
    similar = ssim(whole, truth)[:, 0].tolist() if min(truth.shape[-2:]) >= SSIM_WINDOW else None
    restored = not isinstance(measurement.operator, Inpainting)
    composite, between = raw if restored else lpips_fn(whole, truth)[:, 0], lpips_between(whole[:, 0], lpips_fn)
    mean, known = whole.double().mean(0), truth.double()
    return {
        "lpips_raw": raw.tolist(),
        "lpips_composite": composite.tolist(),
        "psnr": psnr(whole.double(), known)[:, 0].tolist(),
        "psnr_mean": psnr(mean, known).item(),
        "psnr_mean_hole": None if restored else psnr(mean[hole][None, None], known[hole][None, None]).item(),
        "ssim": similar,
        "observed_error": observed_error(seen.operator(x), seen.y, seen.operator.observed)[:, 0].tolist(),
        "diversity": diversity(x.double(), ~hole).item() if len(x) > 1 else None,
        "lpips_diversity": between.mean().item() if len(x) > 1 else None,
        "energy_score": energy_score(composite, between),
    }


def hidden(measurement: Measurement, truth: Tensor) -> Tensor:
    """Which entries of an image (1, C, H, W) are not known: those in the hole, of a restoration all; bool.

    Raises:
        ValueError: where all or none are known.
    """
    if not isinstance(measurement.operator, Inpainting):
        return torch.ones_like(truth, dtype=torch.bool)
    hole = ~measurement.operator.observed.to(truth.device).expand(truth.shape)
    if hole.all() or not hole.any():
        said = f"{int(hole.sum())} of {hole.numel()} entries"
        raise ValueError(f"a mask hides some pixels and shows others, but this one hides {said}")
    return hole


def energy_score(to_truth: Tensor, between: Tensor) -> float | None:
    r"""Energy score of samples x_1 ... x_S and the truth y, E d(x, y) - E d(x, x') / 2, d the root of LPIPS; unbiased.

    Gneiting and Raftery 2007, "Strictly proper scoring rules, prediction, and estimation", JASA 102(477), eq. 21, lower
    being better. Its mean over truths is lowest for draws of the truth's own law, while that of LPIPS is lowest for
    copies of one likely picture. LPIPS is a squared Euclidean distance of features, so that its root is one that the
    score is proper with, for the law of those features.

    Args:
        to_truth: LPIPS of each sample to the truth, (S,).
        between: LPIPS of each pair of samples, (S (S - 1) / 2,).

    Returns:
        None for one sample: how far samples are from each other takes two.

    Raises:
        ValueError: for as many pairs as so many samples do not have.
    """
    n = len(to_truth)
    if len(between) != n * (n - 1) // 2:
        raise ValueError(f"{n} samples have {n * (n - 1) // 2} pairs, not {len(between)}")
    # Rounding may leave a distance of a picture to itself a hair below 0.
    d, e = (v.double().clamp_min(0).sqrt() for v in (to_truth, between))
    return (d.mean() - e.mean() / 2).item() if n > 1 else None


def lpips_between(images: Tensor, lpips_fn: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """LPIPS of all pairs of images (S, C, H, W) in [-1, 1], (S (S - 1) / 2,), float64."""
    if isinstance(lpips_fn, LPIPS):
        return lpips_fn.pairwise(images).double()
    first, second = torch.triu_indices(len(images), len(images), 1, device=images.device)
    return lpips_fn(images[first], images[second]).double()


def check_samples(images: Tensor, measurement: Measurement) -> None:
    """Raise unless these are finite samples (S, 1, C, H, W), S at least 1, and a measurement of one image."""
    check_tensor("images", images, "(S, 1, C, H, W)")
    check_measurement(measurement)
    if images.ndim != 5 or images.shape[1] != 1 or not images.numel() or not images.is_floating_point():
        raise ValueError(
            f"images are samples (S, 1, C, H, W) of one image, of floating-point numbers, but came with "
            f"{tuple(images.shape)} of {images.dtype}"
        )
    if measurement.num_images != 1:
        raise ValueError(f"the measurement is of one image, not of {measurement.num_images}")
    bad = int((~torch.isfinite(images)).sum())
    if bad:
        raise ValueError(f"samples are finite, but {bad} of their {images.numel()} values are not")
