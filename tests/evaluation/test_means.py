"""Means over images, their standard errors and paired differences, by hand."""

import math

import pytest

from vipaint_pyro.evaluation.means import Mean, mean_of, paired


def test_means_by_hand():
    assert mean_of([1.0, 2.0, 3.0, 6.0]) == Mean(3.0, math.sqrt(14 / 3 / 4), 4)
    one, none = mean_of([5.0]), mean_of([])
    assert (one.mean, one.images) == (5.0, 1) and math.isnan(one.error)
    assert none.images == 0 and math.isnan(none.mean)
    values = [0.1 * k**3 for k in range(50)]
    assert mean_of(values) == mean_of(values[::-1])  # to the last bit
    endless = mean_of([20.0, math.inf])
    assert endless.mean == math.inf and math.isnan(endless.error)


def test_pairs_by_hand():
    assert paired([1.0, 3.0], [0.0, 1.0]) == Mean(1.5, 0.5, 2)
    with pytest.raises(ValueError):
        paired([1.0], [1.0, 2.0])
