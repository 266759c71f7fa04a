"""Checking and converting pictures and masks."""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vipaint_pyro.images import (
    compose,
    from_bytes,
    from_model,
    to_bytes,
    to_model,
    to_numbers,
    to_observed,
    to_output,
    to_unit,
)

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


@contextmanager
def torch_warns_always():
    torch.set_warn_always(True)
    try:
        yield
    finally:
        torch.set_warn_always(False)


def test_masks_are_cut_at_one_half():
    mask = torch.tensor([[0.0, 0.49, 0.5, 1.0]])
    assert to_observed(mask, 1, (1, 4)).tolist() == [[[[True, True, False, False]]]]


def test_one_mask_serves_all_and_each_may_have_its_own():
    a, b = np.eye(3), np.ones((3, 3)) - np.eye(3)
    assert torch.equal(*to_observed(a, 2, (3, 3)))
    with pytest.raises(ValueError, match=r"num_images is a whole number of at least 1, but is \(3, 3\)"):
        to_observed(a, (3, 3), 2)
    two = to_observed([a, b], 2, (3, 3))
    assert torch.equal(two[0], ~two[1])
    with pytest.raises(ValueError, match="a mask has one channel, not 3; those of several images are a list of them"):
        to_observed(np.stack([a] * 3, -1), 3, (3, 3))


def test_bytes_of_a_picture_are_not_written_to(recwarn):
    # np.asarray of a PIL image is read-only, which torch warns of, once in a process.
    read_only = np.asarray(PIL.Image.fromarray(np.eye(3, dtype=np.uint8) * 255))
    assert not read_only.flags.writeable
    with torch_warns_always():
        to_observed(read_only, 1, (3, 3))
    assert not recwarn.list


def bad(array):
    return lambda: to_unit(array, (1, 3, 4))


def one_pixel(mode, value):
    """A picture that is opaque but for one pixel."""
    picture = PIL.Image.new(mode, (4, 3), (*value[:-1], 255))
    picture.putpixel((2, 1), value)
    return picture


