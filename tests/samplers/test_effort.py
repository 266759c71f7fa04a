"""Efforts: presets of VIPaint's settings, each of which a setting that is given besides overrides."""

from dataclasses import asdict, fields

import pytest

from tests.samplers.test_alone_and_in_a_batch import seen, tiny
from vipaint_pyro.evaluation.study.claims import claimed
from vipaint_pyro.evaluation.study.methods import settings_of
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.pipelines.asked import asked_sampler
from vipaint_pyro.samplers import METHODS, make_sampler
from vipaint_pyro.samplers.vipaint.effort import EFFORTS, at_effort
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler


@pytest.mark.parametrize("kind", ["pixel", "latent"])
@pytest.mark.parametrize("name", EFFORTS)
def test_each_settles_on_what_the_table_says(name, kind):
    prior, measurement = tiny(kind), seen()
    settled = make_sampler("vipaint", effort=name).settle(prior, measurement)
    plain = asdict(VIPaintSampler().settle(prior, measurement))
    assert asdict(settled) == plain | EFFORTS[name]
    assert settled.settle(prior, measurement) == settled


def test_standard_is_the_defaults():
    assert make_sampler("vipaint", effort="standard") == make_sampler("vipaint") == VIPaintSampler()


def test_they_are_settings_that_differ_from_the_defaults():
    """So that a preset says what it changes and nothing else."""
    default = {f.name: f.default for f in fields(VIPaintSampler)}
    for values in EFFORTS.values():
        assert all(values[name] != default[name] for name in values)


@pytest.mark.parametrize("kind", ["pixel", "latent"])
def test_each_costs_more_than_the_one_before(kind):
    """Forward calls per sample, of 8: about 50, 178, and a most that is below 700."""
    prior, measurement = tiny(kind), seen(1)
    draft, standard, best = (
        claimed(make_sampler("vipaint", effort=name).settle(prior, measurement), prior, 8).forward for name in EFFORTS
    )
    assert 45 <= draft <= 55 and standard == 178 and 2 * standard < best < 700


def test_a_setting_beside_it_stays():
    made = make_sampler("vipaint", effort="draft", fit_steps=7, beta=2.0)
    assert made == VIPaintSampler(**{**EFFORTS["draft"], "fit_steps": 7, "beta": 2.0})
    given = {"effort": "draft", "fit_steps": 7}
    assert at_effort("vipaint", given) == {**EFFORTS["draft"], "fit_steps": 7}
    assert given == {"effort": "draft", "fit_steps": 7}  # left as it was
    assert at_effort("dps", {"zeta": 1.0}) == {"zeta": 1.0}


def test_of_the_pipeline_its_own_words_override_it_too():
    sampler, _, written = asked_sampler("vipaint", None, {"effort": "best"}, 12, [])
    assert sampler == VIPaintSampler(**{**EFFORTS["best"], "refinement_steps": 12})
    assert written == {"refinement_steps": "num_inference_steps"}


@pytest.mark.parametrize(
    "name, said",
    [
        ("drft", "effort is one of draft, standard, best, but is 'drft'. Did you mean 'draft'?"),
        ("Best", "effort is one of draft, standard, best, but is 'Best'. Did you mean 'best'?"),
        (3, "effort is one of draft, standard, best, but is 3"),
        (None, "effort is one of draft, standard, best, but is None"),
        ([], "effort is one of draft, standard, best, but is []"),
    ],
)
def test_another_word_is_refused(name, said):
    with pytest.raises(ValueError) as caught:
        make_sampler("vipaint", effort=name)
    assert str(caught.value) == said


@pytest.mark.parametrize("method", [m for m in METHODS if m != "vipaint"])
def test_of_another_method_it_is_refused(method):
    said = f"^effort is of the method 'vipaint', and '{method}' has none: leave effort out$"
    with pytest.raises(ValueError, match=said):
        make_sampler(method, effort="draft")
    with pytest.raises(ValueError, match=said):
        asked_sampler(method, None, {"effort": "draft"}, None, [])
    with pytest.raises(ValueError, match=said):
        Spec.of(f"{method}:effort=draft")


def test_a_study_writes_it_out():
    prior = tiny("pixel")
    levels = settings_of("vipaint-2", prior, 8)
    assert settings_of("vipaint-2:effort=draft;fit-steps=9", prior, 8) == levels | EFFORTS["draft"] | {"fit_steps": 9}
    assert settings_of("vipaint:effort=best", prior, 8, {"zeta": 1.0}) == {"zeta": 1.0} | EFFORTS["best"]
    with pytest.raises(ValueError, match="vipaint@90:effort=draft: calls and effort both say what a sample costs"):
        Spec.of("vipaint@90:effort=draft")
    with pytest.raises(ValueError, match="effort is one of .* but is 'bst'. Did you mean 'best'"):
        Spec.of("vipaint:effort=bst")
    with pytest.raises(ValueError, match="effort is given twice"):
        Spec.of("vipaint:effort=best;effort=draft")
