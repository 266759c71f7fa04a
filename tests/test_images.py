"""Reading, checking and converting pictures and masks."""

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vipaint_pyro.images import compose, read_image, to_observed, to_output, to_unit

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("ci")

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


@pytest.mark.parametrize("kind", ["pil", "array8", "array8hwc", "float", "tensor8", "tensor", "batch"])
def test_every_kind_of_image_is_the_same_image(kind):
    unit = torch.from_numpy(GREY).float()[None] / 255
    image = {
        "pil": PIL.Image.fromarray(GREY),
        "array8": GREY,
        "array8hwc": GREY[..., None],
        "float": GREY.astype(np.float32) / 255,
        "tensor8": torch.from_numpy(GREY)[None],
        "tensor": unit,
        "batch": unit[None],
    }[kind]
    torch.testing.assert_close(to_unit(image, (1, 3, 4)), unit[None])


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "RGBA", "1", "CMYK"])
def test_grey_pictures_of_every_mode(mode):
    grey = (GREY > 100).astype(np.uint8) * 255
    picture = PIL.Image.fromarray(grey).convert("RGB").convert(mode)
    torch.testing.assert_close(to_unit(picture, (1, 3, 4))[0, 0], torch.from_numpy(grey).float() / 255)


@settings(max_examples=100)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.integers(0, 2**31))
def test_pictures_round_trip_bit_for_bit(height, width, channels, seed):
    array = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    picture = PIL.Image.fromarray(array[..., 0] if channels == 1 else array)
    unit = to_unit(picture, (channels, height, width))
    (back,) = to_output(unit, "pil")
    assert np.array_equal(np.asarray(back).reshape(array.shape), array)
    observed = torch.rand(1, 1, height, width) < 0.5
    composed = compose(torch.randn(2, 1, channels, height, width), unit, observed)
    kept = observed[0].expand(channels, -1, -1)
    for sample in composed[:, 0]:
        assert torch.equal(sample[kept], unit[0][kept])


def test_white_is_to_be_filled():
    # Not symmetric under any flip or transposition.
    mask = np.zeros((3, 4), dtype=np.uint8)
    mask[0, 1] = mask[2, 0] = 255
    hidden = torch.from_numpy(mask > 0)[None, None]
    for m in (PIL.Image.fromarray(mask), mask, mask / 255.0, torch.from_numpy(mask), mask > 0):
        assert torch.equal(to_observed(m, 1, (3, 4)), ~hidden)


def test_masks_are_cut_at_one_half():
    mask = torch.tensor([[0.0, 0.49, 0.5, 1.0]])
    assert to_observed(mask, 1, (1, 4)).tolist() == [[[[True, True, False, False]]]]


def test_one_mask_serves_all_and_each_may_have_its_own():
    a, b = np.eye(3), np.ones((3, 3)) - np.eye(3)
    assert torch.equal(*to_observed(a, 2, (3, 3)))
    two = to_observed([a, b], 2, (3, 3))
    assert torch.equal(two[0], ~two[1])


def bad(array):
    return lambda: to_unit(array, (1, 3, 4))


BAD_IMAGES = [
    (bad([]), ValueError, "no image"),
    (bad("photo.png"), TypeError, "not str"),
    (bad(GREY.astype(np.float32)), ValueError, r"floating images are in \[0, 1\]"),
    (bad(-(GREY / 255.0)), ValueError, r"\(image \+ 1\) / 2"),
    (bad(np.full((3, 4), np.nan)), ValueError, "not finite"),
    (bad(GREY.astype(np.int64)), ValueError, "8-bit"),
    (bad(GREY[:2]), ValueError, "4x2 with 1 channel.*takes 4x3"),
    (bad(np.zeros((2, 3, 4, 5, 6))), ValueError, "image array is"),
    (bad(torch.zeros(4)), ValueError, "image tensor is"),
    (bad(np.zeros((3, 4, 3), np.uint8)), ValueError, "3 channel.*with 1"),
    (bad(PIL.Image.new("RGB", (4, 3), (255, 0, 0))), ValueError, "in colour, but the prior takes 4x3 in grey; convert it"),
    (bad(PIL.Image.new("RGBA", (4, 3), (9, 9, 9, 0))), ValueError, "transparent"),
    (bad(PIL.Image.new("I;16", (4, 3))), ValueError, "16 or more bits"),
    (bad(PIL.Image.new("F", (4, 3))), ValueError, "16 or more bits"),
    (lambda: to_unit(PIL.Image.new("L", (4, 3)), (4, 3, 4)), ValueError, "1 or 3 channels"),
    (lambda: to_observed([GREY, GREY, GREY], 2, (3, 4)), ValueError, "3 masks for 2 images"),
    (lambda: to_observed(GREY[:2], 1, (3, 4)), ValueError, "mask is 4x2, but the image 4x3"),
    (lambda: to_observed(np.ones((3, 4)), 1, (3, 4)), ValueError, "white everywhere"),
    (lambda: to_observed(np.zeros((3, 4)), 1, (3, 4)), ValueError, "black everywhere"),
    (lambda: to_observed(np.zeros((3, 4, 3)), 1, (3, 4)), ValueError, "one channel"),
    (lambda: to_observed(PIL.Image.new("RGB", (4, 3), (255, 0, 0)), 1, (3, 4)), ValueError, "mask cannot be used.*in colour"),
    (lambda: to_observed(GREY // 255 + np.eye(3, 4, dtype=np.uint8), 1, (3, 4)), ValueError, "255 in 8 bits"),
    (lambda: to_observed(None, 1, (3, 4)), TypeError, "mask cannot be used"),
]


@pytest.mark.parametrize("call, error, words", BAD_IMAGES)
def test_images_that_cannot_be(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_files(tmp_path):
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
    monkeypatch.setattr("vipaint_pyro.images.MAX_PIXELS", 10)
    PIL.Image.new("L", (4, 3)).save(tmp_path / "big.png")
    with pytest.raises(ValueError, match="4x3 pixels, more than 10"):
        read_image(tmp_path / "big.png")
