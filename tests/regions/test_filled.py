"""Samples of a picture filled square by square: each goes on from itself, and what is known stays."""

import numpy as np
import PIL.Image
import pytest

from vipaint_pyro.regions import Filled, Region, completed, paste, put, taken, tiles_of

SIDE = 16


def plane(image, known):
    """The plane through what is known, by least squares: exact for a picture that is one."""
    rows, columns = np.indices(known.shape)
    terms = np.stack([np.ones(known.shape), rows, columns], -1)
    fits = [terms @ np.linalg.lstsq(terms[known], channel[known].astype(float), rcond=None)[0] for channel in image]
    return np.where(known, image, np.stack(fits)).astype(np.float32)


def a_plane(shape):
    rows, columns = np.indices(shape)
    return np.stack([0.1 + 0.004 * rows + 0.003 * columns, 0.9 - 0.006 * rows]).astype(np.float32)


@pytest.mark.parametrize(
    "box, atol",
    [((3, 20, 97, 22), 1e-5), ((40, 0, 41, 60), 1e-5), ((0, 0, 100, 3), 1e-5), ((30, 20, 60, 45), 0.02)],
)
def test_a_completion_that_is_right_in_each_square_is_right_in_the_picture(box, atol):
    unit, hidden = a_plane((60, 100)), np.zeros((60, 100), bool)
    hidden[box[1] : box[3], box[0] : box[2]] = True
    filled = Filled(np.where(hidden, 0, unit), hidden)
    for tile in tiles_of(hidden, SIDE):
        images, known = filled.views(tile, SIDE)
        filled.fill(tile, np.stack([plane(image, known) for image in images]))
    result = np.where(hidden, 0, unit)
    for rows, columns, colours in filled.pieces(0):
        result[:, rows, columns] = colours
    np.testing.assert_allclose(result, unit, atol=atol)
    assert (result[:, ~hidden] == unit[:, ~hidden]).all()


def test_a_later_square_sees_each_samples_own_pixels_and_no_hidden_one():
    rng = np.random.default_rng(0)
    unit, hidden = rng.random((1, 30, 40), np.float32), np.zeros((30, 40), bool)
    hidden[14, 2:38] = True
    first, second, between = tiles_of(hidden, SIDE)
    filled = Filled(unit, hidden)
    draws = []
    for tile in (first, second):
        images, known = filled.views(tile, SIDE)
        assert len(images) == 1
        draws.append(np.where(known, images, rng.random((3, 1, SIDE, SIDE), np.float32)))
        filled.fill(tile, draws[-1])
    assert filled.before(between) == [0, 1]
    images, known = filled.views(between, SIDE)
    assert len(images) == 3 and (~known == between.own).all()
    for tile, draw in zip((first, second), draws):
        rows, columns = tile.pixels()
        here = between.inside(rows, columns)
        rows, columns = rows[here], columns[here]
        assert len(rows)
        for i in range(3):
            np.testing.assert_array_equal(
                images[i, 0, rows - between.top, columns - between.left],
                draw[i, 0, rows - tile.top, columns - tile.left],
            )
    outside = ~between.crop(hidden)
    assert (images[:, :, outside] == between.crop(unit)[:, outside]).all() and (images[0] != images[1]).any()


