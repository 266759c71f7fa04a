"""A study's prior: another text encoder is another prior."""

import pytest
import torch

from tests.priors.pretrained.tiny import stable_diffusion
from vipaint_pyro.evaluation.study.priors import PriorName, load


@pytest.fixture(autouse=True)
def forgotten():
    load.cache_clear()
    yield
    load.cache_clear()


def test_the_weights_of_a_text_encoder_are_in_the_fingerprint(tmp_path):
    pytest.importorskip("transformers")
    pipe = stable_diffusion()
    pipe.save_pretrained(tmp_path / "one")
    with torch.no_grad():
        next(iter(pipe.text_encoder.parameters())).add_(1e-2)
    pipe.save_pretrained(tmp_path / "two")
    (_, one), (_, two) = (load(PriorName(str(tmp_path / name))) for name in ("one", "two"))
    load.cache_clear()
    assert one != two and load(PriorName(str(tmp_path / "one")))[1] == one
