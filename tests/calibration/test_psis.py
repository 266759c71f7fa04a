"""PSIS by hand, on exact Pareto tails, against ArviZ, and where it has to decline."""

import math
import warnings

import pytest
import torch
from pyro.ops.stats import fit_generalized_pareto

from vipaint_pyro.calibration import psis


def pareto(k, size=4000, seed=0):
    """Log weights whose tail has exactly this shape: U^-k."""
    u = torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return -k * u.log()


def test_mean_and_its_error_by_hand():
    r = psis(torch.tensor([1.0, 3.0], dtype=torch.float64).log() - 700)
    assert r.log_mean.item() == pytest.approx(math.log(2) - 700)
    assert r.log_mean_standard_error.item() == pytest.approx(0.5)  # sqrt(2) / sqrt(2) over the mean 2
    assert r.smoothed.exp().tolist() == pytest.approx([0.25, 0.75]) and r.ess.item() == pytest.approx(1.6)
    assert math.isnan(r.k_hat) and r.verdict == "unknown (too few draws in the tail)"


@pytest.mark.parametrize("k, word", [(0.1, "good"), (0.4, "good"), (0.85, "unreliable"), (1.5, "no mean")])
def test_k_of_an_exact_pareto_tail(k, word):
    r = psis(torch.stack([pareto(k, 20000, seed) for seed in range(10)]))
    # 425 tail draws and a prior of 10 at k = 1/2.
    assert r.k_hat.mean().item() == pytest.approx((425 * k + 5) / 435, abs=0.04)
    assert r.words == [word] * 10 and r.verdict.startswith(f"10 {word} of 10 (largest k = ")


def test_evidence_of_a_conjugate_gaussian():
    # x ~ N(0, 1), y | x ~ N(x, 1), y = 1; the proposal is the posterior N(1/2, 1/2), somewhat wider.
    g, normal = torch.Generator().manual_seed(0), torch.distributions.Normal
    q = normal(torch.tensor(0.5, dtype=torch.float64), 0.8)
    x = q.loc + q.scale * torch.randn(50, 2500, generator=g, dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64)
    r = psis(normal(0 * one, one).log_prob(x) + normal(x, one).log_prob(one) - q.log_prob(x))
    z = (r.log_mean - normal(0 * one, 2**0.5).log_prob(one)) / r.log_mean_standard_error
    assert abs(z.mean().item()) < 4 / 50**0.5 and z.std().item() == pytest.approx(1, abs=0.3)
    assert r.words == ["good"] * 50


@pytest.mark.parametrize("size", [25, 100, 1000, 3001])
def test_agrees_with_arviz(size):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ announces its next version when imported
        arviz = pytest.importorskip("arviz")
    if not hasattr(arviz, "psislw"):
        pytest.skip("this ArviZ has no psislw")
    g = torch.Generator().manual_seed(size)
    rows = torch.randn(6, size, generator=g, dtype=torch.float64) * torch.tensor([0.1, 0.5, 1, 2, 8, 600])[:, None]
    smoothed, k = arviz.psislw(rows.numpy().copy())
    k = torch.as_tensor(k)
    r = psis(rows)
    torch.testing.assert_close(r.k_hat, k.where(k < math.inf, math.nan), rtol=0, atol=1e-9, equal_nan=True)
    torch.testing.assert_close(r.smoothed, torch.as_tensor(smoothed), rtol=0, atol=1e-8)


def test_order_body_and_largest_weight_stay():
    raw = pareto(0.9)[torch.randperm(4000, generator=torch.Generator().manual_seed(1))]
    r = psis(raw)
    assert torch.equal(r.smoothed.argsort()[:-5], raw.argsort()[:-5])  # the last may tie at the maximum
    assert (r.smoothed[raw.argsort()].diff() >= 0).all()
    shift = r.smoothed - raw
    body = raw.argsort()[: -math.ceil(3 * 4000**0.5)]
    torch.testing.assert_close(shift[body], shift[body[0]].expand(len(body)))
    assert (r.smoothed.max() - shift[body[0]]).item() <= raw.max().item() + 1e-12
    assert r.smoothed.logsumexp(0).item() == pytest.approx(0, abs=1e-12)
    assert not torch.allclose(shift, shift[body[0]].expand(4000))
    assert r.ess.item() == pytest.approx(1 / r.smoothed.exp().square().sum().item())


def test_threshold():
    assert psis(pareto(0.3, 1000)).threshold == pytest.approx(2 / 3)
    assert psis(pareto(0.3, 2200)).threshold == 0.7
    assert psis(torch.zeros(1)).threshold == -math.inf


