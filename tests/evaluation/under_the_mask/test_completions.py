"""Completions of a question: kept with their settings, drawn in batches of one fit."""

import pytest
import torch

from vipaint_pyro.evaluation.under_the_mask.completions import complete, kept
from vipaint_pyro.evaluation.under_the_mask.questions import questions
from vipaint_pyro.samplers import VIPaintSampler


def test_completions_are_kept_and_come_from_the_same_settings(tmp_path):
    path = tmp_path / "completions" / "one.safetensors"
    x = torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2)
    first = kept(path, {"a": 1}, lambda: x)
    again = kept(path, {"a": 1}, lambda: pytest.fail("drawn anew"))
    assert torch.equal(first, again) and (first / 127.5 - 1 - x).abs().max() < 0.004
    assert [*path.parent.iterdir()] == [path]
    with pytest.raises(ValueError, match="other settings"):
        kept(path, {"a": 2}, lambda: x)


def test_completions_in_batches_share_one_fit_and_keep_what_is_seen():
    (question,) = questions("mouth", 1)
    fits = []

    class Stub(VIPaintSampler):
        guide = None

        def from_guide(self, guide):
            again = Stub()
            object.__setattr__(again, "guide", guide)
            return again

        def __call__(self, prior, measurement, num_samples, generator):
            fits.append(self.guide)
            noise = 3 * torch.randn(num_samples, 1, 3, 64, 64, generator=generator)
            return type("Drawn", (), {"images": noise, "guide": "fitted"})

    x = complete(None, question, Stub(), completions=7, batch=3)
    assert x.shape == (7, 3, 64, 64) and fits == [None, "fitted", "fitted"]
    seen = question.observed.expand(3, -1, -1)
    assert (x[:, seen] == question.truth[seen]).all() and x.abs().max() == 1
    assert len({v.item() for v in x[:, ~seen][:, 0]}) > 1 and (x == complete(None, question, Stub(), 7, 3)).all()
