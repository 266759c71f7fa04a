"""Scores of one image's samples, where their values are known."""

import math
import time

import pytest
import torch

from vipaint_pyro.evaluation.metrics import psnr
from vipaint_pyro.evaluation.study.scores import composites, energy_score, hidden, lpips_between, score
from vipaint_pyro.evaluation.study.ssim import ssim
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement, make_operator
from vipaint_pyro.measurements.lpips import shared_lpips

CPU = torch.device("cpu")


def mean_difference(x, truth):
    """In place of LPIPS, a distance that can be known."""
    return (x - truth).abs().mean((-3, -2, -1))


def seen(truth, observed):
    operator = Inpainting(observed)
    return Measurement.of(operator, operator(truth))


def half_seen(truth):
    observed = torch.ones(1, 1, *truth.shape[-2:], dtype=torch.bool)
    observed[..., truth.shape[-1] // 2 :] = False
    return seen(truth, observed)


def test_known_values_of_a_completion():
    truth = torch.zeros(1, 1, 12, 12).double()
    x = torch.stack([torch.full_like(truth, v) for v in (0.2, -0.4, 1.6)])
    scores = score(x, truth, half_seen(truth), mean_difference)
    assert scores["lpips_raw"] == pytest.approx([0.2, 0.4, 1.0], abs=1e-12)  # clipped
    assert scores["lpips_composite"] == pytest.approx([0.1, 0.2, 0.5], abs=1e-12)  # half of it is the truth
    # mean squared errors 0.02, 0.08, 0.5 of the composites, under a peak of 2
    assert scores["psnr"] == pytest.approx([10 * math.log10(4 / e) for e in (0.02, 0.08, 0.5)], abs=1e-9)
    # the mean of 0.2, -0.4 and the clipped 1 is 4/15 in half the picture
    assert scores["psnr_mean"] == pytest.approx(10 * math.log10(4 / ((4 / 15) ** 2 / 2)), abs=1e-9)
    assert scores["psnr_mean_hole"] == pytest.approx(10 * math.log10(4 / (4 / 15) ** 2), abs=1e-9)
    assert scores["observed_error"] == pytest.approx([0.2, 0.4, 1.6], abs=1e-12)  # as they came
    mean = (0.2 - 0.4 + 1.6) / 3
    std = math.sqrt(sum((v - mean) ** 2 for v in (0.2, -0.4, 1.6)) / 2)
    assert scores["diversity"] == pytest.approx(std, abs=1e-12)
    # |differences| of the clipped 0.2, -0.4, 1 in half the picture
    assert scores["lpips_diversity"] == pytest.approx((0.6 + 0.8 + 1.4) / 3 / 2, abs=1e-12)
    to_truth, between = (sum(map(math.sqrt, v)) / 3 for v in ((0.1, 0.2, 0.5), (0.3, 0.4, 0.7)))
    assert scores["energy_score"] == pytest.approx(to_truth - between / 2, abs=1e-12)
    assert scores["ssim"] == ssim(composites(x, half_seen(truth)), truth)[:, 0].tolist()


def test_a_restoration_has_no_known_pixels():
    truth = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)).double() - 0.5
    operator = make_operator("super-resolution", (1, 16, 16), scale=4)
    measurement = Measurement(operator, Gaussian(0.05), operator(truth))
    x = torch.stack([truth + 0.1, truth - 0.3])
    scores = score(x, truth, measurement, mean_difference)
    assert scores["lpips_composite"] == scores["lpips_raw"] == pytest.approx([0.1, 0.3], abs=1e-9)
    assert scores["psnr"] == pytest.approx([10 * math.log10(4 / 0.01), 10 * math.log10(4 / 0.09)], abs=1e-9)
    assert scores["psnr_mean"] == pytest.approx(10 * math.log10(4 / 0.01), abs=1e-9)  # of -0.1
    assert scores["psnr_mean_hole"] is None
    assert scores["observed_error"] == pytest.approx([0.1, 0.3], abs=1e-6)  # a reduced constant is that constant
    assert scores["diversity"] == pytest.approx(0.4 / math.sqrt(2), abs=1e-9)  # over the whole image
    assert hidden(measurement, truth).all()