BAD_IMAGES = [
    (bad([]), ValueError, "no image"),
    (bad("photo.png"), TypeError, "not str"),
    (bad(GREY.astype(np.float32)), ValueError, r"floating images are in \[0, 1\]"),
    (bad(-(GREY / 255.0)), ValueError, r"\(image \+ 1\) / 2"),
    (bad(np.full((3, 4), np.nan)), ValueError, "not finite"),
    (bad(GREY.astype(np.int64)), ValueError, r"8-bit.*bytes are made by .astype\(numpy.uint8\), a mask .*bool"),
    (bad(GREY[:2]), ValueError, "4x2 with 1 channel.*takes 4x3"),
    (bad(np.zeros((2, 3, 4, 5, 6))), ValueError, "image array is"),
    (bad(torch.zeros(4)), ValueError, "image tensor is"),
    (bad(np.zeros((3, 4, 3), np.uint8)), ValueError, "3 channel.*with 1"),
    (
        bad(PIL.Image.new("RGB", (4, 3), (255, 0, 0))),
        ValueError,
        "in colour, but the prior takes 4x3 in grey; convert it",
    ),
    (bad(PIL.Image.new("RGBA", (4, 3), (9, 9, 9, 0))), ValueError, "transparent"),
    (bad(one_pixel("RGBA", (9, 9, 9, 254))), ValueError, "transparent"),
    (bad(one_pixel("LA", (9, 0))), ValueError, "transparent"),
    (bad(torch.tensor([0.5, np.inf]).expand(1, 3, 2).repeat(1, 1, 2)), ValueError, "not finite"),
    (bad(PIL.Image.new("I;16", (4, 3))), ValueError, "16 or more bits"),
    (bad(PIL.Image.new("F", (4, 3))), ValueError, "16 or more bits"),
    (lambda: to_unit(PIL.Image.new("L", (4, 3)), (4, 3, 4)), ValueError, "1 or 3 channels"),
    (lambda: to_observed([GREY, GREY, GREY], 2, (3, 4)), ValueError, "3 masks for 2 images"),
    (lambda: to_observed(GREY[:2], 1, (3, 4)), ValueError, "mask is 4x2, but the image 4x3"),
    (lambda: to_observed(GREY.T, 1, (3, 4)), ValueError, "mask is 3x4, but the image 4x3"),
    (lambda: to_observed(np.ones((3, 4)), 1, (3, 4)), ValueError, "white everywhere"),
    (lambda: to_observed(np.zeros((3, 4)), 1, (3, 4)), ValueError, "black everywhere"),
    (lambda: to_observed(np.zeros((3, 4, 3)), 1, (3, 4)), ValueError, "one channel"),
    (
        lambda: to_observed(PIL.Image.new("RGB", (4, 3), (255, 0, 0)), 1, (3, 4)),
        ValueError,
        "mask cannot be used.*in colour.*or is it the picture",
    ),
    (lambda: to_observed(GREY // 255 + np.eye(3, 4, dtype=np.uint8), 1, (3, 4)), ValueError, "255 in 8 bits"),
    (lambda: to_observed(None, 1, (3, 4)), TypeError, "mask cannot be used"),
    (lambda: to_numbers(torch.ones(1, 3, 4) * 1j, (1, 3, 4), "it takes"), ValueError, "real numbers.*complex64"),
    (lambda: to_numbers(np.ones((3, 4)) * 1j, (1, 3, 4), "it takes"), ValueError, "real numbers.*complex128"),
    (lambda: to_numbers(torch.ones(1, 3, 4).to_sparse(), (1, 3, 4), "it takes"), ValueError, "to_dense"),
    (lambda: to_numbers(torch.ones(1, 3, 4, device="meta"), (1, 3, 4), "it takes"), ValueError, "no values"),
]


@pytest.mark.parametrize("call, error, words", BAD_IMAGES)
def test_images_that_cannot_be(call, error, words):
    with pytest.raises(error, match=words):
        call()


# -- ranges ------------------------------------------------------------------------------------------


def test_ranges_by_hand():
    unit, x = torch.tensor([0.0, 0.125, 0.5, 0.75, 1.0]), torch.tensor([-1.0, -0.75, 0.0, 0.5, 1.0])
    assert torch.equal(to_model(unit), x) and torch.equal(from_model(x), unit)
    assert from_model(torch.tensor([-3.0, -1.001, 1.001, 3.0])).tolist() == [0, 0, 1, 1]
    assert from_bytes(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == [-1, -0.6000000238418579, 1]
    # Of 127.5 (1 + x): the nearest, cut off at the ends.
    assert to_bytes(torch.tensor([-9.0, -1.0, -0.6, 0.1, 0.999, 1.0, 9.0])).tolist() == [0, 0, 51, 140, 255, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_ranges_keep_the_precision(dtype):
    x = torch.randn(3, 4).to(dtype)
    assert to_model(x).dtype == from_model(x).dtype == dtype
    assert to_bytes(x).dtype == torch.uint8 and from_bytes(to_bytes(x)).dtype == torch.float32


def test_all_256_values_come_back():
    eight = torch.arange(256, dtype=torch.uint8)
    x = from_bytes(eight)
    assert torch.equal(to_bytes(x), eight) and torch.equal(to_bytes(x.double()), eight)
    assert torch.equal(to_bytes(to_model(eight.float() / 255)), eight)
    assert x[0] == -1 and x[255] == 1 and (x.diff() > 0).all()
    # As pictures they are the same ones, too.
    (picture,) = to_output(from_model(x).reshape(1, 1, 16, 16), "pil")
    assert np.array_equal(np.asarray(picture).reshape(-1), eight.numpy())


#: Code that changes the range of images, as it may be spelled; 2 * size - 1 - index, say, is none.
CONVERSIONS = re.compile(
    "|".join(
        (
            r"\* 2(\.0)? - 1\b",
            r"\b2(\.0)? \* (u|x|y|unit|images?) - \(?1\b",
            r"/ 2(\.0)? \+ 0?\.5",
            r"\+ 1\) / 2\b",
            r"127\.5",
        )
    )
)
#: Where it stands for something else.
ELSEWHERE = {
    "measurements/taken.py": "y = 2 A u - A 1 is the affine map of a measurement, whose A 1 need not be 1",
    "measurements/trial.py": "random numbers in [-1, 1], to try a function on: there is no picture in [0, 1]",
    "measurements/nonlinear.py": "random numbers in [-1, 1], to try a function on: there is no picture in [0, 1]",
    "reading.py": "an error tells the user how to convert",
    "measurements/likelihoods.py": "an error tells the user how to convert",
    "measurements/measurement.py": "a warning tells the user how to convert",
}


def test_no_other_module_converts():
    root = Path(__file__).parent.parent
    folders = root / "vipaint_pyro", root / "models", root / "guides"
    sources = {p.relative_to(f).as_posix(): p.read_text() for f in folders for p in f.rglob("*.py")}
    assert len(sources) > 80
    found = {
        (name, line.strip())
        for name, text in sources.items()
        if name not in ELSEWHERE
        for line in text.splitlines()
        if CONVERSIONS.search(line)
    }
    assert {(name, line) for name, line in found if name != "images.py"} == set()
    assert len(found) == 4  # so that the expression knows each of them
