"""Sliced Wasserstein: closed form for a shift, scipy per slice, POT as a whole."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from vipaint_pyro.calibration import sliced, sliced_wasserstein
from vipaint_pyro.calibration.sliced import random_directions


def cloud(size, dim=5, seed=0):
    return torch.randn(size, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("dim", [1, 2, 5, 80])
@pytest.mark.parametrize("order", [1, 2])
def test_shift_by_closed_form(dim, order):
    # Each slice is |theta . delta|, whose mean is |delta| G(D/2) / (sqrt(pi) G((D+1)/2)), mean square |delta|^2 / D.
    a, delta = cloud(50, dim), torch.linspace(1, 2, dim, dtype=torch.float64)
    r = sliced_wasserstein(a, a + delta, 4000, order=order)
    theta = random_directions(4000, dim)
    torch.testing.assert_close(r.slices, (theta @ delta).abs())
    mean = math.exp(math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2)) / math.sqrt(math.pi)
    expected = delta.norm().item() * (mean if order == 1 else dim**-0.5)
    assert abs(r.distance - expected) <= 4 * r.standard_error + 1e-12 and r.standard_error < 0.03 * expected


@pytest.mark.parametrize("sizes", [(40, 40), (40, 60), (7, 100), (13, 1)])
def test_slices_agree_with_scipy(sizes):
    a, b = cloud(sizes[0]), 2 * cloud(sizes[1], seed=1) + 1
    theta = random_directions(20, 5, torch.Generator().manual_seed(2))
    r = sliced_wasserstein(a, b, directions=theta)
    expected = [wasserstein_distance((a @ t).numpy(), (b @ t).numpy()) for t in theta]
    torch.testing.assert_close(r.slices, torch.tensor(expected, dtype=torch.float64))
    assert r.distance == pytest.approx(r.slices.mean().item())
    assert r.standard_error == pytest.approx((r.slices.std() / 20**0.5).item()) and r.order == 1


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sizes", [(40, 40), (40, 64)])
def test_agrees_with_pot(sizes, order):
    ot = pytest.importorskip("ot")
    a, b = cloud(sizes[0]), 2 * cloud(sizes[1], seed=1) + 1
    theta = random_directions(50, 5)
    expected = ot.sliced_wasserstein_distance(a, b, projections=theta.T, p=order)
    assert sliced_wasserstein(a, b, directions=theta, order=order).distance == pytest.approx(expected.item())


def test_repeated_points_change_nothing():
    a, b = cloud(30), cloud(30, seed=1)
    once = sliced_wasserstein(a, b, 50)
    torch.testing.assert_close(sliced_wasserstein(a, b.repeat(3, 1), 50).slices, once.slices)
    assert sliced_wasserstein(a, a[torch.arange(29, -1, -1)], 50).distance == pytest.approx(0, abs=1e-15)


def test_standard_error_of_the_root():
    a, b = cloud(30), 3 * cloud(30, seed=1)
    runs = [sliced_wasserstein(a, b, 100, torch.Generator().manual_seed(s), order=2) for s in range(200)]
    spread = torch.tensor([r.distance for r in runs]).std().item()
    assert spread == pytest.approx(torch.tensor([r.standard_error for r in runs]).mean().item(), rel=0.2)
    assert math.isnan(sliced_wasserstein(a, b, 1).standard_error)


def test_chunks_give_the_same(monkeypatch):
    a, b = cloud(30), cloud(20, seed=1)
    whole = sliced_wasserstein(a, b, 33)
    monkeypatch.setattr(sliced, "_CHUNK", 100)  # two directions at a time
    torch.testing.assert_close(sliced_wasserstein(a, b, 33).slices, whole.slices)


def test_directions_are_uniform_seeded_and_of_length_one():
    v = random_directions(20000, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(v.norm(dim=1), torch.ones(20000, dtype=torch.float64))
    torch.testing.assert_close(v.T @ v / 20000, torch.eye(3, dtype=torch.float64) / 3, atol=0.01, rtol=0)
    a, b = cloud(30), cloud(20, seed=1)
    state = torch.get_rng_state()
    runs = [sliced_wasserstein(a, b, 9, torch.Generator().manual_seed(s)).distance for s in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    assert sliced_wasserstein(a, b, 9).distance == sliced_wasserstein(a, b, 9).distance
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype, rtol", [(torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 2e-2)])
def test_dtypes(dtype, rtol):
    a, b = cloud(300), cloud(200, seed=1) + 1
    expected = sliced_wasserstein(a, b, 50).distance
    assert sliced_wasserstein(a.to(dtype), b.to(dtype), 50).distance == pytest.approx(expected, rel=rtol)
    assert sliced_wasserstein(a.to(dtype), b, 50).distance == pytest.approx(expected, rel=rtol)
    rounded = a.to(dtype), b.to(dtype)  # only the data are rounded, not their projections
    exact = sliced_wasserstein(*(x.double() for x in rounded), 50).distance
    assert sliced_wasserstein(*rounded, 50).distance == pytest.approx(exact, rel=1e-5)


def test_plot_is_the_histogram():
    r = sliced_wasserstein(cloud(30), cloud(20, seed=1), 200)
    ax = r.plot()
    heights = torch.tensor([p.get_height() for p in ax.patches])
    assert heights.tolist() == torch.histc(r.slices, 30, *r.slices.aminmax()).tolist()
    assert ax.lines[0].get_xdata()[0] == r.distance and ax.get_xlabel() == "W1 of a projection"


def test_bad_input():
    a = cloud(4)
    with pytest.raises(ValueError, match="differ in D"):
        sliced_wasserstein(a, cloud(4, 3))
    with pytest.raises(ValueError, match=r"a has the shape \(S, D\)"):
        sliced_wasserstein(a[0], a)
    with pytest.raises(ValueError, match="b has to be finite"):
        sliced_wasserstein(a, a * torch.nan)
    with pytest.raises(ValueError, match="unit vectors"):
        sliced_wasserstein(a, a, directions=2 * torch.eye(5))
    with pytest.raises(ValueError, match="unit vectors"):
        sliced_wasserstein(a, a, directions=torch.eye(4))
    with pytest.raises(ValueError, match="1 or more, not 0 and 1"):
        sliced_wasserstein(a, a, 0)
    with pytest.raises(ValueError, match="1 or more, not 1000 and 0.5"):
        sliced_wasserstein(a, a, order=0.5)