def test_each_sample_is_for_itself():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1
    x = torch.rand(3, 1, 3, 64, 64, generator=generator) * 2 - 1
    lpips = shared_lpips("alex", None, CPU)
    together, alone = (score(v, truth, half_seen(truth), lpips) for v in (x, x[1:2]))
    for name in ("lpips_raw", "lpips_composite", "psnr", "ssim", "observed_error"):
        assert len(together[name]) == 3
        assert alone[name] == pytest.approx(together[name][1:2], rel=1e-4), name
    assert alone["psnr_mean"] == pytest.approx(alone["psnr"][0], abs=1e-6)
    assert together["psnr_mean"] > max(together["psnr"])  # of noise the mean is the better guess
    assert [alone[n] for n in ("diversity", "lpips_diversity", "energy_score")] == [None] * 3
    pairs = [lpips(a, b).item() for a, b in ((x[0], x[1]), (x[0], x[2]), (x[1], x[2]))]
    assert lpips_between(x[:, 0], lpips).tolist() == pytest.approx(pairs, rel=1e-4)


def test_energy_scores_are_lowest_for_the_law_itself():
    """Of two pictures, equally probable, where LPIPS does not tell draws from copies.

    They are 1 apart, so that E d(x, y) is 1/2 for any law of x; the score is 1/2 - 1/4 for
    the law itself and 1/2 for copies of one picture.
    """
    generator = torch.Generator().manual_seed(0)
    truths = torch.randint(2, (2000,), generator=generator)
    first, second = torch.triu_indices(6, 6, 1)

    def mean(draw):
        x = torch.stack([draw() for _ in truths])
        return [energy_score((a - y).abs(), (a[first] - a[second]).abs()) for a, y in zip(x, truths)]

    own = torch.tensor(mean(lambda: torch.randint(2, (6,), generator=generator)))
    copies = torch.tensor(mean(lambda: torch.zeros(6, dtype=torch.long)))
    error = own.std().item() / math.sqrt(len(own))
    assert own.mean().item() == pytest.approx(0.25, abs=4 * error) and error < 0.01  # unbiased
    assert copies.mean().item() == pytest.approx(0.5, abs=0.05)


