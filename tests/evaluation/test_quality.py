"""Evaluation: hand-computed metrics, and results that do not depend on how images are put together."""

import math
from dataclasses import asdict, fields

import pytest
import torch

from vipaint_pyro.evaluation import quality as module
from vipaint_pyro.evaluation.quality import Quality, evaluate, join, mean_and_error, paired
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.tasks import TASKS, make_operator, measure
from vipaint_pyro.samplers import DPSSampler, Samples, VIPaintSampler
from vipaint_pyro.samplers.estimate import Estimate


def total(x: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """In place of LPIPS: the sum of absolute differences, which can be computed by hand."""
    return (x - truth).abs().sum((-3, -2, -1))


@pytest.fixture
def by_hand(monkeypatch):
    monkeypatch.setattr(module, "shared_lpips", lambda *_: total)


def completed(truth: torch.Tensor, observed: torch.Tensor) -> Measurement:
    operator = Inpainting(observed)
    return Measurement.of(operator, operator(truth))


class Fixed:
    """A sampler whose samples are known: image i of sample k is ``images[k, i]``, whatever the measurement."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.start = images, 0

    def __call__(self, prior, measurement, num_samples, generator):
        n = measurement.num_images
        assert len(generator) == n == len(measurement.operator.observed) and num_samples == len(self.images)
        stop = self.start + n
        x, self.start = self.images[:, self.start : stop], stop
        return Samples(x, {"fit": 6, "refinement": 8}, seconds={"fit": 1.0 * n, "refinement": 2.0 * n})


@pytest.fixture
def truth():
    return torch.rand(5, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


@pytest.fixture
def observed():
    mask = torch.rand(5, 1, 2, 3, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[..., 0, 0], mask[..., 1, 2] = True, False  # each has both kinds
    return mask


SAMPLERS = [
    VIPaintSampler((800, 500), fit_steps=3, num_chains=2, num_levels=2, refinement_steps=6),
    DPSSampler(num_steps=7),
]


@pytest.mark.parametrize("chunk", [1, 2, None])
def test_a_completion_by_hand(gaussian, by_hand, chunk):
    observed = torch.tensor([True, True, True, False, False, True]).reshape(1, 1, 2, 3).expand(2, -1, -1, -1)
    truth = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    images = torch.zeros(2, 2, 1, 2, 3, dtype=torch.float64)
    images[0, 0, 0, 0, 0] = 0.5  # observed
    images[1, 0, 0, 1, 0] = 3.0  # hidden, clipped to 1
    images[:, 1, 0, 1, 1] = -0.2  # hidden, in both samples of the second image
    quality, x = evaluate(Fixed(images), gaussian, truth, completed(truth, observed), None, 2, chunk=chunk)
    assert torch.equal(x, images)
    assert quality.lpips_raw == pytest.approx([(0.5 + 1.0) / 2, 0.2])
    assert quality.lpips_composite == pytest.approx([(0.0 + 1.0) / 2, 0.2])
    # Sample 0 of the first image is perfect once composited.
    assert quality.psnr == pytest.approx([math.inf, 10 * math.log10(4 / (0.04 / 6))])
    assert quality.observed_error == pytest.approx([0.5 / 4 / 2, 0.0])
    # Over two hidden pixels: variance 9 / 2 and 0, so that the root mean square is 1.5.
    assert quality.diversity == pytest.approx([1.5, 0.0])
    assert quality.calls == 7 and quality.seconds == 3


def test_noisy_pixels_are_put_back_as_they_were_seen(gaussian, by_hand):
    truth = torch.zeros(1, 1, 2, 3, dtype=torch.float64)
    observed = torch.tensor([True, True, True, False, False, False]).reshape(1, 1, 2, 3)
    seen = Measurement(Inpainting(observed), Gaussian(0.1), torch.where(observed, 0.1, 0.0).double())
    quality, _ = evaluate(Fixed(truth[None] + 0.2), gaussian, truth, seen)
    assert quality.lpips_composite == pytest.approx([0.3 + 0.6])
    assert quality.psnr == pytest.approx([10 * math.log10(4 / ((0.01 + 0.04) / 2))])


@pytest.mark.parametrize("chunk", [1, None])
def test_a_restoration_by_hand(gaussian, by_hand, chunk):
    """A x = the sum over the pixels and the first pixel; y is 0.5 off; no composite."""
    matrix = torch.tensor([[1.0] * 6, [1.0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    operator = Matrix(matrix.expand(2, 2, 6), (1, 2, 3))
    truth = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    images = torch.zeros(2, 2, 1, 2, 3, dtype=torch.float64)
    images[0, 0] = 0.1
    images[1, 1, 0, 0, 0] = 0.4
    y = torch.full((2, 1, 1, 2), 0.5, dtype=torch.float64)
    quality, _ = evaluate(Fixed(images), gaussian, truth, Measurement.of(operator, y), None, 2, chunk=chunk)
    assert quality.lpips_raw == pytest.approx([0.3, 0.2])
    assert quality.lpips_composite == quality.lpips_raw
    # A x of the samples: (0.6, 0.1), (0, 0); (0, 0), (0.4, 0.4). y is 0.5 throughout.
    assert quality.observed_error == pytest.approx([(0.1 + 0.4 + 0.5 + 0.5) / 4, (0.5 + 0.5 + 0.1 + 0.1) / 4])
    # Everything may differ between samples, so that all six pixels count.
    assert quality.diversity == pytest.approx([math.sqrt(0.005), math.sqrt(0.08 / 6)])
    assert quality.psnr[0] == math.inf


@pytest.mark.parametrize("sampler", SAMPLERS, ids=["vipaint", "dps"])
@pytest.mark.parametrize("kind", ["completion", "restoration"])
def test_the_chunks_do_not_matter(gaussian, by_hand, truth, observed, sampler, kind):
    """Bit for bit, and so does a run in pieces; images get their own noise."""
    truth[1], observed[1] = truth[0], observed[0]
    if kind == "completion":
        seen = completed(truth, observed)
    else:
        operator = GaussianBlur((1, 2, 3), 3, 1.0, num_images=5)
        noise = [torch.Generator().manual_seed(i) for i in (0, 0, 1, 2, 3)]
        seen = Measurement.of(operator, measure(operator, truth, 0.05, noise))
    whole, x = evaluate(sampler, gaussian, truth, seen, None, 2, first=4000)
    for chunk in (1, 2, 4, 5, 9):
        quality, again = evaluate(sampler, gaussian, truth, seen, None, 2, first=4000, chunk=chunk)
        assert torch.equal(again, x)
        assert {**asdict(quality), "seconds": 0} == {**asdict(whole), "seconds": 0}
    rest, again = evaluate(sampler, gaussian, truth[2:], seen.part(2, 5), None, 2, first=4002)
    assert torch.equal(again, x[:, 2:]) and rest.psnr == whole.psnr[2:]
    assert not torch.equal(x[:, 0], x[:, 1])  # equal but for their noise
    other, _ = evaluate(sampler, gaussian, truth, seen, None, 2, first=5000)
    assert other.lpips_raw != whole.lpips_raw


def test_a_network_and_lpips_in_chunks(network_prior):
    """Batches of other sizes may round otherwise, and labels follow their images."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 1, 8, 8, generator=generator).double() * 2 - 1
    observed = torch.stack([MASKS["rotated"]((8, 8), torch.Generator().manual_seed(i)) for i in range(3)])
    sampler, labels = VIPaintSampler((800, 400), fit_steps=2, num_chains=1, refinement_steps=3), [0, None, 3]
    seen = completed(truth, observed)
    whole, x = evaluate(sampler, network_prior, truth, seen, labels, 2)
    chunked, again = evaluate(sampler, network_prior, truth, seen, labels, 2, chunk=2)
    torch.testing.assert_close(again, x, rtol=1e-9, atol=1e-9)
    assert chunked.lpips_composite == pytest.approx(whole.lpips_composite, abs=1e-5)
    assert chunked.calls == whole.calls == 2 * (2 + 2) / 2 + 1 + 3
    swapped, _ = evaluate(sampler, network_prior, truth, seen, [1, None, 3], 2, chunk=2)
    assert swapped.psnr[0] != chunked.psnr[0] and swapped.psnr[1:] == chunked.psnr[1:]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_trivial_baseline_of_every_task(network_prior, by_hand, task):
    network_prior.latent_shape = (3, 8, 8)
    truth = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    operator = make_operator(task, (3, 8, 8), 2)
    y = measure(operator, truth, 0.05, torch.Generator().manual_seed(2))
    quality, x = evaluate(Estimate(), network_prior, truth, Measurement.of(operator, y), None, 2, chunk=1)
    expected = operator.estimate(y)
    assert torch.equal(x[0], expected) and torch.equal(x[1], expected)
    torch.testing.assert_close(torch.tensor(quality.lpips_raw).double(), total(expected.clamp(-1, 1), truth))
    assert quality.diversity == [0.0, 0.0] and quality.calls == 0


def test_a_single_sample_has_no_diversity(gaussian, by_hand, truth, observed):
    quality, x = evaluate(Fixed(truth[None]), gaussian, truth, completed(truth, observed))
    assert len(x) == 1 and quality.diversity == [0.0] * 5 and quality.lpips_raw == [0.0] * 5


def test_errors(gaussian, truth, observed):
    seen = completed(truth, observed)

    def run(sampler=Fixed(truth[None]), measurement=seen, **given):
        evaluate(sampler, gaussian, truth, measurement, **given)

    with pytest.raises(ValueError, match="at least 1, but is 0"):
        run(chunk=0)
    with pytest.raises(ValueError, match="num_samples is a whole number of at least 1, but is 0"):
        run(Estimate(), num_samples=0)
    with pytest.raises(ValueError, match="measurement is of 4 images, truth of 5"):
        run(measurement=seen.part(0, 4))
    with pytest.raises(ValueError, match="labels is of 4 images, truth of 5"):
        run(labels=[None] * 4)


@pytest.mark.parametrize("masked", [True, False])
def test_operator_and_y_of_other_numbers_are_no_measurement(truth, observed, masked):
    operator = Inpainting(observed) if masked else GaussianBlur((1, 2, 3), 3, 1.0, num_images=5)
    with pytest.raises(ValueError, match="y holds 4 images, but 5 are measured"):
        Measurement.of(operator, operator(truth)[:4])
    with pytest.raises(ValueError, match="y holds 5 images, but 4 are measured"):
        Measurement.of(operator.part(0, 4), operator(truth))


def test_joining_keeps_order_and_weighs_by_images():
    def made(values, calls, seconds):
        return Quality(*([values] * 5), calls=calls, seconds=seconds)

    both = join([made([1.0, 2.0], 0.1, 1.0), made([3.0], 0.1, 4.0)])
    assert all(getattr(both, f.name) == [1.0, 2.0, 3.0] for f in fields(Quality)[:5])
    assert both.calls == 0.1 and both.seconds == 2.0
    with pytest.raises(ValueError, match="no images"):
        join([])


def test_means_and_pairs():
    assert mean_and_error([1.0, 2.0, 3.0]) == pytest.approx((2.0, 1 / math.sqrt(3)))
    assert math.isnan(mean_and_error([1.0])[1])
    assert paired([1.0, 3.0], [0.0, 1.0]) == pytest.approx((1.5, 0.5))
    with pytest.raises(ValueError):
        paired([1.0], [1.0, 2.0])


def test_lpips_is_the_default_distance(gaussian):
    """The default is AlexNet's, whichever way images come."""
    truth = torch.rand(1, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    observed = torch.zeros(1, 1, 2, 3, dtype=torch.bool)
    seen = completed(truth, observed | (truth > 0.5))
    quality, _ = evaluate(Fixed(truth[None] * 0), gaussian, truth, seen)
    assert quality.lpips_raw[0] == pytest.approx(LPIPS()(truth * 0, truth).item(), rel=1e-5)
