"""Errors on Gaussian priors: what the columns are of known draws, and which samplers are exact where."""

import pytest
import torch

from vipaint_pyro.evaluation.gaussian_errors import COLUMNS, errors, gaussian_problem
from vipaint_pyro.samplers.registry import make_sampler

LEFT = (torch.arange(4) < 2).expand(4, 4)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def mean(values):
    return sum(values) / len(values)


def test_exact_draws_have_no_errors_but_their_own():
    problem = gaussian_problem(4, 3.0, LEFT, 0.1)
    found = errors(problem, problem.posterior().sample(20_000, seeded(0)), 5)
    assert list(found) == list(COLUMNS) and all(len(v) == 4 for v in found.values())
    assert max(found["mean_hidden"]) < 0.03 and max(found["mean_seen"]) < 0.003
    for name in ("std_hidden", "std_seen"):
        assert found[name] == pytest.approx([1.0] * 4, abs=0.02)
    # A Gaussian fitted to S draws in d dimensions is (d + 3) / (4 S) nats per dimension away, in the mean.
    assert mean(found["kl_hidden"]) == pytest.approx(11 / 80_000, rel=0.5)
    assert max(found["sliced_w1"]) < 0.02


def test_known_errors_are_measured():
    problem = gaussian_problem(4, 3.0, LEFT, 0.1)
    posterior = problem.posterior()
    x = posterior.sample(20_000, seeded(0))
    wide = posterior.mean + 1.5 * (x - posterior.mean)
    found = errors(problem, wide, 2)
    assert found["std_hidden"] == pytest.approx([1.5] * 4, abs=0.03)
    kl = 0.5 * (1.5**2 - 1) - torch.tensor(1.5).log()
    assert found["kl_hidden"] == pytest.approx([float(kl)] * 4, abs=0.03)
    std = posterior.variance.sqrt()
    found = errors(problem, x + 0.7 * std, 2)
    assert found["mean_hidden"] == pytest.approx([0.7] * 4, abs=0.03)
    seen = LEFT.flatten()
    expected = (0.7 * std.flatten(1)[:, seen]).square().mean(1).sqrt().tolist()
    assert found["mean_seen"] == pytest.approx(expected, abs=0.005)


def test_without_noise_the_posterior_holds_y():
    problem = gaussian_problem(4, 3.0, LEFT)
    posterior, observed = problem.posterior(), problem.measurement.operator.observed
    torch.testing.assert_close(posterior.mean[observed], problem.truth[observed], rtol=0, atol=1e-9)
    assert "std_seen" not in errors(problem, posterior.sample(10, seeded(0)))
    flat = posterior.mean.expand(50, 4, 1, 4, 4)
    assert errors(problem, flat)["kl_hidden"] == [float("inf")] * 4


def test_the_prior_is_the_one_described():
    problem = gaussian_problem(3, 2.0, torch.ones(3, 3, dtype=torch.bool), 0.0, 40_000, seed=3)
    pixels = problem.truth.flatten(1)
    corr = torch.corrcoef(pixels.T)
    assert pixels.std(0) == pytest.approx([0.5] * 9, abs=0.01)
    assert float(corr[0, 1]) == pytest.approx(float(torch.tensor(-0.5).exp()), abs=0.01)
    assert float(corr[0, 4]) == pytest.approx(float(torch.tensor(-(0.5**0.5)).exp()), abs=0.01)


@pytest.mark.parametrize(
    "arguments, words",
    [((0, 1.0, LEFT), "size"), ((4, -1.0, LEFT), "length"), ((4, 1.0, LEFT, -0.1), "sigma"),
     ((3, 1.0, LEFT), "observed is bool"), ((4, 1.0, LEFT.double()), "observed is bool")],
)  # fmt: skip
def test_what_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        gaussian_problem(*arguments)


def drawn(problem, name, num_samples=600, **settings):
    images = make_sampler(name, **settings)(problem.prior, problem.measurement, num_samples, seeded(1)).images
    return errors(problem, images)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, settings",
    [("ddnm", {}), ("ddnm", {"eta": 0.0}), ("repaint", {"jump_n_sample": 1}), ("blended", {}), ("dps", {}),
     ("pigdm", {}), ("mmps", {}), ("tmpd", {})],
)  # fmt: skip
def test_where_pixels_are_independent_the_hole_is_exact(name, settings):
    # Nothing seen says anything of the hole, and nothing pulls on it: what is left is the steps' own error, 6 % of the
    # standard deviation at 100 ancestral steps and less than 1 % at 1,000.
    found = drawn(gaussian_problem(4, 0.0, LEFT), name, num_steps=1000, **settings)
    assert mean(found["mean_hidden"]) < 2 / 600**0.5
    assert mean(found["std_hidden"]) == pytest.approx(1, abs=0.03)
    assert mean(found["kl_hidden"]) < 2 * 11 / 2400


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddnm", "blended", "dps", "pigdm"])
def test_where_pixels_are_alike_more_steps_do_not_make_it_exact(name):
    # None of these knows how far what is seen decides the hole: a bias, not a fault.
    problem = gaussian_problem(4, 3.0, LEFT)
    exact = errors(problem, problem.posterior().sample(600, seeded(0)), 2)
    found = drawn(problem, name, num_steps=500)
    for column in ("mean_hidden", "kl_hidden"):
        assert mean(found[column]) > 4 * mean(exact[column])


@pytest.mark.slow
def test_where_pixels_are_alike_mmps_is_exact_with_iterations_enough():
    # It knows how far what is seen decides the hole: what is left is the steps' own error.
    problem = gaussian_problem(4, 3.0, LEFT, 0.2)
    few, enough = (drawn(problem, "mmps", num_steps=500, iterations=k) for k in (1, 8))
    assert mean(enough["mean_hidden"]) < 2 / 600**0.5 < mean(few["mean_hidden"])
    assert mean(enough["std_hidden"]) == pytest.approx(1, abs=0.03)
    assert mean(enough["std_seen"]) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_repaints_bias_falls_with_its_travel():
    problem = gaussian_problem(4, 3.0, LEFT)
    away = [
        mean(drawn(problem, "repaint", num_steps=50, jump_length=5, jump_n_sample=r)["mean_hidden"]) for r in (1, 3, 9)
    ]
    assert away[0] > 1.5 * away[1] and away[1] > 1.1 * away[2]


@pytest.mark.slow
def test_dps_without_a_pull_is_the_prior():
    problem = gaussian_problem(4, 3.0, LEFT)
    images = make_sampler("dps", num_steps=500, zeta=0.0)(problem.prior, problem.measurement, 600, seeded(1)).images
    nothing = gaussian_problem(4, 3.0, LEFT & False, 0.1)
    found = errors(nothing, images)
    assert mean(found["kl_hidden"]) < 2 * 19 / 2400


@pytest.mark.slow
def test_ddnm_puts_y_in_place_whatever_the_prior():
    found = drawn(gaussian_problem(4, 3.0, LEFT), "ddnm", 50)
    assert max(found["mean_seen"]) < 1e-9
