"""What of a photograph's file is kept in its completions."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from tests.cli.calls import FEW, vipaint
from vipaint_pyro.cli.metadata import fitting, metadata_of
from vipaint_pyro.opening import read_image

MAKER, ORIENTATION, EXIF, TAKEN, GPS = 0x010F, 0x0112, 0x8769, 0x9003, 0x8825
SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
LAB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("LAB")).tobytes()


def photo(path="photo.jpg", size=(20, 24), **more):
    """Grey noise in colour, on its side, as a camera writes it."""
    grey = np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8)
    image = PIL.Image.fromarray(grey).convert("RGB")
    exif = image.getexif()
    exif[MAKER], exif[ORIENTATION] = "Maker", 6
    exif[EXIF], exif[GPS] = {TAKEN: "2020:01:02 03:04:05"}, {1: "N", 2: (1.0, 2.0, 3.0)}
    image.save(path, exif=exif, **{"dpi": (300, 200), "icc_profile": SRGB, "quality": 95, **more})


def opened(path):
    with PIL.Image.open(path) as image:
        image.load()
    return image


def kept(path):
    image = opened(path)
    exif = image.getexif()
    assert ORIENTATION not in exif and exif[MAKER] == "Maker"
    assert exif.get_ifd(EXIF)[TAKEN] == "2020:01:02 03:04:05" and exif.get_ifd(GPS)[1] == "N"
    assert image.info["dpi"] == pytest.approx((300, 200), abs=0.01)
    return image


def test_completions_at_the_pictures_size_keep_it(here):
    photo()
    mask = PIL.Image.new("L", (24, 20))
    mask.paste(255, (9, 8, 13, 12))
    mask.save("hole.png")
    ask = ("photo.jpg", "hole.png", "--prior", "prior", "--region", "auto", *FEW, "--out", "out")
    done = vipaint("inpaint", *ask)
    assert done.exit_code == 0, done.output
    image = kept("out/sample-01.png")
    assert image.size == (24, 20) and image.mode == "RGB" and image.info["icc_profile"] == SRGB
    assert "exif" not in opened("out/region-1/sample-00.png").info


@pytest.mark.parametrize("ask", [(), ("--resize", "fit")])
def test_completions_of_the_priors_size_keep_it_without_a_profile_of_colours(here, ask):
    """The prior is of one channel: a grey PNG has no profile of RGB."""
    photo(size=(10, 10) if ask else (8, 8), subsampling=0, quality=100)
    mask = PIL.Image.new("L", (10, 10) if ask else (8, 8))
    mask.paste(255, (2, 3, 5, 6))
    mask.save("hole.png")
    image = opened("photo.jpg").convert("L").convert("RGB")  # JPEG may leave a colour cast
    image.save("photo.png", exif=opened("photo.jpg").getexif(), dpi=(300, 200), icc_profile=SRGB)
    done = vipaint("inpaint", "photo.png", "hole.png", "--prior", "prior", *FEW, *ask, "--out", "out")
    assert done.exit_code == 0, done.output
    image = kept("out/sample-00.png")
    assert image.mode == "L" and "icc_profile" not in image.info
    assert "exif" not in opened("out/mean.png").info


def test_only_the_profile_of_the_written_colours_is_kept():
    image = PIL.Image.new("RGB", (2, 2))
    for embedded, there in ((SRGB, True), (LAB, False), (b"no profile", False), (None, False)):
        image.info["icc_profile"] = embedded
        assert ("icc_profile" in metadata_of(image)) == there
    found = {"icc_profile": SRGB, "dpi": (1.0, 2.0)}
    assert fitting(found, "RGB") == fitting(found, "RGBA") == found and fitting(found, "L") == {"dpi": (1.0, 2.0)}


@pytest.mark.parametrize("dpi", [(0, 0), (72,), "many", (float("nan"), 72), (float("inf"), 72), None, 72])
def test_what_is_no_resolution_is_left_out(dpi):
    image = PIL.Image.new("RGB", (2, 2))
    image.info["dpi"] = dpi
    image.info["exif"] = b"Exif\x00\x00damaged"
    assert metadata_of(image) == {}


def test_the_thumbnail_is_not_kept(tmp_path):
    """It shows what is hidden."""
    small, file = io.BytesIO(), tmp_path / "photo.jpg"
    PIL.Image.new("RGB", (4, 4), (255, 0, 0)).save(small, "JPEG")
    photo(file)
    exif = opened(file).getexif()
    first = exif.tobytes()[6:]
    # A second directory behind the first: JPEGInterchangeFormat and its length.
    order = "little" if first[:2] == b"II" else "big"
    count = int.from_bytes(first[8:10], order)
    place, at = 10 + 12 * count, len(first) + len(first) % 2
    entries = [(0x0201, at + 2 + 24 + 4), (0x0202, len(small.getvalue()))]
    second = (2).to_bytes(2, order) + b"".join(
        tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order) + value.to_bytes(4, order)
        for tag, value in entries
    ) + bytes(4)
    whole = first[:place] + at.to_bytes(4, order) + first[place + 4 :].ljust(at - place - 4, b"\0") + second
    whole = b"Exif\0\0" + whole + small.getvalue()
    opened(file).save(tmp_path / "with.jpg", exif=whole)
    assert small.getvalue() in Path(tmp_path / "with.jpg").read_bytes()
    read = read_image(tmp_path / "with.jpg")
    found = metadata_of(read)["exif"]
    assert b"Maker" in found and small.getvalue() not in found and b"2020:01:02" in found
