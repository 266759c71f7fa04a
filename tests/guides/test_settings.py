"""Settings of guides by the keywords of what makes them: what each may be, and what a text says."""

from collections.abc import Sequence
from inspect import Parameter
from typing import Literal

import pytest
import torch
from torch import Tensor

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.evaluation.study.methods import settings_of as study_settings
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.guides import GUIDES, Recipe, recipe
from vipaint_pyro.guides.settings import checked_settings, settings_of
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.samplers import VIPaintSampler, make_sampler
from vipaint_pyro.samplers.written import written


def made(
    model, y, *, whole: int = 1, real: float = 0.5, on: bool = False, word: str = "a", maybe: int | None = None,
    old=None, either=1, one_of: Literal["x", "y"] = "x", part: Literal["x", None] = None, of_numbers: Literal[1, 2] = 1,
    many: Sequence[int] = (1, 2), bare=3, plain=None, tensor: Tensor | None = None, needed: float,
):  # fmt: skip
    """Every kind of keyword."""


made.__annotations__ |= {"old": "Optional[float]", "either": "typing.Union[int, str]"}  # as others write them
ALL = Recipe("all", "", made)
GIVEN = {"needed": 1.0}


@pytest.mark.parametrize(
    "name, given, expected",
    [
        ("whole", 4, 4), ("whole", "4", 4), ("real", 1, 1.0), ("real", "1e-3", 0.001), ("on", "yes", True),
        ("on", "False", False), ("word", "4", "4"), ("maybe", "none", None), ("maybe", "7", 7), ("old", "2", 2.0),
        ("either", "4", 4), ("either", "b", "b"), ("one_of", "y", "y"), ("part", "x", "x"), ("part", "none", None),
        ("many", "3,4", (3, 4)), ("many", [5], (5,)),
        ("many", "6", (6,)), ("bare", "9", 9), ("plain", "0.5", 0.5), ("plain", "x", "x"), ("plain", "none", None),
    ],
)  # fmt: skip
def test_a_value_is_what_its_keyword_takes(name, given, expected):
    found = checked_settings(ALL, {**GIVEN, name: given})[name]
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    "name, given, words",
    [
        ("whole", "x", "whole is a whole number, but is 'x'"), ("whole", 1.5, "whole is a whole number, but is 1.5"),
        ("whole", True, "whole is a whole number, but is True"),
        ("real", "nan", "real is a finite number, but is 'nan'"),
        ("on", 1, "on is True or False, but is 1"), ("word", 3, "word is a text, but is 3"),
        ("maybe", 0.5, "maybe is a whole number or none, but is 0.5"), ("one_of", "z", "one_of is one of x, y, but is"),
        ("many", "a,b", "many is a list of numbers, like 64,64, but is 'a,b'"),
        ("tensor", torch.zeros(1), "tensor of the guide 'all' is neither number, word nor list, and can be given in"),
        ("of_numbers", 2, "of_numbers of the guide 'all' is neither number, word nor list"),
        ("wole", 1, "the guide 'all' has no setting 'wole'. Did you mean 'whole'. It has whole, real, on, word"),
    ],
)  # fmt: skip
def test_what_it_does_not_take_is_refused_in_a_line(name, given, words):
    with pytest.raises(ValueError, match=f"^guide_settings: .*{words}") as raised:
        checked_settings(ALL, {**GIVEN, name: given})
    assert "\n" not in str(raised.value)


def test_what_has_no_default_is_needed():
    with pytest.raises(ValueError, match="guide_settings: the guide 'all' needs needed"):
        checked_settings(ALL, None)
    assert settings_of(ALL)["needed"].default is Parameter.empty


