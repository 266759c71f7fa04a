"""A set of twelve pictures in place of 2,000 garments."""

import pytest
import torch

from vipaint_pyro.evaluation.exact_pictures import table
from vipaint_pyro.evaluation.exact_pictures.atoms import SHAPES, Atoms


@pytest.fixture(scope="package")
def atoms():
    """Blocks of 7 x 7 pixels, black or white; three classes."""
    g = torch.Generator().manual_seed(0)
    blocks = torch.randint(0, 2, (15, 1, 4, 4), generator=g).double() * 2 - 1
    images = blocks.repeat_interleave(7, 2).repeat_interleave(7, 3)
    labels = torch.arange(12)[:, None] % 3
    assert images.shape[1:] == SHAPES["garments"] and len(images.unique(dim=0)) == 15
    return Atoms("garments", images[:12], labels, (3,), images[12:])


@pytest.fixture
def few(atoms, monkeypatch):
    """The same, loaded in place of any set; what was asked for."""
    loaded = []

    def load(name, number, outside, kept, data):
        loaded.append((name, number, outside))
        return atoms

    monkeypatch.setattr(table, "load_atoms", load)
    return loaded
