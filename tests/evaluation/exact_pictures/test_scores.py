"""Scores against values by hand."""

import math

import pytest
import torch

from vipaint_pyro.evaluation.exact_pictures.atoms import STD, Atoms
from vipaint_pyro.evaluation.exact_pictures.problems import Problem
from vipaint_pyro.evaluation.exact_pictures.scores import OFF, class_distance, effective_number, nearest, score
from vipaint_pyro.exact.masked import MaskedPosterior
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    "shares, number", [((1, 0, 0), 1), ((0.5, 0, 0.5), 2), ((0.25,) * 4, 4), ((0.5, 0.25, 0.25), 2**1.5)]
)
def test_effective_number(shares, number):
    assert effective_number(double(*shares)) == pytest.approx(number)


def test_class_distance_by_hand():
    shares, weights = double(0.5, 0.5, 0), double(0.25, 0.25, 0.5)
    one = torch.tensor([[0], [1], [1]])  # classes .5 and .5 against .25 and .75
    assert class_distance(shares, weights, one, (2,)) == pytest.approx(0.25)
    # A second label with the classes .5, .5, 0 against .25, .25, .5: half of .25 + .25 + .5.
    two = torch.tensor([[0, 0], [1, 1], [1, 2]])
    assert class_distance(shares, weights, two, (2, 3)) == pytest.approx((0.25 + 0.5) / 2)
    assert class_distance(double(1, 0, 0), double(0, 0, 1), one, (2,)) == pytest.approx(1)


def test_nearest_picture_and_its_distance():
    pictures = double(0, 1, -1).reshape(3, 1, 1, 1).expand(-1, 1, 2, 2)
    x = torch.stack([0.3 * torch.ones(1, 2, 2), -0.8 * torch.ones(1, 2, 2)]).double()
    x[0, 0, 0, 0] = 0.5
    which, distance = nearest(x, pictures)
    assert which.tolist() == [0, 2]
    torch.testing.assert_close(distance, double(math.sqrt((0.25 + 3 * 0.09) / 4), 0.2))


@pytest.fixture
def problem():
    """Three flat pictures, of which the upper half, seen, rules the third out and leaves the others equal."""
    images = double(0, 0, 1).reshape(3, 1, 1, 1).repeat(1, 1, 2, 2)
    images[1, 0, 1] = -1
    atoms = Atoms("flat", images, torch.tensor([[0], [1], [1]]), (2,), images[:0])
    observed = torch.tensor([[[[True, True], [False, False]]]])
    y = torch.where(observed, double(0.1), double(0))
    measurement = Measurement(Inpainting(observed), Gaussian(0.1), y)
    return Problem(atoms, measurement, images[:1], MaskedPosterior(atoms.prior, measurement))


def test_scores_of_samples_by_hand(problem):
    images = problem.atoms.images
    # One near the first picture, one on the second, two off the first: 0.06 and 1.5 * OFF from it.
    x = torch.stack([images[0] + 0.5 * STD, images[1], images[0] + 0.06, images[0] - 1.5 * OFF])[:, None]
    found = score(x, problem.posterior.sample(104, torch.Generator().manual_seed(0)), problem)
    assert found["class_tv"] == pytest.approx(0.25)  # 3/4 and 1/4 against 1/2 and 1/2
    assert found["pictures"] == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)))
    assert found["atoms"] == pytest.approx(2) and found["off"] == 0.5 and found["off_of_exact"] == 0
    assert found["seen_error"] == pytest.approx((0.09 + 0.1 + 0.04 + 0.16) / 4)
    assert 0.0 <= found["class_tv_of_exact"] <= 0.5 and 1 <= found["pictures_of_exact"] <= 2


def test_exact_draws_have_no_distance(problem):
    drawn = problem.posterior.sample(4100, torch.Generator().manual_seed(1))
    found = score(drawn[:2000], drawn[2000:], problem)
    assert found["class_tv"] < 0.04 and found["off"] < 0.02 and abs(found["energy_distance"]) < 0.02
    assert found["pictures"] == pytest.approx(2, abs=0.01)
