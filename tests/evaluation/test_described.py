"""What is said of a sampler where results are kept."""

import json

from vipaint_pyro.evaluation.described import described
from vipaint_pyro.samplers import DPSSampler


def test_settings_survive_json():
    facts = described(DPSSampler(7))
    assert facts["class"] == "DPSSampler" and facts["num_steps"] == 7 and "chunk" not in facts
    assert facts == json.loads(json.dumps(facts))