def test_a_chain_keeps_what_the_first_square_drew():
    """Each square repeats the mean of what others have filled: all of a sample is what its first squares drew."""
    unit, hidden = np.zeros((1, 30, 100), np.float32), np.zeros((30, 100), bool)
    hidden[14, 2:98] = True
    filled, drawn = Filled(unit, hidden), np.float32([0.2, 0.5, 0.9])
    for tile in tiles_of(hidden, SIDE):
        before, (images, known) = filled.before(tile), filled.views(tile, SIDE)
        others = tile.crop(hidden) & known
        values = drawn if not before else images[:, 0][:, others].mean(1)
        filled.fill(tile, np.where(known, images, values[:, None, None, None]))
    for i, value in enumerate(drawn):
        for _, _, colours in filled.pieces(i):
            np.testing.assert_allclose(colours, value, rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_put_is_the_whole_pictures_way_there_and_leaves_every_other_byte(mode):
    """Against pasting into the whole picture and converting that."""
    rng = np.random.default_rng(1)
    base = PIL.Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).convert(mode)
    unit = (np.asarray(base.convert("RGB")).transpose(2, 0, 1) / 255).astype(np.float32)
    squares, hidden = [], np.zeros((40, 50), bool)
    for left, top, side in ((2, 3, 16), (15, 10, 29)):
        hole = np.zeros_like(hidden)
        hole[top + 5 : top + 9, left + 4 : left + 9] = True
        hidden |= hole
        squares.append((Region(left, top, side, hole), rng.random((3, 16, 16), np.float32)))
    after, expected = completed(base, unit, hidden, squares), unit
    for region, small in squares:
        expected = paste(expected, hidden, small, region)
    whole = PIL.Image.fromarray((expected.transpose(1, 2, 0) * 255).round().astype(np.uint8)).convert(mode)
    assert after.mode == mode
    np.testing.assert_array_equal(np.asarray(after)[hidden], np.asarray(whole)[hidden])
    np.testing.assert_array_equal(np.asarray(after)[~hidden], np.asarray(base)[~hidden])
    assert np.asarray(put(base, [])).tobytes() == np.asarray(base).tobytes()


def test_a_square_of_which_nothing_known_is_left_is_refused():
    """One known pixel of 64, at a fourth of its size."""
    hidden = np.ones((32, 32), bool)
    hidden[0, 0] = False
    with pytest.raises(ValueError, match="nothing that is known can be made out"):
        taken(Region(0, 0, 32, hidden), np.zeros((1, 32, 32), np.float32), hidden, 8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_mean_and_spread_are_those_of_the_samples_that_every_square_has(mode):
    rng = np.random.default_rng(0)
    picture = PIL.Image.fromarray(rng.integers(0, 255, (30, 60, 3), dtype=np.uint8)).convert(mode)
    unit = np.asarray(picture.convert("RGB")).transpose(2, 0, 1).astype(np.float32) / 255
    hidden = np.zeros((30, 60), bool)
    hidden[4:7, 4:7] = hidden[20:23, 50:53] = True
    filled, draws = Filled(unit, hidden), []
    for square, count in zip(tiles_of(hidden, SIDE), (4, 3), strict=True):
        _, known = filled.views(square, SIDE)
        draws.append(rng.random((count, 3, SIDE, SIDE), np.float32))
        filled.fill(square, np.where(known, square.crop(unit), draws[-1]))
    spread, white = filled.spread()
    mean, spread = (np.asarray(x, float)[..., :3] / 255 for x in (filled.mean(picture), spread))
    assert filled.count == 3 and filled.mean(picture).mode == mode
    np.testing.assert_array_equal(np.asarray(filled.mean(picture))[~hidden], np.asarray(picture)[~hidden])
    assert not spread[~hidden].any() and spread.max() == 1
    for square, drawn in zip(tiles_of(hidden, SIDE), draws):
        rows, columns = square.pixels()
        here = drawn[:3, :, rows - square.top, columns - square.left].transpose(0, 2, 1)
        np.testing.assert_allclose(mean[rows, columns], here.mean(0), atol=0.003)
        np.testing.assert_allclose(spread[rows, columns] * white, here.std(0, ddof=1), atol=0.003)


def test_one_sample_has_no_spread():
    unit, hidden = np.full((1, 30, 30), 0.5, np.float32), np.zeros((30, 30), bool)
    hidden[10:12, 10:12] = True
    filled, (square,) = Filled(unit, hidden), tiles_of(hidden, SIDE)
    filled.fill(square, np.zeros((1, 1, SIDE, SIDE), np.float32))
    spread, white = filled.spread()
    assert white == 1 and spread.mode == "L" and not np.asarray(spread).any()
