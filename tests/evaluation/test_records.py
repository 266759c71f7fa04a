"""Results kept image by image: what they are called, what they say of a sampler, what is missing."""

import json

from vipaint_pyro.evaluation.records import chunks, described, file_name
from vipaint_pyro.samplers import DPSSampler


def test_missing_images_by_chunks():
    assert chunks([], 4) == []
    assert chunks([0, 1, 2, 3, 4], 4) == [(0, 4), (4, 5)]
    assert chunks([1, 2, 5, 6, 7], 2) == [(1, 3), (5, 7), (7, 8)]


def test_settings_survive_json():
    facts = described(DPSSampler(7))
    assert facts["class"] == "DPSSampler" and facts["num_steps"] == 7
    assert facts == json.loads(json.dumps(facts))
    assert file_name("DPS with VIPaint's step, equal calls") == "dps-with-vipaints-step-equal-calls"
