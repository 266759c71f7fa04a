"""Evaluation: hand-computed metrics, and results that do not depend on how images are put together."""

import math
from dataclasses import asdict, fields

import pytest
import torch

from vipaint_pyro.evaluation.quality import Quality, evaluate, join, mean_and_error, paired, part
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.operator import estimate
from vipaint_pyro.measurements.tasks import TASKS, make_operator, measure
from vipaint_pyro.samplers import DPSSampler, Samples, VIPaintSampler
from vipaint_pyro.samplers.estimate import Estimate


def total(x: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """In place of LPIPS: the sum of absolute differences, which can be computed by hand."""
    return (x - truth).abs().sum((-3, -2, -1))


class Fixed:
    """A sampler whose samples are known: image i of sample k is ``images[k, i]``, whatever the measurement."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.start = images, 0

    def __call__(self, prior, operator, y, num_samples, generator):
        assert len(generator) == len(y) == len(operator.observed) and num_samples == len(self.images)
        stop = self.start + len(y)
        x, self.start = self.images[:, self.start : stop], stop
        return Samples(x, {"fit": 6, "refinement": 8}, seconds={"fit": 1.0 * len(y), "refinement": 2.0 * len(y)})


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
def test_a_completion_by_hand(gaussian, chunk):
    observed = torch.tensor([True, True, True, False, False, True]).reshape(1, 1, 2, 3).expand(2, -1, -1, -1)
    truth = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    images = torch.zeros(2, 2, 1, 2, 3, dtype=torch.float64)
    images[0, 0, 0, 0, 0] = 0.5  # observed
    images[1, 0, 0, 1, 0] = 3.0  # hidden, clipped to 1
    images[:, 1, 0, 1, 1] = -0.2  # hidden, in both samples of the second image
    quality, x = evaluate(Fixed(images), gaussian, truth, observed, None, 2, lpips=total, chunk=chunk)
    assert torch.equal(x, images)
    assert quality.lpips_raw == pytest.approx([(0.5 + 1.0) / 2, 0.2])
    assert quality.lpips_composite == pytest.approx([(0.0 + 1.0) / 2, 0.2])
    # Sample 0 of the first image is perfect once composited.
    assert quality.psnr == pytest.approx([math.inf, 10 * math.log10(4 / (0.04 / 6))])
    assert quality.observed_error == pytest.approx([0.5 / 4 / 2, 0.0])
    # Over two hidden pixels: variance 9 / 2 and 0, so that the root mean square is 1.5.
    assert quality.diversity == pytest.approx([1.5, 0.0])
    assert quality.calls == 7 and quality.seconds == 3


@pytest.mark.parametrize("chunk", [1, None])
def test_a_restoration_by_hand(gaussian, chunk):
    """A x = the sum over the pixels and the first pixel; y is 0.5 off; no composite."""
    matrix = torch.tensor([[1.0] * 6, [1.0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    operator = Matrix(matrix.expand(2, 2, 6), (1, 2, 3))
    truth = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    images = torch.zeros(2, 2, 1, 2, 3, dtype=torch.float64)
    images[0, 0] = 0.1
    images[1, 1, 0, 0, 0] = 0.4
    y = torch.full((2, 1, 1, 2), 0.5, dtype=torch.float64)
    quality, _ = evaluate(
        Fixed(images), gaussian, truth, None, None, 2, lpips=total, operator=operator, y=y, chunk=chunk
    )
    assert quality.lpips_raw == pytest.approx([0.3, 0.2])
    assert quality.lpips_composite == quality.lpips_raw
    # A x of the samples: (0.6, 0.1), (0, 0); (0, 0), (0.4, 0.4). y is 0.5 throughout.
    assert quality.observed_error == pytest.approx([(0.1 + 0.4 + 0.5 + 0.5) / 4, (0.5 + 0.5 + 0.1 + 0.1) / 4])
    # Everything may differ between samples, so that all six pixels count.
    assert quality.diversity == pytest.approx([math.sqrt(0.005), math.sqrt(0.08 / 6)])
    assert quality.psnr[0] == math.inf


@pytest.mark.parametrize("sampler", SAMPLERS, ids=["vipaint", "dps"])
@pytest.mark.parametrize("kind", ["completion", "restoration"])
def test_the_chunks_do_not_matter(gaussian, truth, observed, sampler, kind):
    """Bit for bit, and so does a run in pieces; images get their own noise."""
    truth[1], observed[1] = truth[0], observed[0]
    if kind == "completion":
        given = {"observed": observed}
    else:
        operator = GaussianBlur((1, 2, 3), 3, 1.0, num_images=5)
        noise = [torch.Generator().manual_seed(i) for i in (0, 0, 1, 2, 3)]
        given = {"operator": operator, "y": measure(operator, truth, 0.05, noise)}
    settings = {"num_samples": 2, "lpips": total, "seed": 4}
    whole, x = evaluate(sampler, gaussian, truth, **given, **settings)
    for chunk in (1, 2, 4, 5, 9):
        quality, again = evaluate(sampler, gaussian, truth, **given, **settings, chunk=chunk)
        assert torch.equal(again, x)
        assert {**asdict(quality), "seconds": 0} == {**asdict(whole), "seconds": 0}
    tail = {k: part(v, 2, 5) if k == "operator" else v[2:] for k, v in given.items()}
    rest, again = evaluate(sampler, gaussian, truth[2:], **tail, **settings, first=2)
    assert torch.equal(again, x[:, 2:]) and rest.psnr == whole.psnr[2:]
    assert not torch.equal(x[:, 0], x[:, 1])  # equal but for their noise
    other, _ = evaluate(sampler, gaussian, truth, **given, num_samples=2, lpips=total, seed=5)
    assert other.lpips_raw != whole.lpips_raw


def test_a_network_and_lpips_in_chunks(network_prior):
    """Batches of other sizes may round otherwise, and labels follow their images."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 1, 8, 8, generator=generator).double() * 2 - 1
    observed = torch.stack([MASKS["rotated"]((8, 8), torch.Generator().manual_seed(i)) for i in range(3)])
    sampler, labels = VIPaintSampler((800, 400), fit_steps=2, num_chains=1, refinement_steps=3), [0, None, 3]
    whole, x = evaluate(sampler, network_prior, truth, observed, labels, 2)
    chunked, again = evaluate(sampler, network_prior, truth, observed, labels, 2, chunk=2)
    torch.testing.assert_close(again, x, rtol=1e-9, atol=1e-9)
    assert chunked.lpips_composite == pytest.approx(whole.lpips_composite, abs=1e-5)
    assert chunked.calls == whole.calls == 2 * (2 + 2) / 2 + 1 + 3
    swapped, _ = evaluate(sampler, network_prior, truth, observed, [1, None, 3], 2, chunk=2)
    assert swapped.psnr[0] != chunked.psnr[0] and swapped.psnr[1:] == chunked.psnr[1:]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_trivial_baseline_of_every_task(network_prior, task):
    network_prior.latent_shape = (3, 8, 8)
    truth = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    operator = make_operator(task, (3, 8, 8), 2)
    y = measure(operator, truth, 0.05, torch.Generator().manual_seed(2))
    quality, x = evaluate(Estimate(), network_prior, truth, None, None, 2, lpips=total, operator=operator, y=y, chunk=1)
    expected = estimate(operator, y)
    assert torch.equal(x[0], expected) and torch.equal(x[1], expected)
    torch.testing.assert_close(torch.tensor(quality.lpips_raw).double(), total(expected.clamp(-1, 1), truth))
    assert quality.diversity == [0.0, 0.0] and quality.calls == 0


def test_parts_of_operators(truth, observed):
    matrix = torch.randn(5, 4, 6, dtype=torch.float64)
    blur = make_operator("deblur", (1, 2, 3), 5)
    own = LinearMap(lambda x: 2 * x, (1, 2, 3), 5)
    for operator in (Inpainting(observed), Matrix(matrix, (1, 2, 3)), blur, own):
        some = part(operator, 1, 4)
        assert len(some.observed) == 3
        assert torch.equal(some.observed, operator.observed[1:4])
        assert torch.equal(some(truth[1:4]), operator(truth)[1:4])
        y = operator(truth)
        torch.testing.assert_close(some.adjoint(y[1:4]), operator.adjoint(y)[1:4])
        assert len(operator.observed) == 5  # as it was
    assert blur.num_images == 5

    class Unknown:
        observed = torch.ones(5, 1, 2, 3, dtype=torch.bool)

    with pytest.raises(TypeError, match=r"Unknown has no method part\(start, stop\)"):
        part(Unknown(), 0, 2)
    Unknown.part = lambda self, start, stop: (start, stop)
    assert part(Unknown(), 0, 2) == (0, 2)


def test_a_single_sample_has_no_diversity(gaussian, truth, observed):
    quality, x = evaluate(Fixed(truth[None]), gaussian, truth, observed, lpips=total)
    assert len(x) == 1 and quality.diversity == [0.0] * 5 and quality.lpips_raw == [0.0] * 5


def test_errors(gaussian, truth, observed):
    blur = GaussianBlur((1, 2, 3), 3, 1.0, num_images=5)

    def run(**given):
        evaluate(Fixed(truth[None]), gaussian, truth, lpips=total, **given)

    with pytest.raises(ValueError, match="give observed, for a completion"):
        run()
    with pytest.raises(ValueError, match="give observed, for a completion"):
        run(observed=observed, operator=blur, y=truth)
    for given in ({"operator": blur}, {"observed": observed, "y": truth}):
        with pytest.raises(ValueError, match="by operator and y, both"):
            run(**given)
    with pytest.raises(ValueError, match="at least 1, but is 0"):
        run(observed=observed, chunk=0)
    with pytest.raises(ValueError, match="num_samples is at least 1"):
        run(observed=observed, num_samples=0)
    for name, given in {
        "observed": {"observed": observed[:4]},
        "y": {"operator": blur, "y": truth[:4]},
        r"operator\.observed": {"operator": part(blur, 0, 4), "y": truth},
        "labels": {"observed": observed, "labels": [None] * 4},
    }.items():
        with pytest.raises(ValueError, match=f"{name} is of 4 images, truth of 5"):
            run(**given)


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
    quality, _ = evaluate(Fixed(truth[None] * 0), gaussian, truth, observed | (truth > 0.5), lpips=None)
    assert quality.lpips_raw[0] == pytest.approx(LPIPS()(truth * 0, truth).item(), rel=1e-5)
