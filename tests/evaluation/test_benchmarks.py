"""Benchmarks: an image's mask, noise and class depend on its number alone."""

import pytest
import torch

from vipaint_pyro.evaluation import benchmarks
from vipaint_pyro.evaluation.benchmarks import completion, pictures, restoration
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.tasks import TASKS


@pytest.fixture(autouse=True)
def four_garments(monkeypatch):
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    monkeypatch.setattr(benchmarks, "fashion_mnist", lambda split, folder: (images, torch.tensor([9, 2, 1, 1])))


def made(build, what, images, labels=True, cache=None):
    return build("fashion-mnist", what, images, labels, "test", "", cache)


def test_a_completion_is_under_masks_of_its_own_seeds():
    benchmark = made(completion, "rotated", 4)
    expected = torch.stack([MASKS["rotated"]((28, 28), torch.Generator().manual_seed(i)) for i in range(4)])
    seen = benchmark.measurement.part(1, 3)
    assert (seen.operator.observed == expected[1:3]).all()
    assert (seen.y == torch.where(expected, benchmark.truth, 0)[1:3]).all()
    assert len(benchmark) == 4 and benchmark.labels == [9, 2, 1, 1]
    assert benchmark.facts == {"prior": "fashion-mnist", "masks": "rotated", "labels": True, "split": "test"}


def test_a_restoration_of_fewer_images_is_a_part_of_one_of_more():
    more, fewer = made(restoration, "deblur", 4), made(restoration, "deblur", 2, labels=False)
    seen = more.measurement
    assert (seen.part(0, 2).y == fewer.measurement.y).all()
    assert (seen.part(1, 4).y == seen.y[1:]).all()
    assert len(seen.part(1, 4).operator.observed) == 3 and fewer.labels is None
    noise = seen.y - seen.operator(more.truth)
    assert noise.std().item() == pytest.approx(TASKS["deblur"].sigma, rel=0.1)
    assert more.facts["options"] == dict(TASKS["deblur"].options) and more.facts["sigma"] == TASKS["deblur"].sigma


def test_more_images_than_there_are_are_refused():
    with pytest.raises(ValueError, match="the split has 4 images, not 5"):
        made(completion, "rotated", 5)


def test_faces_are_drawn_once(tmp_path):
    truth, classes = pictures("cartoon-faces", "test", 2, "", tmp_path / "cache")
    assert truth.shape == (2, 3, 64, 64) and -1 <= truth.min() < truth.max() <= 1 and len(classes) == 2
    (file,) = (tmp_path / "cache").iterdir()
    changed = file.stat().st_mtime_ns
    assert (pictures("cartoon-faces", "test", 2, "", tmp_path / "cache")[0] == truth).all()
    assert file.stat().st_mtime_ns == changed
