"""The samples that differ most, on points whose answer is known."""

import pytest
import torch

from vipaint_pyro.plots import most_different

POINTS = torch.tensor([[0.0], [1.0], [10.0], [4.5], [9.0]]).double()


def test_points_on_a_line():
    """0 and 10 are farthest apart; 4.5 is farthest from both; 1 and 9 are then 1 away, and the lower comes first."""
    assert most_different(POINTS) == [0, 2, 3, 1, 4]
    assert [most_different(POINTS, k) for k in (1, 2, 3)] == [[0], [0, 2], [0, 2, 3]]


def test_the_order_of_samples_decides_only_between_equals():
    corners = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.4, 0.5]])
    assert most_different(corners, 4) == [0, 1, 2, 3]
    assert most_different(torch.zeros(3, 2, 2)) == [0, 1, 2]  # all the same
    assert most_different(POINTS.flip(0), 3) == [2, 4, 1]


def test_distances_of_ones_own():
    apart = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 9.0], [2.0, 9.0, 0.0]])
    assert most_different(torch.zeros(3, 1), distances=apart) == [1, 2, 0]


@pytest.mark.parametrize("k", [0, 6, True, 2.0])
def test_another_number_is_refused(k):
    with pytest.raises(ValueError, match="1 to the 5 samples"):
        most_different(POINTS, k)


def test_what_is_no_sample_is_refused():
    with pytest.raises(ValueError, match="S >= 1"):
        most_different(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="finite"):
        most_different(torch.tensor([[0.0], [float("nan")]]))
    with pytest.raises(TypeError, match="tensor"):
        most_different([[0.0]])
    with pytest.raises(ValueError, match=r"\(5, 5\)"):
        most_different(POINTS, distances=torch.zeros(2, 2))
