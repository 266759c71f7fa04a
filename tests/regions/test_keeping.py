"""Pictures whose known bytes can stay, or are converted, and how that is said."""

import io

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from tests.test_reading import in_srgb_by_hand, p3_profile
from vipaint_pyro.regions import keepable


@pytest.mark.parametrize("mode, becomes", [("P", "RGB"), ("1", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB")])
def test_modes_that_hold_no_other_colours_are_converted_as_pil_does(mode, becomes):
    before = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)).convert(mode)
    after, said = keepable(before)
    assert after.mode == becomes and f"kept as {becomes}" in said
    np.testing.assert_array_equal(np.asarray(after), np.asarray(before.convert("RGB")))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_what_can_be_kept_is_itself(mode):
    image = PIL.Image.new(mode, (4, 3))
    assert keepable(image) == (image, "") and keepable(image)[0] is image


def test_a_palette_with_a_transparent_colour_keeps_it():
    image = PIL.Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert("P")
    image.info["transparency"] = 5
    after, _ = keepable(image)
    alpha = np.asarray(after)[..., 3]
    assert after.mode == "RGBA" and (alpha == 0).sum() == 1 and alpha[1, 1] == 0


@pytest.mark.parametrize("clear", [False, True])
def test_display_p3_is_brought_to_srgb_and_said(clear):
    """Against the exact conversion, through XYZ, to a grey value or two; transparency stays."""
    values = np.random.default_rng(0).integers(60, 196, (6, 5, 3), dtype=np.uint8)
    image = PIL.Image.fromarray(values)
    if clear:
        image.putalpha(PIL.Image.fromarray(np.arange(30, dtype=np.uint8).reshape(6, 5)))
    image.info["icc_profile"] = p3_profile()
    after, said = keepable(image)
    assert "from the profile 'Some P3' to sRGB" in said and after.mode == ("RGBA" if clear else "RGB")
    assert np.abs(np.asarray(after)[..., :3].astype(int) - in_srgb_by_hand(values)).max() <= 1.6
    profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(after.info["icc_profile"]))
    assert "srgb" in PIL.ImageCms.getProfileDescription(profile).lower()
    if clear:
        assert (np.asarray(after)[..., 3].ravel() == np.arange(30)).all()
    assert keepable(after)[0] is after


def test_more_than_eight_bits_are_refused():
    with pytest.raises(ValueError, match="16 or more bits"):
        keepable(PIL.Image.new("I;16", (3, 3)))
