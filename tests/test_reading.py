"""Reading pictures from files."""

import PIL.Image
import pytest

from vipaint_pyro import images
from vipaint_pyro.reading import read_image


def test_it_is_the_one_that_images_gives():
    assert images.read_image is read_image


def test_what_is_no_still_picture_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "none.png")
    text = tmp_path / "text.png"
    text.write_text("hello")
    with pytest.raises(ValueError, match="no picture in one of the formats"):
        read_image(text)
    whole = tmp_path / "whole.png"
    PIL.Image.effect_noise((64, 64), 50).save(whole)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:900])
    with pytest.raises(ValueError, match="may be damaged"):
        read_image(cut)
    moving = tmp_path / "moving.webp"
    frames = [PIL.Image.new("RGB", (8, 8), (k * 90, 0, 0)) for k in range(3)]
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="animated"):
        read_image(moving)
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)


def test_exif_rotation_is_applied(tmp_path):
    picture = PIL.Image.new("L", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").size == (2, 4)


def test_pictures_with_too_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr("vipaint_pyro.reading.MAX_PIXELS", 10)
    PIL.Image.new("L", (4, 3)).save(tmp_path / "big.png")
    with pytest.raises(ValueError, match="4x3 pixels, more than 10"):
        read_image(tmp_path / "big.png")
