"""Where squares lie, and that only holes are written."""

import numpy as np
import PIL.Image
import pytest

from vipaint_pyro.regions import Region, centred, enlarged, expanded, paste, regions_of, shrunk


def holes(shape, *boxes):
    hidden = np.zeros(shape, bool)
    for left, top, right, bottom in boxes:
        hidden[top:bottom, left:right] = True
    return hidden


@pytest.mark.parametrize(
    "shape, box, place",
    [
        ((64, 64), (30, 30, 34, 34), (28, 28, 8)),  # as long as the prior at least, the hole in its middle
        ((64, 64), (20, 30, 36, 38), (12, 18, 32)),  # twice the longer side
        ((64, 64), (0, 0, 8, 8), (0, 0, 16)),  # moved into the picture at a corner,
        ((64, 64), (56, 56, 64, 64), (48, 48, 16)),  # at the opposite one,
        ((64, 64), (0, 28, 8, 36), (0, 24, 16)),  # and at a border
        ((20, 64), (10, 2, 24, 18), (7, 0, 20)),  # no longer than the picture
        ((5, 6), (1, 1, 3, 3), (0, 0, 5)),  # a picture smaller than the prior
        ((20, 64), (0, 0, 20, 20), (0, -10, 40)),  # a square inside would know nothing
        ((20, 64), (10, 5, 60, 9), (0, -22, 64)),  # the hole is too long for one
        ((20, 64), (0, 0, 63, 20), (0, -22, 64)),  # as large as the picture, nearly
    ],
)
def test_where_a_square_lies(shape, box, place):
    (region,) = regions_of(holes(shape, box), 8)
    assert (region.left, region.top, region.side) == place and region.holds(region.hole)


def test_holes_far_apart_have_squares_of_their_own_and_near_ones_share():
    hidden = holes((64, 64), (2, 2, 6, 6), (50, 50, 54, 54), (7, 2, 8, 4))
    first, second = regions_of(hidden, 8)
    assert first.hole.sum() == 18 and second.hole.sum() == 16 and not (first.hole & second.hole).any()
    assert ((first.hole | second.hole) == hidden).all()


def test_a_crop_is_the_picture_and_nothing_beyond_it():
    array = np.arange(12.0).reshape(3, 4) + 1
    crop = centred(array > 0, 4).crop(array)
    np.testing.assert_array_equal(crop, np.concatenate([np.zeros((1, 4)), array]))


def test_hidden_pixels_have_no_part_in_a_mean():
    crop, known = np.full((1, 8, 8), 0.25, np.float32), ~holes((8, 8), (3, 0, 8, 8))
    crop[:, ~known] = 1
    small, seen = shrunk(crop, known, 4)
    np.testing.assert_allclose(small[:, seen], 0.25, rtol=1e-6)
    assert seen[:, 0].all() and not seen[:, 2:].any()


def test_at_its_own_size_a_square_is_what_it_was_and_so_is_its_completion():
    rng = np.random.default_rng(0)
    picture, hidden = rng.random((3, 16, 16), np.float32), holes((16, 16), (6, 7, 9, 10))
    (region,) = regions_of(hidden, 8)
    small, seen = shrunk(region.crop(picture), ~region.crop(hidden), 8)
    assert (small == region.crop(picture)).all() and (seen == ~region.crop(hidden)).all()
    completion = np.where(seen, small, rng.random((3, 8, 8), np.float32))
    result = paste(picture, hidden, completion, region)
    assert (region.crop(result) == completion).all() and (result[:, ~hidden] == picture[:, ~hidden]).all()


@pytest.mark.parametrize("side", [8, 21, 32])
def test_a_constant_picture_stays_constant_across_the_seam(side):
    picture, hidden = np.full((1, 40, 40), 0.3, np.float32), holes((40, 40), (12, 14, 18, 19))
    picture[:, hidden] = 1
    region = Region(8, 7, side, hidden) if side > 8 else Region(11, 12, 8, hidden)
    small, seen = shrunk(region.crop(picture), ~region.crop(hidden), 8)
    result = paste(picture, hidden, np.where(seen, small, np.float32(0.3)), region)
    np.testing.assert_allclose(result, 0.3, atol=1e-5)


def test_the_seam_is_evened_out_inside_the_hole_alone():
    """A completion that is off by 0.2 everywhere meets the picture at the edge and is itself in the middle."""
    picture, hidden = np.full((1, 64, 64), 0.4, np.float32), holes((64, 64), (16, 16, 48, 48))
    result = paste(picture, hidden, np.full((1, 16, 16), 0.6, np.float32), Region(0, 0, 64, hidden))
    assert (result[:, ~hidden] == picture[:, ~hidden]).all()
    np.testing.assert_allclose(result[0, 16, 17:47], 0.4, atol=1e-5)
    np.testing.assert_allclose(result[0, 28:36, 28:36], 0.6, atol=1e-5)
    row = result[0, 32, 16:32]
    assert (np.diff(row) >= -1e-6).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_canvas_grows_around_the_picture(mode):
    image = PIL.Image.new(mode, (3, 2), 77 if mode == "L" else (77,) * len(mode))
    canvas, hole = expanded(image, None, (1, 2, 3, 4))
    assert canvas.size == hole.size == (7, 8) and canvas.mode == mode
    assert canvas.crop((1, 2, 4, 4)).tobytes() == image.tobytes()
    white = np.asarray(hole) == 255
    assert not white[2:4, 1:4].any() and white.sum() == 7 * 8 - 6
    with pytest.raises(ValueError, match="mask is 4x2, but the image 3x2"):
        expanded(image, PIL.Image.new("L", (4, 2)), (1, 0, 0, 0))


def test_nothing_is_enlarged_to_its_own_size():
    x = np.random.default_rng(1).random((1, 8, 8), np.float32)
    assert enlarged(x, 8) is x
