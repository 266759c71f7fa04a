"""What photo-patches is trained on: the table of photographs, how they are unpacked, their scales and patches."""

import io
import struct
import sys
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vipaint_pyro.datasets.shares import SHARES, are_shares, share_class, share_name
from vipaint_pyro.images import from_bytes
from vipaint_pyro.priors.pretrained.folder import read_labels, resolve

SCRIPTS = Path(__file__).parent.parent / "examples" / "priors"
FREE = {"public domain", "CC0-1.0", "BSD-2-clause", "GPL-2+", "LGPL-3"} | {
    f"CC-{kind}-{version}" for kind in ("BY", "BY-SA") for version in ("2.0", "3.0", "4.0")
}


@pytest.fixture
def photographs(monkeypatch):
    """The module, which lies among the scripts."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delitem(sys.modules, "photographs", raising=False)
    import photographs

    yield photographs
    monkeypatch.delitem(sys.modules, "photographs", raising=False)


def test_every_photograph_has_a_package_an_author_and_a_free_licence(photographs):
    rows = photographs.table()
    assert all(row["package"] and row["version"] and row["path"] and row["author"] for row in rows)
    assert {row["licence"] for row in rows} <= FREE
    assert max(Counter((row["package"], row["path"]) for row in rows).values()) == 1
    assert Counter(row["split"] for row in rows) == {"train": 205, "validation": 18, "test": 55}


def test_no_photograph_is_in_two_splits(photographs):
    splits = defaultdict(set)
    for row in photographs.table():
        if row["source"]:
            splits[row["source"]].add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


def qt_resource(files, version):
    """A container of a folder "d" with these files; every second one is compressed."""
    extra = b"\0" * 8 if version > 1 else b""
    names, places = b"", {}
    for name in ["d", *files]:
        places[name] = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    tree = struct.pack(">IHII", 0, 2, 1, 1) + extra + struct.pack(">IHII", 0, 2, len(files), 2) + extra
    data = b""
    for i, (name, raw) in enumerate(files.items()):
        tree += struct.pack(">IHHHI", places[name], i % 2, 0, 0, len(data)) + extra
        raw = struct.pack(">I", len(raw)) + zlib.compress(raw) if i % 2 else raw
        data += struct.pack(">I", len(raw)) + raw
    return b"qres" + struct.pack(">IIII", version, 20, 20 + len(tree), 20 + len(tree) + len(data)) + tree + data + names


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_a_qt_resource_container(photographs, version):
    files = {"a.webp": b"first", "bé.txt": b"second" * 9, "c.webp": b""}
    container = qt_resource(files, version)
    for name, raw in files.items():
        assert photographs.from_qt_resource(container, f"d/{name}") == raw
    with pytest.raises(KeyError):
        photographs.from_qt_resource(container, "d/none.webp")


def jpeg(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height), (width, 0, 0)).save(file, "JPEG")
    return file.getvalue()


def test_the_largest_jpeg_in_a_file_of_another_kind(photographs):
    data = b"EET" + jpeg(80, 90) + b"\xff\xd8\xff nothing" + jpeg(200, 100) + jpeg(40, 30) + b"end"
    assert Image.open(io.BytesIO(photographs.largest_jpeg(data))).size == (200, 100)


def test_photographs_are_halved_by_averages_and_never_enlarged(photographs):
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (1100, 2304, 3), dtype=np.uint8)
    found = photographs.scales(Image.fromarray(whole))
    assert [tuple(p.shape) for p in found] == [(550, 1152, 3), (275, 576, 3), (138, 288, 3), (69, 144, 3)]
    exact = whole.reshape(550, 2, 1152, 2, 3).mean((1, 3))
    assert np.abs(found[0].numpy() - exact).max() <= 0.51  # rounded to 8 bits
    assert photographs.scales(Image.new("RGB", (900, 63))) == []
    assert len(photographs.scales(Image.new("RGB", (64, 64)))) == 1


def test_the_class_is_the_share_of_the_longer_side():
    sides, known = (2048, 1025, 1024, 513, 512, 257, 256, 64), [0, 0, 1, 1, 2, 2, 3, 3]
    assert [share_class(64, n) for n in sides] == known
    named = ["detail", "detail", "part", "part", "object", "object", "scene", "scene"]
    assert [share_name(64, n) for n in sides] == named
    assert are_shares([*SHARES]) and not are_shares(["cat", "dog"]) and not are_shares(None)


def test_the_prior_that_ships_has_these_classes():
    assert [*read_labels(resolve("photo-patches"))["class_names"]] == [*SHARES]


def places(height, width):
    """A picture whose pixels say where they are."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([y % 256, x % 256, (y // 256) * 16 + x // 256], -1).to(torch.uint8)


def test_patches_are_cut_out_anywhere_and_half_of_them_mirrored(photographs):
    pictures = [places(64, 70), places(300, 400), places(600, 1100)]
    patches = photographs.Patches(pictures)
    x, classes = patches.draw(600, torch.Generator().manual_seed(0))
    assert x.shape == (600, 3, 64, 64) and set(classes.tolist()) == {0, 2, 3}
    assert Counter(classes.tolist()).most_common()[-1][1] > 150  # each class as often as the others
    mirrored, corners = 0, set()
    for patch, kind in zip(x, classes.tolist()):
        picture = pictures[{0: 2, 2: 1, 3: 0}[kind]]
        for candidate in (patch, patch.flip(-1)):
            y, at, block = (round((v + 1) * 127.5) for v in candidate[:, 0, 0].tolist())
            y, at = y + 256 * (block // 16), at + 256 * (block % 16)
            own = picture[y : y + 64, at : at + 64].permute(2, 0, 1)
            if own.shape == (3, 64, 64) and torch.equal(from_bytes(own), candidate):
                break
        else:
            pytest.fail("not a part of its picture")
        mirrored += candidate is not patch
        corners.add((kind, y, at))
    assert 250 < mirrored < 350
    assert {c[2] for c in corners if c[0] == 3} == {*range(7)}  # up to both edges
    again, _ = patches.draw(600, torch.Generator().manual_seed(0))
    assert torch.equal(x, again)


def test_the_photographs_are_unpacked_once_and_then_read_from_the_cache(photographs, tmp_path, monkeypatch):
    home = tmp_path / "packages" / "some-photos"
    home.mkdir(parents=True)
    (home / "plain.jpg").write_bytes(jpeg(130, 100))
    (home / "theme.edj").write_bytes(b"EET" + jpeg(70, 65))
    (home / "set.rcc").write_bytes(qt_resource({"a.jpg": jpeg(64, 200)}, 2))
    rows = [{"package": "some-photos", "path": p} for p in ("plain.jpg", "theme.edj", "set.rcc/d/a.jpg")]
    monkeypatch.setattr(photographs, "table", lambda split=None: rows)
    found = photographs.all_scales("train", tmp_path)
    assert [tuple(p.shape) for p in found] == [(100, 130, 3), (65, 70, 3), (200, 64, 3)]
    monkeypatch.setattr(photographs, "table", lambda split=None: pytest.fail("unpacked again"))
    again = photographs.all_scales("train", tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(found, again))
