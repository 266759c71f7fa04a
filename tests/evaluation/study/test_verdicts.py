"""Student's t against the tables' values, and what a difference is called."""

import math

import pytest

from vipaint_pyro.evaluation.study.verdicts import NEITHER, beyond, verdict


@pytest.mark.parametrize(
    "images, t", [(2, 12.7062047362), (3, 4.3026527297), (10, 2.2621571628), (100, 1.9842169516), (10**7, 1.9599642218)]
)
def test_students_t_at_the_95_percent_level(images, t):
    assert beyond(images) == pytest.approx(t, rel=1e-8)


def test_one_image_has_no_error():
    assert math.isnan(beyond(1)) and math.isnan(beyond(0))
    assert verdict(-1.0, math.nan, 1, -1) == "open so far (n = 1)"


@pytest.mark.parametrize(
    "difference, images, better, said",
    [
        (12.8, 2, 1, "ahead so far (n = 2)"),
        (12.6, 2, 1, "open so far (n = 2)"),
        (-12.8, 2, 1, "behind so far (n = 2)"),
        (2.02, 99, -1, "behind so far (n = 99)"),
        (1.99, 100, 1, "better"),
        (1.99, 100, -1, "worse"),
        (1.98, 100, 1, "no lead"),
        (50.0, 100, 0, NEITHER),
    ],
)
def test_what_a_difference_of_so_many_errors_is_called(difference, images, better, said):
    assert verdict(difference, 1.0, images, better) == said
