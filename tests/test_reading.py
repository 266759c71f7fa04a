"""Reading pictures from files."""

import struct

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from vipaint_pyro import images
from vipaint_pyro.images import to_observed, to_unit, with_mask
from vipaint_pyro.opening import read_image


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
    monkeypatch.setattr("vipaint_pyro.opening.MAX_PIXELS", 10)
    PIL.Image.new("L", (4, 3)).save(tmp_path / "big.png")
    with pytest.raises(ValueError, match="4x3 pixels, more than 10"):
        read_image(tmp_path / "big.png")


#: Red, green and blue in XYZ under D50: Display P3 (SMPTE EG 432-1, adapted), and sRGB (IEC 61966-2-1).
P3 = np.array([[0.51512, 0.29198, 0.1571], [0.2412, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.7141]])


def p3_profile(gamma: float = 2.2) -> bytes:
    """A colour profile with P3's primaries and one gamma (ICC.1:2001-04, sections 6.1 to 6.5)."""

    def fixed(x: float) -> bytes:
        return struct.pack(">i", round(x * 65536))

    def xyz(column) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(fixed(v) for v in column)

    name = b"Some P3\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **{key: xyz(P3[:, i]) for i, key in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **{key: b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) for key in (b"rTRC", b"gTRC", b"bTRC")},
    }
    table, body, place = b"", b"", 128 + 4 + 12 * len(tags)
    for key, data in tags.items():
        table += key + struct.pack(">II", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    kind = (b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp")
    head = struct.pack(">I4sI4s4s4s12s4s", place + len(body), bytes(4), 0x02400000, *kind)
    head += bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def in_srgb_by_hand(p3: np.ndarray, gamma: float = 2.2) -> np.ndarray:
    """8-bit P3 (*, 3) as 8-bit sRGB: to linear light, through XYZ, and encoded."""
    light = np.clip((p3 / 255.0) ** gamma @ P3.T @ np.linalg.inv(SRGB).T, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def wide_picture(**more) -> PIL.Image.Image:
    pixels = np.random.default_rng(0).integers(30, 220, (8, 8, 3), dtype=np.uint8)
    picture = PIL.Image.fromarray(pixels)
    picture.info["icc_profile"] = p3_profile(**more)
    return picture


def test_a_colour_profile_is_converted_to_srgb_wherever_the_picture_comes_from(tmp_path):
    picture = wide_picture()
    expected = in_srgb_by_hand(np.asarray(picture))
    assert np.abs(expected - np.asarray(picture)).max() > 15
    picture.save(tmp_path / "wide.png", icc_profile=picture.info["icc_profile"])
    for given in (picture, read_image(tmp_path / "wide.png")):
        x = images.to_unit(given, (3, 8, 8))[0].permute(1, 2, 0).numpy() * 255
        assert np.abs(x - expected).max() < 1.6  # rounded twice
    plain = PIL.Image.fromarray(np.asarray(picture))
    plain.info["icc_profile"] = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    x = images.to_unit(plain, (3, 8, 8))[0].permute(1, 2, 0).numpy() * 255
    assert np.array_equal(x.round(), np.asarray(picture))  # sRGB's own is left to the bit
    picture.info["icc_profile"] = b"no profile"
    with pytest.raises(ValueError, match="colour profile cannot be used.*save it in sRGB"):
        images.to_unit(picture, (3, 8, 8))


def test_numbers_of_a_mask_are_no_colours():
    mask = PIL.Image.fromarray(np.full((8, 8, 3), 129, np.uint8))
    mask.putpixel((0, 0), (0, 0, 0))
    mask.info["icc_profile"] = p3_profile(gamma=1.0)  # which would make of 129 more than 180, of 120 more than a half
    mask.putpixel((1, 0), (120, 120, 120))
    observed = images.to_observed(mask, 1, (8, 8))
    assert int(observed.sum()) == 2


def test_a_picture_is_turned_as_its_exif_data_say_in_python_too(tmp_path):
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 4) * 30
    picture = PIL.Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(tmp_path / "turned.png", exif=exif)
    with PIL.Image.open(tmp_path / "turned.png") as opened:
        x = images.to_unit(opened, (1, 4, 2))
        observed = images.to_observed(opened, 1, (4, 2))
    assert np.array_equal((x[0, 0] * 255).round().numpy(), np.rot90(pixels, -1))
    assert np.array_equal(observed[0, 0].numpy(), np.rot90(pixels, -1) < 127.5)


def test_a_photograph_with_previews_behind_it_is_its_first_frame(tmp_path):
    first, second = PIL.Image.new("RGB", (8, 8), (200, 30, 30)), PIL.Image.new("RGB", (4, 4))
    first.save(tmp_path / "phone.mpo", save_all=True, append_images=[second])
    (tmp_path / "phone.mpo").rename(tmp_path / "phone.jpg")
    read = read_image(tmp_path / "phone.jpg")
    assert read.size == (8, 8) and abs(read.convert("RGB").getpixel((4, 4))[0] - 200) < 4


ALPHA = np.array([[0, 127, 128, 255], [255, 255, 255, 0], [255, 3, 200, 255]], np.uint8)


def transparent(mode: str) -> tuple[PIL.Image.Image, np.ndarray]:
    """A picture with holes, and its colours (H, W, C)."""
    rng = np.random.default_rng(1)
    if mode == "P":
        index = np.where(ALPHA < 255, 3, rng.integers(0, 3, ALPHA.shape)).astype(np.uint8)
        image, palette = PIL.Image.fromarray(index, mode="P"), rng.integers(0, 256, (4, 3), dtype=np.uint8)
        image.putpalette(palette.ravel().tolist())
        image.info["transparency"] = 3
        return image, palette[index]
    colours = rng.integers(0, 256, (3, 4, 1 if mode == "LA" else 3), dtype=np.uint8)
    image = PIL.Image.fromarray(colours[..., 0] if mode == "LA" else colours)
    image.putalpha(PIL.Image.fromarray(ALPHA))
    assert image.mode == mode
    return image, colours


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparency_is_the_mask_where_it_is_asked_for(mode):
    image, colours = transparent(mode)
    (opaque,), (mask,) = with_mask(image, "alpha")
    observed = to_observed([mask], 1, (3, 4))
    np.testing.assert_array_equal(observed[0, 0].numpy(), ALPHA == 255)
    unit = to_unit([opaque], (colours.shape[-1], 3, 4))
    np.testing.assert_array_equal((unit[0].permute(1, 2, 0) * 255).round().numpy(), colours)
    with pytest.raises(ValueError, match="transparent pixels.*mask_image='alpha'"):
        to_unit(image, (colours.shape[-1], 3, 4))


def test_a_turned_picture_turns_its_mask():
    image, _ = transparent("LA")
    exif = image.getexif()
    exif[0x0112] = 6
    (opaque,), (mask,) = with_mask(image, "alpha")
    assert opaque.size == mask.size == (3, 4)
    np.testing.assert_array_equal(to_observed([mask], 1, (4, 3))[0, 0].numpy(), np.rot90(ALPHA == 255, -1))


@pytest.mark.parametrize(
    "image, mask, error, words",
    [
        (PIL.Image.new("L", (4, 3)), "alpha", ValueError, "has no alpha channel"),
        (PIL.Image.new("RGBA", (4, 3), (1, 2, 3, 255)), "alpha", ValueError, "nowhere transparent"),
        (PIL.Image.new("RGBA", (4, 3), (1, 2, 3, 254)), "alpha", ValueError, "transparent everywhere"),
        (np.zeros((3, 4, 4), np.uint8), "alpha", TypeError, "transparency of a PIL image, .* ndarray"),
        (PIL.Image.new("L", (4, 3)), "mask.png", ValueError, "a picture or 'alpha', .* not 'mask.png'"),
        (PIL.Image.new("I;16", (4, 3)), "alpha", ValueError, "16 or more bits"),
    ],
)
def test_what_has_no_transparent_part(image, mask, error, words):
    with pytest.raises(error, match=words):
        with_mask(image, mask)