def test_the_root_of_lpips_is_a_euclidean_distance():
    """What makes the score proper: double-centred squared distances have no negative eigenvalue."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(8, 3, 64, 64, generator=generator) * 2 - 1
    d = torch.zeros(8, 8).double()
    first, second = torch.triu_indices(8, 8, 1)
    d[first, second] = d[second, first] = shared_lpips("alex", None, CPU).pairwise(x).double()
    centre = torch.eye(8).double() - 1 / 8
    assert torch.linalg.eigvalsh(-centre @ d @ centre / 2).min() > -1e-6


def test_an_energy_score_takes_all_pairs():
    with pytest.raises(ValueError, match="3 samples have 3 pairs, not 2"):
        energy_score(torch.ones(3), torch.ones(2))


def test_noisy_pixels_are_put_back_as_they_were_seen():
    truth = torch.zeros(1, 1, 12, 12)
    operator = half_seen(truth).operator
    measurement = Measurement(operator, Gaussian(0.1), torch.where(operator.observed, torch.tensor(0.1), 0))
    composite = composites(torch.full((1, 1, 1, 12, 12), 0.5), measurement)
    assert composite[..., :6].unique().item() == pytest.approx(0.1) and composite[..., 6:].unique().item() == 0.5


def test_what_is_put_back_may_differ_between_channels():
    truth = torch.full((1, 2, 11, 11), 0.25)
    observed = torch.tensor([True, False]).reshape(1, 2, 1, 1).expand(1, 2, 11, 11)
    measurement = seen(truth, observed)
    x = torch.tensor([0.5, -0.5]).reshape(2, 1, 1, 1, 1).expand(2, 1, 2, 11, 11)
    scores = score(x, truth, measurement, mean_difference)
    assert scores["diversity"] == pytest.approx(math.sqrt(0.5))
    assert scores["lpips_composite"] == pytest.approx([0.125, 0.375])


def test_the_truth_itself_and_half_precision():
    truth = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)).bfloat16()
    scores = score(truth[None], truth.float(), half_seen(truth.float()), mean_difference)
    assert scores["psnr_mean"] == scores["psnr_mean_hole"] == math.inf
    assert scores["psnr"] == [math.inf] and scores["ssim"] == [1.0] and scores["lpips_raw"] == [0]
    assert psnr(truth.double(), truth.double()).item() == math.inf


def test_the_hole_alone_where_channels_are_hidden_differently():
    """One channel of two is hidden: in the hole the mean is off by 1/4, over the picture by half as many squares."""
    truth = torch.full((1, 2, 11, 11), 0.25)
    observed = torch.tensor([True, False]).reshape(1, 2, 1, 1).expand(1, 2, 11, 11)
    x = torch.stack([torch.full((1, 2, 11, 11), v) for v in (0.75, 0.25)])
    scores = score(x, truth, seen(truth, observed), mean_difference)
    assert scores["psnr_mean_hole"] == pytest.approx(10 * math.log10(4 * 16), abs=1e-6)
    assert scores["psnr_mean"] == pytest.approx(10 * math.log10(4 * 32), abs=1e-6)


def test_images_without_a_window_have_no_ssim():
    truth = torch.zeros(1, 1, 4, 4)
    scores = score(torch.full((2, 1, 1, 4, 4), 0.5), truth, half_seen(truth), mean_difference)
    assert scores["ssim"] is None and len(scores["psnr"]) == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images": torch.zeros(2, 1, 12, 12)}, r"images are samples \(S, 1, C, H, W\).*\(2, 1, 12, 12\)"),
        ({"images": torch.zeros(2, 2, 1, 12, 12)}, "of one image"),
        ({"images": torch.zeros(0, 1, 1, 12, 12)}, "images are samples"),
        ({"images": torch.zeros(2, 1, 1, 12, 12, dtype=torch.uint8)}, "floating-point.*uint8"),
        ({"images": torch.full((2, 1, 1, 12, 12), math.nan)}, "288 of their 288 values are not"),
        ({"truth": torch.zeros(1, 3, 12, 12)}, r"truth is finite, of shape \(1, 1, 12, 12\).*\(1, 3, 12, 12\)"),
        ({"truth": torch.full((1, 1, 12, 12), math.inf)}, "truth is finite"),
        ({"measurement": seen(torch.zeros(1, 1, 12, 12), torch.ones(1, 1, 12, 12) > 0)}, "hides 0 of 144 entries"),
        ({"measurement": seen(torch.zeros(1, 1, 12, 12), torch.ones(1, 1, 12, 12) < 0)}, "hides 144 of 144 entries"),
        ({"measurement": seen(torch.zeros(2, 1, 12, 12), torch.ones(2, 1, 12, 12) > 0)}, "one image, not of 2"),
    ],
)
def test_what_cannot_be_scored_is_refused(change, message):
    truth = torch.zeros(1, 1, 12, 12)
    given = {"images": torch.zeros(2, 1, 1, 12, 12), "truth": truth, "measurement": half_seen(truth), **change}
    with pytest.raises(ValueError, match=message):
        score(**given, lpips_fn=mean_difference)


def test_ten_samples_take_well_under_a_second():
    truth = torch.zeros(1, 1, 28, 28)
    lpips, x = shared_lpips("alex", None, CPU), torch.rand(10, 1, 1, 28, 28)
    start = time.process_time()
    score(x, truth, half_seen(truth), lpips)
    assert time.process_time() - start < 5  # half a second on one core
