"""Images by number: from the built-in kinds, a folder, and the hub."""

import sys
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch

from vipaint_pyro.datasets import photos
from vipaint_pyro.evaluation.study.sources import make_source
from vipaint_pyro.images import from_bytes, to_bytes

GREY, COLOUR = (SimpleNamespace(image_shape=s, class_names=("cat", "dog")) for s in ((1, 8, 8), (3, 64, 64)))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("b.png", "a.png", "cat/c.png", "1/d.png", "x/e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_is_read_by_name_with_the_classes_of_its_subfolders(folder):
    source = make_source(str(folder), "test", GREY)
    assert [source.name(i) for i in range(len(source))] == ["1/d.png", "a.png", "b.png", "cat/c.png", "x/e.png"]
    assert [source.label(i) for i in range(5)] == [1, None, None, 0, None]
    truth = source.truth(1)
    assert truth.shape == (1, 8, 8) and truth.dtype == torch.float32
    assert torch.equal(to_bytes(truth)[0], torch.from_numpy(np.asarray(PIL.Image.open(folder / "a.png")).copy()))
    source.check(range(5))


def test_a_picture_of_another_size_is_refused_with_the_sizes_or_resized_where_asked(folder):
    PIL.Image.new("L", (16, 12), 200).save(folder / "cat" / "c.png")
    said = "cat/c.png is 16x12, but the prior takes 8x8: --resize"
    with pytest.raises(ValueError, match=said):
        make_source(str(folder), "test", GREY).check(range(5))
    with pytest.raises(ValueError, match="cat/c.png: the image is 16x12 .* --resize"):
        make_source(str(folder), "test", GREY).truth(3)
    resized = make_source(str(folder), "test", GREY, resize=True)
    resized.check(range(5))
    assert torch.equal(resized.truth(3), from_bytes(torch.full((1, 8, 8), 200)))


def test_too_few_images_are_refused(folder):
    with pytest.raises(ValueError, match="images 3 ... 7 are asked for, but the data have 5 images"):
        make_source(str(folder), "test", GREY).check(range(3, 8))


@pytest.mark.parametrize(
    "data, split, resize, message",
    [
        ("nowhere", "test", False, "are fashion-mnist, cartoon-faces, photos, a folder of pictures or hf:NAME"),
        ("FOLDER", "train", False, "has no split 'train'"),
        ("FOLDER/empty", "test", False, "holds no pictures"),
        ("cartoon-faces", "test", True, "leave --resize out"),
        ("cartoon-faces", "dev", False, "split is 'train' or 'test'"),
        ("photos", "train", False, "split is 'test' or 'validation', not 'train'"),
        ("photos", "test", True, "leave --resize out"),
        ("photos", "test", False, "64x64 with 3 channels, but the prior takes 8x8 with 1"),
        ("cartoon-faces", "test", False, "64x64 with 3 channels, but the prior takes 8x8 with 1"),
    ],
)
def test_data_that_cannot_be_are_refused(folder, data, split, resize, message):
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        make_source(data.replace("FOLDER", str(folder)), split, GREY, resize)


def test_faces_are_the_ones_of_the_prior():
    from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces

    source, (faces, attributes) = make_source("cartoon-faces", "test", COLOUR), cartoon_faces("test", 2)
    assert torch.equal(to_bytes(source.truth(1)), faces[1]) and source.label(1) == int(attributes[1, 0])


class _Table(list):
    features: dict

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


def test_pictures_of_the_hub(monkeypatch):
    kinds = SimpleNamespace(Image=type("Image", (), {}), ClassLabel=type("ClassLabel", (), {}))
    table = _Table([{"img": PIL.Image.new("L", (8, 8), v), "label": v} for v in (3, 4)])
    table.features = {"img": kinds.Image(), "label": kinds.ClassLabel()}
    asked = []
    kinds.load_dataset = lambda *given, **how: asked.append((given, how)) or table
    monkeypatch.setitem(sys.modules, "datasets", kinds)
    source = make_source("hf:someone/some:plain", "validation", GREY)
    assert asked == [(("someone/some", "plain"), {"split": "validation"})]
    assert len(source) == 2 and source.label(1) == 4 and source.name(1) == "hf:someone/some:plain 1"
    assert torch.equal(source.truth(1), from_bytes(torch.full((1, 8, 8), 4)))
    table.features = {"text": None}
    with pytest.raises(ValueError, match="no column of pictures, but text"):
        make_source("hf:someone/some", "test", GREY)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match="extra 'datasets'"):
        make_source("hf:someone/some", "test", GREY)


def test_patches_of_photographs_have_a_class_where_the_prior_knows_it():
    images, rows = photos("validation")
    source = make_source("photos", "validation", COLOUR)
    assert len(source) == 36 and torch.equal(source.truth(5), images[5]) and source.label(5) is None
    assert source.name(5) == rows[5]["name"] == "Picture_0B_by_freespace"
    prior = SimpleNamespace(image_shape=(3, 64, 64), class_names=("scene", "object", "none", "part", "detail"))
    told = make_source("photos", "validation", prior)
    assert [prior.class_names[told.label(i)] for i in range(36)] == [row["class"] for row in rows]
    assert len(make_source("photos", "test", COLOUR)) == 40
