"""The patches of photographs that come with the package: what they are, and how they are cut."""

import importlib
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vipaint_pyro.datasets.photos import SPLITS, photos
from vipaint_pyro.datasets.shares import SHARES
from vipaint_pyro.images import read_image, to_bytes

SCRIPTS = Path(__file__).parents[2] / "examples" / "priors"
ASSETS = Path(str(files("vipaint_pyro") / "assets" / "photos"))


@pytest.fixture
def script(monkeypatch):
    """The script that cut them, and the module of photographs that it uses."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    ours = ("cut_photo_patches", "photographs")
    for name in ours:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("cut_photo_patches")
    for name in ours:
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize("split, count, columns", [("test", 40, 8), ("validation", 36, 6)])
def test_every_patch_is_a_tile_of_the_sheet_in_rows(split, count, columns):
    images, rows = photos(split)
    assert images.shape == (count, 3, 64, 64) and images.dtype == torch.float32 and len(rows) == count
    sheet = np.asarray(read_image(ASSETS / f"{split}.png"))
    for k in (0, columns + 2, count - 1):
        top, left = 64 * (k // columns), 64 * (k % columns)
        tile = torch.from_numpy(sheet[top : top + 64, left : left + 64].copy()).permute(2, 0, 1)
        assert torch.equal(to_bytes(images[k]), tile)


def test_one_patch_a_test_photograph_and_two_a_validation_one(script):
    where = {split: Counter((r["package"], r["path"]) for r in photos(split)[1]) for split in SPLITS}
    assert {*where["test"].values()} == {1} and {*where["validation"].values()} == {2}
    for split, found in where.items():
        known = {(r["package"], r["path"]): r for r in script.table(split)}
        assert found.keys() <= known.keys()
        for row in photos(split)[1]:
            own = known[row["package"], row["path"]]
            assert (row["author"], row["licence"], row["source"]) == (own["author"], own["licence"], own["source"])


@pytest.mark.parametrize("split", SPLITS)
def test_none_is_flat_or_reaches_out_and_the_class_is_the_share(script, split):
    images, rows = photos(split)
    for patch, row in zip(to_bytes(images), rows):
        width, height = map(int, row["scale"].split("x"))
        assert 0 <= int(row["left"]) <= width - 64 and 0 <= int(row["top"]) <= height - 64
        assert script.spread(patch) > script.FLAT
        share = 64 / max(width, height)
        assert row["class"] == [*SHARES][(share >= 1 / 16) + (share >= 1 / 8) + (share >= 1 / 4)]
    assert len({row["class"] for row in rows}) >= 3


def test_the_readme_names_every_photograph():
    said = (ASSETS / "README.md").read_text(encoding="utf-8")
    for split in SPLITS:
        for row in photos(split)[1]:
            assert row["name"] in said and row["author"] in said and row["licence"] in said
    assert max(path.stat().st_size for path in ASSETS.iterdir()) < 400_000


def test_another_split_is_refused():
    with pytest.raises(ValueError, match="split is 'test' or 'validation', not 'train'"):
        photos("train")


def test_photographs_that_are_flat_are_passed_over(script, tmp_path, monkeypatch):
    """Of four photographs, one flat: two patches of each of the others, as the rows say where they lie."""
    rng = np.random.default_rng(0)
    flat, noisy = np.full((80, 90, 3), 100), rng.integers(0, 256, (3, 70, 200, 3))
    arrays = [*noisy, flat]
    rows = [
        {"package": "p", "path": f"a/b/{name}.png", "author": "A|B", "licence": "CC0-1.0", "source": ""}
        for name in ("x", "y", "Kite/contents/images/200x70", "flat")
    ]
    pictures = {row["path"]: Image.fromarray(a.astype(np.uint8)) for row, a in zip(rows, arrays)}
    monkeypatch.setattr(script, "photograph", lambda row, folder: pictures[row["path"]])
    found = script.cut(rows, tmp_path, 3, 2)
    assert Counter(row["name"] for _, row in found) == {"x": 2, "y": 2, "Kite": 2}
    for patch, row in found:
        left, top = int(row["left"]), int(row["top"])
        own = np.asarray(pictures[row["path"]])[top : top + 64, left : left + 64]
        own = own[:, ::-1] if row["mirrored"] == "yes" else own
        assert np.array_equal(patch.permute(1, 2, 0).numpy(), own) and row["scale"] == "200x70"
    assert {row["mirrored"] for _, row in found} == {"yes", "no"}
    again = script.cut(rows, tmp_path, 3, 2)
    assert all(torch.equal(a, b) and r == s for (a, r), (b, s) in zip(found, again))
    with pytest.raises(ValueError, match="4 photographs are asked for, but only 3 have"):
        script.cut(rows, tmp_path, 4, 2)
    monkeypatch.setattr(script, "table", lambda split: rows)
    monkeypatch.setattr(script, "SPLITS", {"test": (3, 1, 2), "validation": (2, 2, 3)})
    script.main.callback(data=tmp_path, out=tmp_path / "out")
    assert read_image(tmp_path / "out" / "test.png").size == (128, 128)
    assert read_image(tmp_path / "out" / "validation.png").size == (192, 128)
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "A\\|B" in text and len((tmp_path / "out" / "validation.csv").read_text().splitlines()) == 5
