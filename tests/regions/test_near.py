"""What is shown of a large picture."""

import numpy as np
import PIL.Image
import pytest

from vipaint_pyro.regions import Region
from vipaint_pyro.regions.near import near, reduced


def squares(*places, side=64):
    return [Region(left, top, side, np.zeros((1, 1), bool)) for left, top in places]


@pytest.mark.parametrize(
    "places, size, boxes",
    [
        ([(0, 0)], (600, 400), []),  # a picture that is not large
        ([(100, 100)], (1000, 500), [(100, 100, 164, 164)]),
        ([(100, 100), (300, 200)], (1000, 500), [(100, 100, 364, 264)]),  # near enough for one box
        ([(-10, 10), (960, 480)], (1000, 500), [(0, 10, 54, 74), (960, 480, 1000, 500)]),
        ([(900, 0), (0, 400), (950, 40), (840, 60)], (1000, 500), [(840, 0, 1000, 124), (0, 400, 64, 464)]),
        ([(150 * k, 60 * k) for k in range(7)], (1000, 500), []),  # too many
        ([], (1000, 500), []),
    ],
)
def test_what_lies_around_holes_is_shown_and_apart_where_they_lie_apart(places, size, boxes):
    assert near(squares(*places), size) == boxes


def test_a_group_takes_in_every_one_that_its_box_then_touches():
    """The third joins the first two, though they do not touch each other."""
    found = near(squares((0, 0), (100, 0), (50, 50), (900, 430)), (1000, 500))
    assert found == [(0, 0, 164, 114), (900, 430, 964, 494)]


@pytest.mark.parametrize(
    "places, groups",
    [([(0, 0), (900, 60), (0, 400)], 3), ([(0, 0), (60, 400), (900, 0)], 3), ([(0, 0), (64, 64), (900, 430)], 2)],
)
def test_squares_in_the_same_rows_or_columns_are_apart(places, groups):
    assert len(near(squares(*places), (1000, 500))) == groups


def test_one_that_joins_two_groups_makes_one_of_them_and_of_what_that_touches():
    """The fourth joins the first two; their box then touches the third."""
    places = (0, 0), (120, 0), (-20, 100), (60, 60), (900, 430)
    assert near(squares(*places), (1000, 500)) == [(0, 0, 184, 164), (900, 430, 964, 494)]


def test_boxes_stand_side_by_side_at_their_own_pixels():
    pixels = np.random.default_rng(0).integers(0, 255, (100, 900, 3), dtype=np.uint8)
    picture = PIL.Image.fromarray(pixels)
    shown = np.asarray(reduced(picture, [(0, 10, 20, 40), (800, 50, 810, 60)]))
    assert shown.shape == (30, 38, 3)
    np.testing.assert_array_equal(shown[:, :20], pixels[10:40, :20])
    np.testing.assert_array_equal(shown[10:20, 28:], pixels[50:60, 800:810])
    assert (shown[:, 20:28] == 255).all() and (shown[:10, 28:] == 255).all()
    np.testing.assert_array_equal(np.asarray(reduced(picture, [(0, 10, 20, 40)])), pixels[10:40, :20])
    assert reduced(picture).size == (640, 71) and picture.size == (900, 100)
