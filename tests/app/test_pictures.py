"""Pictures as they are filled; where the hole is, from what a browser sends; what the prior gets to see."""

import numpy as np
import PIL.Image
import pytest

from tests.app.conftest import picture_of
from vipaint_pyro.app.holding import Held
from vipaint_pyro.app.holes import boxed, masked_by, painted, transparent
from vipaint_pyro.app.pictures import EXAMPLES, canvas_of, opened
from vipaint_pyro.app.scenes import scene_of

HOLE = np.zeros((8, 8), bool)
HOLE[1:3, 4:7] = True


def layer(cover):
    """Paint where True."""
    pixels = np.zeros((*cover.shape, 4), np.uint8)
    pixels[cover] = (168, 85, 216, 255)
    return PIL.Image.fromarray(pixels)


def drawing(cover, **more):
    return {"background": None, "layers": [layer(cover)], "composite": None, **more}


@pytest.mark.parametrize("times", [1, 4, 7])
def test_paint_on_an_enlarged_canvas_is_the_pixels_under_it(times):
    cover = HOLE.repeat(times, 0).repeat(times, 1)
    assert np.array_equal(painted(drawing(cover), (8, 8)), HOLE)


def test_half_a_pixel_painted_is_painted():
    cover = np.zeros((32, 32), bool)
    cover[4:8, 16:18] = True  # half of pixel (1, 4)
    cover[4:8, 20:21] = True  # a quarter of the next
    assert np.argwhere(painted(drawing(cover), (8, 8))).tolist() == [[1, 4]]


def test_paint_on_a_canvas_that_is_smaller_than_the_picture():
    found = painted(drawing(HOLE), (80, 80))
    assert np.array_equal(found, HOLE.repeat(10, 0).repeat(10, 1))


def test_no_paint_is_no_hole():
    for nothing in (None, drawing(HOLE & False), drawing(HOLE, layers=[]), drawing(HOLE, layers=None)):
        assert not painted(nothing, (8, 8)).any()


def test_paint_is_found_where_the_browser_sends_no_layer():
    before = picture_of(8, 8, "RGB").image
    after = before.copy()
    after.paste((255, 0, 255), (4, 1, 7, 3))
    assert np.array_equal(painted(drawing(HOLE, layers=[], background=before, composite=after), (8, 8)), HOLE)


def test_a_canvas_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="came back as 8x8, which is not the shape of the picture \\(16x8\\)"):
        painted(drawing(HOLE), (16, 8))


def test_a_box():
    assert np.array_equal(boxed(4, 1, 3, 2, (8, 8)), HOLE)
    for wrong in [(None, 1, 3, 2), (4.5, 1, 3, 2), (4, 1, 0, 2), (6, 1, 3, 2), (-1, 1, 3, 2), (float("nan"), 1, 3, 2)]:
        with pytest.raises(ValueError, match="box"):
            boxed(*wrong, (8, 8))


def test_a_mask_file_and_transparency(tmp_path):
    PIL.Image.fromarray(np.uint8(HOLE) * 255).save(tmp_path / "mask.png")
    assert np.array_equal(masked_by(tmp_path / "mask.png", (8, 8)), HOLE)
    with pytest.raises(ValueError, match="8x8, but the image 9x8"):
        masked_by(tmp_path / "mask.png", (9, 8))
    with pytest.raises(ValueError, match="Upload a mask"):
        masked_by(None, (8, 8))
    picture = picture_of(8, 8, "RGBA")
    picture.image.putalpha(PIL.Image.fromarray(np.uint8(~HOLE) * 255))
    assert np.array_equal(transparent(picture), HOLE)
    with pytest.raises(ValueError, match="no transparent part"):
        transparent(picture_of(8, 8))


def test_files_that_are_no_pictures_are_named_as_their_owner_does(tmp_path):
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"^x\.png is no picture"):
        opened(tmp_path / "x.png")


def test_every_mode_becomes_one_that_is_filled(tmp_path):
    PIL.Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "sixteen.png")
    with pytest.raises(ValueError, match=r"^sixteen\.png has 16 or more bits"):
        opened(tmp_path / "sixteen.png")
    palette = picture_of(8, 8, "RGB").image.quantize(8)
    palette.save(tmp_path / "palette.png")
    assert opened(tmp_path / "palette.png").image.tobytes() == palette.convert("RGB").tobytes()


def test_examples_ship_and_are_shown_large():
    for example in EXAMPLES:
        picture = opened(example.path)
        canvas = canvas_of(picture)
        assert canvas.mode == "RGB" and max(canvas.size) == 448 and canvas.width % picture.image.width == 0
    assert max(canvas_of(picture_of(3000, 50)).size) == 768


def test_a_picture_of_the_priors_size_is_given_as_it_is():
    picture = picture_of(8, 8)
    scene = scene_of(picture, HOLE, (1, 8, 8), None)
    (part,) = scene.parts
    assert np.array_equal((part.unit * 255).round().numpy()[0], np.asarray(picture.image))
    assert np.array_equal(~part.observed[0].numpy(), HOLE) and "as it is" in scene.said


def test_another_size_asks_for_a_choice_and_each_is_said():
    picture, hidden = picture_of(24, 16), np.zeros((16, 24), bool)
    hidden[6:9, 10:13] = True
    with pytest.raises(ValueError, match="24x16, and the model takes 8x8: choose"):
        scene_of(picture, hidden, (1, 8, 8), None)
    texts = {"region": "kept at its size: 1 square", "fit": "All of the picture", "crop": "in the middle"}
    for how, said in texts.items():
        scene = scene_of(picture, hidden, (1, 8, 8), how)
        assert said in scene.said and scene.parts[0].unit.shape == (1, 8, 8)
        assert scene.base.size == ((24, 16) if how == "region" else (8, 8))
    hidden = np.zeros((16, 24), bool)
    hidden[0, 0:2] = True
    with pytest.raises(ValueError, match="None of the hole lies in the square"):
        scene_of(picture, hidden, (1, 8, 8), "crop")


def test_colours_are_given_up_only_where_asked():
    picture = picture_of(8, 8, "RGB")
    with pytest.raises(ValueError, match="in colour, and this model makes grey ones"):
        scene_of(picture, HOLE, (1, 8, 8), None)
    assert scene_of(picture, HOLE, (1, 8, 8), None, grey=True).said.startswith("The picture is turned grey")


@pytest.mark.parametrize("hidden, said", [(HOLE & False, "no hole yet"), (HOLE | True, "the whole picture")])
def test_a_hole_of_nothing_or_everything(hidden, said):
    with pytest.raises(ValueError, match=said):
        scene_of(picture_of(8, 8), hidden, (1, 8, 8), None)


def test_the_hole_comes_from_where_it_was_said(tmp_path):
    PIL.Image.fromarray(np.uint8(~HOLE) * 255).save(tmp_path / "mask.png")
    held = {"drawing": drawing(HOLE), "box": (0, 0, 2, 2), "mask": tmp_path / "mask.png", "how": None, "grey": False}
    picture = picture_of(8, 8)
    assert np.array_equal(Held("paint", **held).hidden(picture), HOLE)
    assert Held("box", **held).hidden(picture).sum() == 4
    assert np.array_equal(Held("mask", **held).hidden(picture), ~HOLE)
    with pytest.raises(ValueError, match="no picture yet"):
        Held("paint", **held).scene(None, (1, 8, 8))
    assert Held.shown(Held("paint", **held).scene(picture, (1, 8, 8))).width > 168
