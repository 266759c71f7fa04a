"""Which images a figure is of: numbered in the test split, each under the mask of its number, with its own label."""

import PIL.Image
import pytest
import torch

from vipaint_pyro.evaluation.figures import scene
from vipaint_pyro.evaluation.study import sources
from vipaint_pyro.measurements.masks import rotated_window


@pytest.fixture
def splits(tmp_path, monkeypatch, network_prior):
    """Ten images whose pixels all are their number / 10, of classes number % 4."""
    images = (torch.arange(10) / 10).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    (tmp_path / "t10k-images-idx3-ubyte.gz").touch()
    asked = []

    def fashion_mnist(split, folder):
        asked.append((split, folder))
        return images, torch.arange(10) % 4

    monkeypatch.setattr(sources, "fashion_mnist", fashion_mnist)
    monkeypatch.setattr(scene.DiffusionPrior, "from_pretrained", lambda name: network_prior)
    return asked


def test_images_are_those_of_their_numbers(splits, tmp_path):
    found = scene.scene_of("fashion-mnist", "rotated", 3, 5, 7, tmp_path)
    assert splits == [("test", tmp_path)] and len(found) == 3
    assert torch.equal(found.truth[:, 0, 0, 0], torch.tensor([0.5, 0.6, 0.7])) and found.labels == [1, 2, 3]
    assert found.first == 5 and found.seeds == [12, 13, 14]
    for i, observed in enumerate(found.measurement.operator.observed):
        assert torch.equal(observed, rotated_window((8, 8), torch.Generator().manual_seed(5 + i)))
        assert torch.equal(found.measurement.y[i], torch.where(observed, found.truth[i], 0))


def test_a_hole_may_be_the_upper_half(splits, tmp_path):
    found = scene.scene_of("fashion-mnist", "upper half", 1, 9, 0, tmp_path)
    observed = found.measurement.operator.observed
    assert not observed[..., :4, :].any() and observed[..., 4:, :].all() and found.labels == [1]


def test_images_that_are_not_there(splits, tmp_path):
    with pytest.raises(ValueError, match="the data have 10 images"):
        scene.scene_of("fashion-mnist", "rotated", 3, 9, 0, tmp_path)


def test_pictures_are_the_priors_own_unless_a_folder_is_given(splits, tmp_path):
    scene.scene_of("fashion-mnist", "rotated", 1, 0, 0, None)
    assert splits == [("test", sources.FASHION_MNIST_FOLDER)]
    own = tmp_path / "own"
    own.mkdir()
    PIL.Image.new("L", (8, 8), 255).save(own / "white.png")
    found = scene.scene_of("cartoon-faces", "rotated", 1, 0, 0, own)
    assert torch.equal(found.truth, torch.ones(1, 1, 8, 8)) and found.labels == [None]