def test_the_settings_of_every_guide():
    found = {name: settings_of(known) for name, known in GUIDES.items()}
    assert {n: s.default for n, s in found["mixture"].items() if s.kinds} == {
        "num_components": 8, "spread": 0.5, "gamma": 0.88, "std_scale": 0.7,
    }  # fmt: skip
    assert "rank" in found["AutoLowRankMultivariateNormal"] and "rank" not in found["AutoNormal"]
    assert {"hidden_dim", "num_transforms"} <= found["AutoIAFNormal"].keys()
    assert found["gaussian"] == {} and found["flow"]["hidden"].value("8,8") == (8, 8)
    # The default guide is one of these, and --guide-set is read before it is known which.
    assert found["hierarchical"].keys() <= found["hierarchical-guided"].keys()
    for settings in found.values():  # a default is a value
        for s in settings.values():
            assert not s.kinds or s.value(s.default) == s.default


def test_they_reach_the_guide_and_settle(gaussian):
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    few = {"timesteps": (500, 100), "fit_steps": 1, "refinement_steps": 2, "num_chains": 1}
    s = VIPaintSampler(**few, guide_name="mixture", guide_settings={"num-components": "3"}).settle(gaussian, seen)
    assert s.guide_settings == {"num_components": 3} and s.settle(gaussian, seen) == s and hash(s) == hash(s)
    assert s(gaussian, seen, 1, torch.Generator().manual_seed(0)).guide.logits.shape == (3, 1)
    low = VIPaintSampler(**few, guide_name="AutoLowRankMultivariateNormal", guide_settings={"rank": 2})
    assert low(gaussian, seen, 1, torch.Generator().manual_seed(0)).guide.auto.cov_factor.shape == (12, 2)
    with pytest.raises(ValueError, match="guide_settings is a dict from names to values, but is 3"):
        VIPaintSampler(guide_settings=3).settle(gaussian, seen)
    with pytest.raises(ValueError, match="the guide 'hierarchical-guided' has no setting 'rank'"):
        VIPaintSampler(guide_settings={"rank": 3}).settle(gaussian, seen)


def test_in_a_study_they_are_written_with_the_method(gaussian):
    spec = Spec.of("vipaint-2:guide-name=mixture;guide.num-components=3;guide.spread=0.2;beta=2")
    assert spec.settings == {
        "guide_name": "mixture", "guide_settings": {"num_components": "3", "spread": "0.2"}, "beta": 2.0,
    }  # fmt: skip
    chosen = {"guide_settings": {"spread": 0.9, "gamma": 0.5}}
    found = study_settings(spec.text, gaussian, 4, chosen)
    assert found["guide_settings"] == {"spread": "0.2", "gamma": 0.5, "num_components": "3"}
    settled = make_sampler("vipaint", **found).settle(gaussian, Measurement.of(Inpainting(OBSERVED), Y))
    assert settled.guide_settings == {"spread": 0.2, "gamma": 0.5, "num_components": 3}


@pytest.mark.parametrize(
    "method, text, words",
    [
        ("dps", "guide.rank=4", "dps has no setting 'guide.rank'"),
        ("vipaint", "guide.rank", r"guide\. takes NAME=VALUE, not 'rank'"),
        ("vipaint", "guide-settings=4", r"settings of the guide are written guide\.NAME=VALUE, one by one"),
    ],
)
def test_other_forms_are_refused(method, text, words):
    from vipaint_pyro.samplers.registry import METHODS

    with pytest.raises(ValueError, match=words):
        written(METHODS[method], [text])
    with pytest.raises(ValueError, match="guide.rank is given twice: give one"):
        written(METHODS["vipaint"], ["guide.rank=4", "guide.rank=5"])


def test_a_class_that_hands_keywords_on_has_those_of_its_base():
    kind = recipe("vipaint_pyro.guides.mixture:MixtureGuide").build

    class Few(kind):
        def __init__(self, model, y, *, few: int = 2, **more):
            super().__init__(model, y, num_components=few, **more)

    class Closed(Few):
        def __init__(self, model, y, *, own: bool = True):
            super().__init__(model, y)

    assert list(settings_of(recipe(Few)))[:3] == ["few", "num_components", "spread"]
    assert list(settings_of(recipe(Closed))) == ["own"]