def test_rows_are_separate_along_any_axis():
    x = torch.stack([pareto(k, 500, 3) for k in (0.2, 0.7, 1.2)]).reshape(3, 1, 500)
    r, moved = psis(x), psis(x.movedim(-1, 0), dim=0)
    assert r.k_hat.shape == r.ess.shape == r.log_mean.shape == (3, 1) and moved.smoothed.shape == (500, 3, 1)
    assert torch.equal(moved.smoothed.movedim(0, -1), r.smoothed) and torch.equal(moved.k_hat, r.k_hat)
    for i in range(3):
        alone = psis(x[i, 0])
        assert torch.equal(alone.smoothed, r.smoothed[i, 0]) and torch.equal(alone.k_hat, r.k_hat[i, 0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equal_weights_are_the_best(dtype):
    noise = torch.finfo(dtype).eps * 1000 * torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=dtype)
    r = psis(noise - 1000)
    assert r.k_hat == -math.inf and r.verdict.startswith("good (k = -inf") and r.smoothed.dtype == torch.float64
    assert r.ess.item() == pytest.approx(400, rel=1e-5) and r.log_mean.item() == pytest.approx(-1000, rel=1e-5)


def test_too_few_draws_or_distinct_draws():
    for x in (pareto(0.3, 24), torch.cat([torch.zeros(96), torch.arange(1, 5.0)]).double()):
        r = psis(x)
        assert math.isnan(r.k_hat) and r.words == ["unknown (too few draws in the tail)"]
        torch.testing.assert_close(r.smoothed, x.log_softmax(0))
    assert math.isfinite(psis(pareto(0.3, 25)).k_hat)
    assert math.isfinite(psis(torch.cat([torch.zeros(95), torch.arange(1, 6.0)])).k_hat)


def test_zero_weights_count():
    x = pareto(0.3, 1000)
    r = psis(torch.cat([x, torch.full((1000,), -math.inf, dtype=x.dtype)]))
    assert r.log_mean.item() == pytest.approx(x.exp().mean().log().item() - math.log(2))
    assert (r.smoothed[1000:] == -math.inf).all() and math.isfinite(r.k_hat)


def test_plot_shows_k_and_threshold():
    r = psis(torch.stack([pareto(k, 500) for k in (0.2, 0.7, 1.2)]))
    dots, threshold, one = r.plot().lines
    assert dots.get_ydata().tolist() == r.k_hat.tolist()
    assert threshold.get_ydata()[0] == r.threshold and one.get_ydata()[0] == 1


def test_bad_input():
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"log_weights has to be finite \(or -inf\): 1 of its 30"):
            psis(torch.cat([torch.zeros(29), torch.tensor([bad])]))
    with pytest.raises(ValueError, match="row without a positive weight"):
        psis(torch.stack([torch.zeros(30), torch.full((30,), -math.inf)]))
    for empty in (torch.zeros(()), torch.zeros(3, 0)):
        with pytest.raises(ValueError, match=r"log_weights has the shape \(\*, S\)"):
            psis(empty)
    with pytest.raises(ValueError, match="floating-point numbers, not torch.int64"):
        psis(torch.zeros(30, dtype=torch.long))


def test_the_tail_is_replaced_by_quantiles_of_the_fitted_pareto():
    # The 3 sqrt(400) = 60 largest: the j-th by the quantile (j - 1/2) / 60, none above the largest there was.
    clamped = 0
    for seed in range(6):
        raw = pareto(0.9, 400, seed)
        x = raw - raw.max()
        order = x.argsort()
        cutoff = x[order[-61]].item()
        k, sigma = fit_generalized_pareto(x[order[-60:]].exp() - math.exp(cutoff))
        p = (torch.arange(60, dtype=torch.float64) + 0.5) / 60
        quantiles = math.exp(cutoff) + sigma / k * ((1 - p) ** -k - 1)
        expected = x.clone()
        expected[order[-60:]] = quantiles.clamp_max(1).log()
        clamped += int((quantiles > 1).sum())
        r = psis(raw)
        assert r.k_hat.item() == pytest.approx(k)
        torch.testing.assert_close(r.smoothed, expected.log_softmax(0), rtol=1e-9, atol=1e-9)
    assert clamped


def test_rows_of_one_draw_are_asked_about():
    log_w = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0)).double()
    assert psis(log_w).verdict == "unknown (a row is one draw: is dim the axis of the draws?)"
    assert psis(log_w, dim=0).verdict.startswith("good")
