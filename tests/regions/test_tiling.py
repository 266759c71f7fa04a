"""Every hidden pixel is filled from exactly one square, which holds it, sees something, and shows it to the prior."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vipaint_pyro.regions import Filled, tiles_of

LEAST = 16  # its core is 12 long


def holes(shape, *boxes):
    hidden = np.zeros(shape, bool)
    for left, top, right, bottom in boxes:
        hidden[top:bottom, left:right] = True
    return hidden


def places(tiles):
    return [(t.left, t.top, t.side) for t in tiles]


@pytest.mark.parametrize(
    "shape, box, place",
    [
        ((64, 64), (30, 30, 34, 34), (24, 24, 16)),  # the hole in the middle of a square of the prior's size
        ((64, 64), (26, 30, 38, 31), (24, 22, 16)),  # as long as its core: where auto would take 24
        ((64, 64), (20, 20, 30, 30), (15, 15, 20)),  # twice as long as it is thick, where that is more
        ((64, 64), (0, 30, 2, 32), (0, 23, 16)),  # moved into the picture
        ((64, 64), (0, 0, 5, 64), (-0, 22, 20)),  # thick: what is beyond the border is not known
        ((10, 64), (30, 4, 32, 5), (23, -3, 16)),  # a picture lower than the prior
        ((24, 20), (0, 0, 20, 23), (-2, 0, 24)),  # all but a line: a square that holds the picture holds the hole
    ],
)  # fmt: skip
def test_where_a_hole_lies_that_one_square_suits(shape, box, place):
    hidden = holes(shape, box)
    first = tiles_of(hidden, LEAST)[0]
    if box != (0, 0, 5, 64):
        assert places(tiles_of(hidden, LEAST)) == [place]
        assert (first.crop(hidden) == first.own).all()
    else:
        assert first.side == place[2] and first.left == 0


def test_a_line_is_cut_into_equal_parts_the_second_of_each_two_last():
    """60 long, five parts of 12; the squares of every second one do not see each other's part."""
    hidden = holes((40, 100), (20, 19, 80, 20))
    tiles = tiles_of(hidden, LEAST)
    assert places(tiles) == [(x, 11, 16) for x in (18, 42, 66, 30, 54)]
    assert [int(t.own.sum()) for t in tiles] == [12] * 5
    assert not any(a.sees(b) for a in tiles[:3] for b in tiles[:3] if a is not b)
    assert len(tiles_of(holes((40, 100), (20, 19, 33, 20)), LEAST)) == 2  # one pixel longer than a core
    assert tiles[3].sees(tiles[0]) and tiles[3].sees(tiles[1]) and not tiles[3].sees(tiles[2])


def test_a_blob_on_a_wire_is_seen_smaller_and_the_wire_at_its_own_pixels():
    hidden = holes((100, 200), (20, 40, 60, 80), (60, 60, 180, 61))
    sides = {t.side: t for t in tiles_of(hidden, LEAST)}
    assert set(sides) == {LEAST, 80} and sides[80].own.sum() >= 40 * 40


def test_specks_near_each_other_share_a_square_and_are_never_cut():
    hidden = np.zeros((100, 100), bool)
    hidden[10:90:4, 10:90:4] = True  # 20 x 20 of them, four pixels apart: three fit into twelve
    tiles = tiles_of(hidden, LEAST)
    assert len(tiles) == 49 and max(int(t.own.sum()) for t in tiles) == 9
    near = holes((64, 64), (10, 10, 13, 13), (15, 10, 18, 13), (50, 50, 53, 53))
    assert [int(t.own.sum()) for t in tiles_of(near, LEAST)] == [18, 9]


@pytest.mark.parametrize("hidden", [np.zeros((20, 20), bool), np.ones((20, 20), bool)])
def test_nothing_to_fill_and_nothing_known_are_refused(hidden):
    with pytest.raises(ValueError, match="nothing"):
        tiles_of(hidden, LEAST)


@st.composite
def any_hole(draw):
    """Strokes of any thickness, some to the border and beyond it, and dust, in pictures of any shape."""
    height, width = draw(st.integers(5, 90)), draw(st.integers(5, 90))
    away = np.ones((height, width))
    for _ in range(draw(st.integers(1, 3))):
        one = np.ones((height, width))
        ends = [(draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))) for _ in range(2)]
        steps = np.linspace(0, 1, 200)
        rows, columns = (np.rint(a + steps * (b - a)).astype(int) for a, b in zip(*ends))
        one[rows, columns] = 0
        away *= ndimage.distance_transform_edt(one) > draw(st.integers(0, 12))
    hidden = away == 0
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    hidden |= rng.random(hidden.shape) < draw(st.sampled_from([0, 0, 0.01, 0.3]))
    hidden[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = False
    hidden[0, 0] |= not hidden.any()
    return hidden


@settings(max_examples=60, deadline=None, derandomize=True)
@given(any_hole(), st.sampled_from([8, 16]))
def test_any_hole_is_filled_once_from_squares_that_hold_see_and_show_it(hidden, least):
    unit = np.random.default_rng(0).random((1, *hidden.shape), np.float32)
    filled, times = Filled(unit, hidden), np.zeros(hidden.shape, int)
    tiles = tiles_of(hidden, least)
    seen = []
    for k, tile in enumerate(tiles):
        rows, columns = tile.pixels()
        np.add.at(times, (rows, columns), 1)
        assert tile.inside(rows, columns).all() and tile.side >= least and len(rows)
        before = filled.before(tile)
        assert before == [j for j, other in enumerate(tiles[:k]) if tile.sees(other)]
        seen.append(bool(before))
        if tile.side > least and tile.crop(~hidden).mean() < 1 / 16:
            return  # so little is known that it may be gone at the prior's size
        images, known = filled.views(tile, least)  # refuses a hole that is gone at the prior's size
        assert known.any() and len(images) == (2 if before else 1)
        filled.fill(tile, np.repeat(images[:1], 2, 0))
    assert (times == hidden).all()
    assert seen == sorted(seen)  # those that need one fit for all samples come first
