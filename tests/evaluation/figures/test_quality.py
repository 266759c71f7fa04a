"""How good samples of several images are, by hand."""

import math

import pytest
import torch

from vipaint_pyro.evaluation.figures import quality
from vipaint_pyro.evaluation.figures.quality import judged
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import Samples


def total(x, truth):
    """In place of LPIPS: the sum of absolute differences, which can be computed by hand."""
    return (x - truth).abs().sum((-3, -2, -1))


def seen(truth):
    """Four of six pixels."""
    observed = torch.tensor([True, True, True, False, False, True]).reshape(1, 1, 2, 3).expand(len(truth), -1, -1, -1)
    operator = Inpainting(observed)
    return Measurement.of(operator, operator(truth))


def test_two_images_of_two_samples(monkeypatch):
    monkeypatch.setattr(quality, "shared_lpips", lambda *_: total)
    truth = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    images = torch.zeros(2, 2, 1, 2, 3, dtype=torch.float64)
    images[0, 0, 0, 0, 0] = 0.5  # observed
    images[1, 0, 0, 1, 0] = 3.0  # hidden, clipped to 1
    images[:, 1, 0, 1, 1] = -0.2  # hidden, in both samples of the second image
    samples = Samples(images, {"fit": 6, "refinement": 8}, seconds={"fit": 2.0, "refinement": 4.0})
    found = judged(samples, truth, seen(truth))
    assert found.lpips_raw == pytest.approx([(0.5 + 1.0) / 2, 0.2])
    assert found.lpips_composite == pytest.approx([(0.0 + 1.0) / 2, 0.2])
    # Sample 0 of the first image is perfect once composited.
    assert found.psnr == pytest.approx([math.inf, 10 * math.log10(4 / (0.04 / 6))])
    assert found.observed_error == pytest.approx([0.5 / 4 / 2, 0.0])
    # Over two hidden pixels: variance 9 / 2 and 0, so that the root mean square is 1.5.
    assert found.diversity == pytest.approx([1.5, 0.0])
    assert found.calls == 7 and found.seconds == 3
    one = judged(Samples(images[:1], seconds={"refinement": 4.0}), truth, seen(truth))
    assert one.diversity == [0.0, 0.0] and one.calls == 0 and one.seconds == 2


def test_lpips_is_alexnets():
    truth = torch.rand(1, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = judged(Samples(truth[None] * 0), truth, seen(truth))
    assert found.lpips_raw[0] == pytest.approx(LPIPS()(truth * 0, truth).item(), rel=1e-5)
