"""Mode weights by hand, their floor by enumeration, and what the picture shows."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from vipaint_pyro.calibration import mode_total_variation
from vipaint_pyro.calibration.modes import expected_total_variation


def test_by_hand():
    weights = torch.tensor([0.5, 0.3, 0.195, 0.005], dtype=torch.float64)
    r = mode_total_variation(one_hot(torch.tensor([0] * 80 + [1] * 2 + [2] * 18), 4).double(), weights)
    assert r.frequencies.tolist() == pytest.approx([0.8, 0.02, 0.18, 0])
    assert r.total_variation.item() == pytest.approx(0.3)
    assert r.notable == 3 and r.found == 2  # 0.02 is less than a tenth of 0.3; 0.005 does not count
    assert r.verdict.startswith("2 of 3 modes above 1 % found; total variation 0.300 (exact draws 0.0")


def test_responsibilities_are_shared_out():
    r = mode_total_variation(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([3.0, 1.0]))
    assert r.frequencies.tolist() == [0.75, 0.25] and r.total_variation == 0
    assert r.weights.tolist() == [0.75, 0.25]


def test_sample_weights():
    shares = torch.eye(2, dtype=torch.float64)
    r = mode_total_variation(shares, torch.tensor([0.5, 0.5]), torch.tensor([3.0, 1.0]))
    assert r.frequencies.tolist() == [0.75, 0.25] and r.total_variation == 0.25
    # 1 / (9/16 + 1/16) = 1.6 effective draws, rounded to 2: half the time one in each mode.
    assert r.floor.item() == pytest.approx(0.25)
    five = mode_total_variation(torch.eye(3)[[0, 1, 1, 2, 0]], torch.tensor([0.2, 0.3, 0.5]))
    weights = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    assert five.floor.item() == pytest.approx(expected_total_variation(weights, torch.tensor(5.0)).item())
    kept = torch.tensor([1.0, 1.0, 0.0])
    some = mode_total_variation(torch.eye(3)[:, :2] + torch.tensor([[0.0], [0.0], [0.5]]), torch.ones(2), kept)
    assert some.frequencies.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("n, weights", [(1, [0.2, 0.8]), (7, [0.05, 0.25, 0.7]), (50, [0.0, 0.02, 0.98]), (9, [1.0])])
def test_floor_is_the_mean_over_all_outcomes(n, weights):
    total = 0.0
    for w in weights:
        for k in range(n + 1):
            total += math.comb(n, k) * w**k * (1 - w) ** (n - k) * abs(k / n - w) / 2
    floor = expected_total_variation(torch.tensor(weights, dtype=torch.float64), torch.tensor(float(n)))
    assert floor.item() == pytest.approx(total, abs=1e-12)


def test_exact_draws_are_at_the_floor():
    g = torch.Generator().manual_seed(0)
    weights = torch.rand(25, generator=g, dtype=torch.float64) ** 2
    draws = torch.multinomial(weights, 300 * 1000, replacement=True, generator=g).reshape(300, 1000)
    r = mode_total_variation(one_hot(draws, 25), weights.expand(300, 25))
    assert r.total_variation.shape == r.floor.shape == r.found.shape == (300,)
    error = r.total_variation.std() / 300**0.5
    assert abs(r.total_variation.mean() - r.floor[0]) < 4 * error < 0.01


def test_batch_is_each_alone():
    g = torch.Generator().manual_seed(0)
    shares = torch.rand(2, 3, 40, 5, generator=g).softmax(-1)
    weights, each = torch.rand(2, 3, 5, generator=g), torch.rand(2, 3, 40, generator=g)
    r = mode_total_variation(shares, weights, each)
    alone = mode_total_variation(shares[1, 2], weights[1, 2], each[1, 2])
    for name in ("frequencies", "total_variation", "floor", "notable", "found"):
        torch.testing.assert_close(getattr(r, name)[1, 2], getattr(alone, name))
    assert f"of {int(r.notable.sum())} modes" in r.verdict


def test_plot_shows_both_weights():
    shares = torch.rand(2, 40, 3, generator=torch.Generator().manual_seed(0)).softmax(-1)
    r = mode_total_variation(shares, torch.tensor([[1.0, 2, 3], [3, 2, 1]]))
    exact, sampled = r.plot(index=1).containers
    assert [b.get_height() for b in exact] == r.weights[1].tolist()
    assert [b.get_height() for b in sampled] == r.frequencies[1].tolist()
    with pytest.raises(ValueError, match=r"choose one posterior of \(2,\) by index"):
        r.plot()


def test_bad_input():
    shares = torch.eye(3)
    with pytest.raises(ValueError, match="with the same"):
        mode_total_variation(shares, torch.ones(2))
    with pytest.raises(ValueError, match="with the same"):
        mode_total_variation(shares, torch.ones(3), torch.ones(2))
    with pytest.raises(ValueError, match="responsibilities sum to 1"):
        mode_total_variation(2 * shares, torch.ones(3))
    with pytest.raises(ValueError, match="weights are not negative"):
        mode_total_variation(shares, torch.tensor([1.0, 1.0, -1.0]))
    with pytest.raises(ValueError, match="sample_weights are not negative, with a positive sum"):
        mode_total_variation(shares, torch.ones(3), torch.zeros(3))
    with pytest.raises(ValueError, match="responsibilities has to be finite"):
        mode_total_variation(shares * torch.nan, torch.ones(3))
    with pytest.raises(ValueError, match=r"responsibilities has the shape \(\*, S, K\)"):
        mode_total_variation(torch.ones(3), torch.ones(3))
