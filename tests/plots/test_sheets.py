"""Sheets of pictures: everything has its place, and nothing is cut."""

import numpy as np
import PIL.Image
import pytest

from vipaint_pyro.plots import grid

BLACK = PIL.Image.new("L", (4, 4))


def test_without_names_a_sheet_is_its_columns():
    assert grid([[BLACK] * 3] * 2, ["a", "b", "c"], side=20).size == (3 * 26 + 6, 22 + 2 * 26 + 6)


@pytest.mark.parametrize("names", [("a rather long name", "b"), ("two\nlines of it", "b\nc\nd")])
def test_names_stand_whole_on_the_left_and_labels_above(names):
    sheet = np.asarray(grid([[BLACK] * 2] * 2, ["one", "a\nb"], side=60, names=names).convert("L"))
    left = sheet.shape[1] - 2 * 66
    assert (sheet[:, :3] > 250).all() and (sheet[:2] > 250).all()  # a margin without ink
    assert (sheet[38:, 6 : left - 6] < 100).any() and (sheet[:38, left:] < 100).any()
    assert (sheet[:38, : left - 20] > 250).all()
    for row in range(2):
        assert (sheet[38 + 66 * row : 98 + 66 * row, left : left + 60] == 0).all()
