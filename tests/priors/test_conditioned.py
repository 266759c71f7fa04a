"""Labels and embeddings that a prior cannot be given are refused by name before a network is called."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel

from tests.conftest import tiny_unet
from vipaint_pyro import DiffusionPrior


@pytest.fixture(scope="module")
def text():
    network = UNet2DConditionModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8,), norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), cross_attention_dim=8, attention_head_dim=2,
    )  # fmt: skip
    return DiffusionPrior.from_components(network, DDPMScheduler())


def states(*shape):
    return {"encoder_hidden_states": torch.ones(shape)}


@pytest.mark.parametrize(
    "condition, negative, weight, error, words",
    [
        (states(2, 3, 8), states(3, 3, 8), 3.0, ValueError, r"negative is of shape \(3, 3, 8\), but that of condition"),
        (states(2, 3, 8), states(2, 3, 9), 3.0, ValueError, r"negative is of shape \(2, 3, 9\)"),
        (states(2, 3, 8), states(2, 4, 8), 3.0, ValueError, "they agree, or negative holds one entry for all"),
        (states(2, 3, 8), states(2, 3, 8), 1.0, ValueError, "negative does nothing without guidance: leave it out"),
        ({"encoder_hidden_states": 3}, None, 1.0, TypeError, "encoder_hidden_states of condition is a tensor.*not int"),
        ({"encoder_hidden_states": [[1.0]]}, None, 1.0, TypeError, "is a tensor of shape.*not list"),
        (states(), None, 1.0, ValueError, "one entry for each image, but is a number"),
        ({"encoder_hidden_states": 1j * torch.ones(1, 3, 8)}, None, 1.0, TypeError, "real numbers"),
    ],
)
def test_embeddings_that_cannot_be(text, condition, negative, weight, error, words):
    with pytest.raises(error, match=words):
        text.prompted(condition, negative, weight)


def test_one_negative_serves_all(text):
    assert text.prompted(states(2, 3, 8), states(1, 3, 8), 3.0).embeddings()["encoder_hidden_states"].shape[0] == 4


def test_embeddings_are_replaced_all_or_none(text):
    guided = text.prompted(states(2, 3, 8), states(2, 3, 8), 3.0)
    for wrong in (3, torch.zeros(3, 3, 8)):
        with pytest.raises((TypeError, ValueError), match="is a tensor of shape|or not replaced"):
            guided.embed({"encoder_hidden_states": torch.zeros(4, 3, 8), "other": wrong})
        assert (guided.embeddings()["encoder_hidden_states"] == 1).all()
    guided.embed({"encoder_hidden_states": torch.zeros(4, 3, 8)})
    assert (guided.embeddings()["encoder_hidden_states"] == 0).all()


@pytest.fixture(scope="module")
def labelled():
    return DiffusionPrior.from_components(tiny_unet(classes=3), DDPMScheduler(), 2, ["cat", "dog"])


@pytest.mark.parametrize(
    "labels, numbers",
    [(torch.tensor(1), [1]), (np.array(1), [1]), ("dog", [1]), (1, [1]), (torch.tensor([0, 1]), [0, 1]),
     (np.array([0, 1]), [0, 1]), (("cat", None), [0, 2]), (None, [2])],
)  # fmt: skip
def test_labels_of_every_kind(labelled, labels, numbers):
    assert labelled.conditioned(labels).class_labels.tolist() == numbers


@pytest.mark.parametrize(
    "labels, words",
    [([], "no class label was given"), (object(), "unknown class label <object"), ({1: 0}, "class label {1: 0}"),
     (torch.tensor([[1]]), r"unknown class label \[1\]"), (1.5, "unknown class label 1.5")],
)  # fmt: skip
def test_labels_that_cannot_be(labelled, labels, words):
    with pytest.raises(ValueError, match=words):
        labelled.conditioned(labels)
