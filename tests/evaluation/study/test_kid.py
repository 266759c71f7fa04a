"""KID: known values, no bias, and a standard error that is its spread."""

import itertools
import math

import pytest
import torch

from vipaint_pyro.evaluation.study.kid import kid


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def kernel(x, y):
    return (float(x @ y) / len(x) + 1) ** 3


def test_pair_by_pair():
    a, b = normal(5, 3, 2), normal(5, 2, seed=1)
    h = [
        sum(kernel(x, y) for x in a[i] for y in a[j]) / 9
        + kernel(b[i], b[j])
        - sum(kernel(x, b[j]) for x in a[i]) / 3
        - sum(kernel(x, b[i]) for x in a[j]) / 3
        for i, j in itertools.permutations(range(5), 2)
    ]
    assert kid(a, b)[0] == pytest.approx(sum(h) / 20, abs=1e-12)


def test_the_error_of_a_pair_set_is_hoeffdings_written_out():
    a, b = normal(6, 1, 2) + 1, normal(6, 2, seed=1)
    h = {
        (i, j): kernel(a[i, 0], a[j, 0]) + kernel(b[i], b[j]) - kernel(a[i, 0], b[j]) - kernel(a[j, 0], b[i])
        for i, j in itertools.permutations(range(6), 2)
    }

    def mean(values):
        values = list(values)
        return sum(values) / len(values)

    apart = mean(h[i, j] * h[k, m] for i, j, k, m in itertools.permutations(range(6), 4))
    shared = mean(h[i, j] * h[i, k] for i, j, k in itertools.permutations(range(6), 3))
    alike = mean(v**2 for v in h.values())
    expected = (4 * 4 * max(shared - apart, 0) + 2 * (alike - apart)) / 30
    assert kid(a, b)[1] == pytest.approx(math.sqrt(expected), rel=1e-10)


def test_the_error_of_other_real_images_is_the_jackknifes_written_out():
    a, b = normal(5, 2, 3) + 0.5, normal(6, 3, seed=1)
    without_a = torch.tensor([kid(a[torch.arange(5) != i], b, paired=False)[0] for i in range(5)]).double()
    without_b = torch.tensor([kid(a, b[torch.arange(6) != i], paired=False)[0] for i in range(6)]).double()
    variance = sum((v - v.mean()).square().sum() * (len(v) - 1) / len(v) for v in (without_a, without_b))
    assert kid(a, b, paired=False)[1] == pytest.approx(variance.sqrt().item(), rel=1e-5)


def test_one_dimension_by_hand():
    # a = {0, 1}, b = {1, 2}: k(0, .) = 1, k(1, 1) = 8, k(1, 2) = 27
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    assert kid(a, b)[0] == 1 + 27 - 1 - 8
    assert kid(a, b, paired=False)[0] == 1 + 27 - 2 * (1 + 1 + 8 + 27) / 4


def drawn(n, samples, shift, seed, own=0.8):
    """Samples that have their image in common with each other and with its truth, N(shift, I) and N(0, I)."""
    common = normal(n, 1, 3, seed=3 * seed)
    rest = math.sqrt(1 - own**2)
    a = own * common + rest * normal(n, samples, 3, seed=3 * seed + 1) + shift
    b = own * common[:, 0] + rest * normal(n, 3, seed=3 * seed + 2)
    return a, b


