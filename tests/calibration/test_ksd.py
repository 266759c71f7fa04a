"""The Stein kernel against automatic differentiation, and the discrepancy where its value is known."""

import math

import pytest
import torch

from vipaint_pyro.calibration import ksd, stein_kernel


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_stein_kernel_is_the_operator_applied_twice():
    x, y, sx, sy = draw(4, 3), draw(4, 3, seed=1), draw(4, 3, seed=2), draw(4, 3, seed=3)
    c = 0.7

    def kernel(a, b):
        return (c**2 + (a - b).square().sum()) ** -0.5

    value = stein_kernel(x, sx, y, sy, c)
    for i in range(4):
        for j in range(4):
            k = kernel(x[i], y[j])
            dx, dy = torch.autograd.functional.jacobian(kernel, (x[i], y[j]))
            cross = torch.autograd.functional.hessian(kernel, (x[i], y[j]))[0][1]
            expected = sx[i] @ sy[j] * k + sx[i] @ dy + sy[j] @ dx + cross.trace()
            torch.testing.assert_close(value[i, j], expected)


def test_one_sample_by_hand():
    r = ksd(torch.zeros(1, 4), torch.tensor([[1.0, 2.0, 0.0, 0.0]]), c=0.5)
    # u = |s|^2 / c + D / c^3 = 10 + 32
    assert r.discrepancy == pytest.approx(math.sqrt(42 / 4)) and r.floor == r.discrepancy


def test_sum_over_pairs():
    x, s = draw(30, 5), draw(30, 5, seed=1)
    r = ksd(x, s, c=0.7)
    u = stein_kernel(x, s, x, s, 0.7)
    assert r.discrepancy == pytest.approx(math.sqrt(u.sum().item() / 5) / 30)
    assert r.floor == pytest.approx(math.sqrt(u.diagonal().mean().item() / 150))
    torch.testing.assert_close(r.contributions, u.sum(1) / 150)
    assert r.verdict.startswith(f"KSD {r.discrepancy:.3g} (")


def test_exact_draws_are_at_the_floor_and_others_are_not():
    x = draw(600, 40, 4, seed=1)
    runs = [ksd(v, -v) for v in x]
    square = torch.tensor([r.discrepancy**2 for r in runs], dtype=torch.float64)
    floor = torch.tensor([r.floor**2 for r in runs], dtype=torch.float64)
    excess = square - floor
    assert abs(excess.mean()) < 4 * excess.std() / 600**0.5 < 0.05 * floor.mean()
    many = x.reshape(-1, 4)[:600]
    assert ksd(many, -many).discrepancy < 1.5 * ksd(many, -many).floor
    for wrong in (many + 0.5, 2 * many, 0 * many):
        assert ksd(wrong, -wrong).discrepancy > 2 * ksd(many, -many).floor


def test_published_value_of_the_exact_posterior():
    # arXiv:2602.04189, appendix B: 100 exact draws of the problem A1 with noise 0.2 have KSD 0.36.
    s = torch.linspace(0.1, 0.75, 14, dtype=torch.float64)
    truth = torch.tensor([0.5, -0.5, 1, 0.8, -0.6, 1.1, -0.9, 0.4, 0, -1.2, 0.7, -0.3, 0.5, -0.8], dtype=torch.float64)
    precision = 1 + s**2 / 0.04
    mean = s * (s * truth + 0.2 * draw(14)) / 0.04 / precision
    c = 1 / (torch.cat([s, torch.zeros(2)]).quantile(0.5).item() + 1)
    values = []
    for seed in range(5):
        seen = mean + draw(100, 14, seed=seed + 1) / precision.sqrt()
        far = torch.rand(100, 1, generator=torch.Generator().manual_seed(seed + 9), dtype=torch.float64) < 0.2
        hidden = torch.where(far, 3 + 2**0.5 * draw(100, 2, seed=seed + 20), draw(100, 2, seed=seed + 30))
        near = torch.log(torch.tensor(0.8)) - hidden.square().sum(1) / 2
        away = torch.log(torch.tensor(0.1)) - (hidden - 3).square().sum(1) / 4  # 0.2 / the variance of 2, in 2-D
        r = torch.sigmoid(near - away)[:, None]
        scores = torch.cat([-r * hidden - (1 - r) * (hidden - 3) / 2, -(seen - mean) * precision], 1)
        values.append(ksd(torch.cat([hidden, seen], 1), scores, c).discrepancy)
    assert sum(values) / 5 == pytest.approx(0.36, abs=0.04)


def test_contributions_mark_the_sample_out_of_place():
    x = draw(50, 3)
    x[17] += 6
    assert ksd(x, -x).contributions.argmax() == 17


def test_place_blocks_and_dtype(monkeypatch):
    x, s = draw(30, 5), draw(30, 5, seed=1)
    r = ksd(x, s)
    assert ksd(x + 1e6, s).discrepancy == pytest.approx(r.discrepancy, rel=1e-6)
    assert ksd(x.float(), s.float()).discrepancy == pytest.approx(r.discrepancy, rel=1e-6)
    monkeypatch.setitem(ksd.__globals__, "_ROWS", 7)
    torch.testing.assert_close(ksd(x, s).contributions, r.contributions)


def test_plot_shows_sorted_contributions():
    x = draw(30, 5)
    r = ksd(x, -x)
    dots, line = r.plot().lines
    assert dots.get_ydata().tolist() == sorted(r.contributions.tolist())
    assert line.get_ydata()[0] == pytest.approx(r.floor**2)


def test_bad_input():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="scores have the shape of samples"):
        ksd(x, x[:2])
    with pytest.raises(ValueError, match="samples has to be finite"):
        ksd(x * torch.nan, x)
    with pytest.raises(ValueError, match=r"samples has the shape \(N, D\)"):
        ksd(x[0], x)
    for c in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="c is a positive number"):
            ksd(x, x, c)
