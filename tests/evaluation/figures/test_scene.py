"""Which images a figure is of: numbered in the test split, each under the mask of its number, with its own label."""

import pytest
import torch

from vipaint_pyro.evaluation import benchmarks
from vipaint_pyro.evaluation.figures import scene
from vipaint_pyro.measurements.masks import rotated_window


@pytest.fixture
def splits(monkeypatch, network_prior):
    """Ten images whose pixels all are their number / 10, of classes number % 4."""
    images = (torch.arange(10) / 10).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    asked = []

    def fashion_mnist(split, folder):
        asked.append((split, folder))
        return images, torch.arange(10) % 4

    monkeypatch.setattr(benchmarks, "fashion_mnist", fashion_mnist)
    monkeypatch.setattr(scene.DiffusionPrior, "from_pretrained", lambda name: network_prior)
    return asked


def test_images_are_those_of_their_numbers(splits):
    found = scene.scene_of("fashion-mnist", "rotated", 3, 5, 7, "folder")
    assert splits == [("test", "folder")] and len(found) == 3
    assert torch.equal(found.truth[:, 0, 0, 0], torch.tensor([0.5, 0.6, 0.7])) and found.labels == [1, 2, 3]
    assert found.first == 5 and found.seeds == [12, 13, 14]
    for i, observed in enumerate(found.measurement.operator.observed):
        assert torch.equal(observed, rotated_window((28, 28), torch.Generator().manual_seed(5 + i)))
        assert torch.equal(found.measurement.y[i], torch.where(observed, found.truth[i], 0))


def test_a_hole_may_be_the_upper_half(splits):
    found = scene.scene_of("fashion-mnist", "upper half", 1, 9, 0, "folder")
    observed = found.measurement.operator.observed
    assert not observed[..., :14, :].any() and observed[..., 14:, :].all() and found.labels == [1]


def test_images_that_are_not_there(splits):
    with pytest.raises(ValueError, match="the split has 10 images, not 12"):
        scene.scene_of("fashion-mnist", "rotated", 3, 9, 0, "folder")