def exact_kid(shift):
    """Of N(shift e, I) to N(0, I) in 3 dimensions, e = (1, 1, 1): E (x.y / 3 + 1)^3 in closed form.

    For independent x ~ N(m, I) and y ~ N(m', I), u = x.y has the moments m.m', |m|^2 + |m'|^2 + d + (m.m')^2, and
    (m.m')^3 + 3 m.m' (|m|^2 + |m'|^2 + d) + 6 m.m'.
    """

    def expected(s, t):
        dot, size = 3 * s * t, 3 * s * s + 3 * t * t + 3
        first, second, third = dot, size + dot**2, dot**3 + 3 * dot * size + 6 * dot
        return third / 27 + second / 3 + first + 1

    return expected(shift, shift) + expected(0, 0) - 2 * expected(shift, 0)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_no_bias_and_an_error_that_is_the_spread(shift, paired):
    values, errors = [], []
    for seed in range(400):
        a, b = drawn(25, 4, shift, seed)
        if not paired:
            _, b = drawn(40, 1, 0.0, 1000 + seed)  # other real images
        value, error = kid(a, b, paired)
        values.append(value)
        errors.append(error)
    values, errors = torch.tensor(values), torch.tensor(errors)
    assert abs(values.mean() - exact_kid(shift)) < 3.5 * values.std() / 20
    ratio = (errors.square().mean().sqrt() / values.std()).item()
    upper = 1.15 if paired or shift else 1.6  # the jackknife is too wide where nothing differs
    assert 0.85 < ratio < upper, ratio


def test_pairs_that_hold_the_truth_are_not_counted():
    """Samples that are the truth itself: the textbook's estimator is below 0 in expectation, this one is 0."""
    values = [(kid(b, b)[0], kid(b, b, paired=False)[0]) for b in (normal(20, 3, seed=s) for s in range(50))]
    ours, textbook = zip(*values)
    assert max(map(abs, ours)) < 1e-12
    assert sum(textbook) / 50 < -0.1


def test_samples_of_one_image_are_no_images():
    """Ten samples that are alike tell no more than one."""
    a, b = drawn(30, 1, 0.4, 0)
    assert kid(a.expand(-1, 10, -1), b) == pytest.approx(kid(a, b), rel=1e-9)
    assert kid(a[:, 0], b) == kid(a, b)


def test_agrees_with_torch_fidelity():
    metric = pytest.importorskip("torch_fidelity.metric_kid")
    a, b = normal(30, 7) + 0.3, normal(30, 7, seed=1)
    options = {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    k = [metric.kernel_poly(x.numpy(), y.numpy(), **options) for x, y in ((a, a), (a, b), (b, b))]
    assert kid(a, b, paired=False)[0] == pytest.approx(float(metric.mmd2(*k, mmd_est="unbiased")), abs=1e-12)
    assert kid(a, b)[0] == pytest.approx(float(metric.mmd2(*k, mmd_est="u-statistic")), abs=1e-12)


def test_agrees_with_torch_fidelitys_values():
    # The same by torch-fidelity 0.4.0 as it was: mmd_est "unbiased" and "u-statistic".
    x = torch.arange(12, dtype=torch.float64).reshape(4, 3)
    a, b = torch.sin(x), torch.cos(1.3 * x) + 0.2
    assert kid(a, b, paired=False)[0] == pytest.approx(-0.529487886636387, abs=1e-12)
    assert kid(a, b)[0] == pytest.approx(-1.159387176717189, abs=1e-12)


def test_parts_are_the_whole(monkeypatch):
    a, b = drawn(9, 2, 0.4, 0)
    whole = kid(a, b)
    monkeypatch.setattr("vipaint_pyro.evaluation.study.kid._CHUNK", 40)
    assert kid(a, b) == pytest.approx(whole, rel=1e-12)


def test_three_images_have_a_distance_and_no_error():
    a, b = drawn(3, 2, 0.4, 0)
    for paired in (True, False):
        value, error = kid(a, b, paired)
        assert math.isfinite(value) and math.isnan(error)


@pytest.mark.parametrize(
    "a, b, message",
    [
        (torch.zeros(3, 2, 4), torch.zeros(3, 5), "differ in F"),
        (torch.zeros(4), torch.zeros(3, 4), r"a has the shape \(N, S, F\)"),
        (torch.zeros(3, 4), torch.full((3, 4), math.nan), "b has to be finite"),
        (torch.zeros(1, 4), torch.eye(4), "two images of each or more, but there are 1 and 4"),
        (torch.zeros(3, 4), torch.eye(4), "a is of 3 images, b of 4.*paired=False"),
        (torch.zeros(8, 4), torch.eye(4).repeat(2, 1), "given once, but b holds 8 of which 4 are distinct"),
    ],
)
def test_what_is_no_two_sets_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        kid(a, b)
