"""What is said of the built-in priors without loading them is true of their folders."""

import json

import pytest

from vipaint_pyro.datasets.shares import are_shares
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.priors.pretrained.folder import read_labels, resolve


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_said_is_true_of_the_folder(name):
    folder = resolve(name)
    side = json.loads((folder / "unet" / "config.json").read_text())["sample_size"]
    if (folder / "vae").is_dir():
        side *= 2 ** (len(json.loads((folder / "vae" / "config.json").read_text())["block_out_channels"]) - 1)
    assert BUILT_IN[name].size == (side, side)
    assert BUILT_IN[name].patches == are_shares(read_labels(folder)["class_names"])


def test_one_of_them_is_of_patches():
    assert [name for name, prior in BUILT_IN.items() if prior.patches] == ["photo-patches"]
