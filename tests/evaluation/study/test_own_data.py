"""Every built-in prior has data of its own, which the study knows by name."""

import pytest

from vipaint_pyro.evaluation.study.own_data import own_data
from vipaint_pyro.evaluation.study.sources import NAMED
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN


@pytest.mark.parametrize("prior", BUILT_IN)
def test_data_of_a_built_in_prior(prior):
    assert own_data(prior) == {"photo-patches": "photos"}.get(prior, prior)
    assert own_data(prior) in NAMED


def test_another_prior_has_none():
    assert own_data("owner/name") is None and own_data("photos") is None
