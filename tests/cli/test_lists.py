"""The lists as JSON: one document on stdout, of this shape."""

import json

import pytest

from tests.cli.calls import vipaint
from vipaint_pyro.guides import GUIDES
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS, NEEDS
from vipaint_pyro.samplers.written import written_name

METHOD = {"name": str, "summary": str, "paper": str, "cost": str, "needs": list, "for_scale": bool}
ASKED = {**METHOD, "asked": str, "levels": (int, type(None)), "calls": (int, type(None)), "given": dict,
         "settings": list}  # fmt: skip
SETTING = {"name": str, "default": object, "text": str}
GUIDE = {"name": str, "summary": str, "form": str, "levels": (int, type(None)), "joint": bool, "point": bool}
PRIOR = {"name": str, "summary": str, "labels": list}


def document(kind, schema, *args):
    """The entries, each checked: these keys and no others, of these types."""
    result = vipaint(kind, *args, "--json")
    assert result.exit_code == 0 and not result.stderr, result.output
    said = json.loads(result.stdout)
    assert list(said) == [kind]
    for entry in said[kind]:
        of_schema(entry, schema)
    return said[kind]


def of_schema(entry, schema):
    assert entry.keys() == schema.keys()
    assert {key: value for key, value in entry.items() if not isinstance(value, schema[key])} == {}


def test_methods():
    found = document("methods", METHOD)
    assert [m["name"] for m in found] == [*METHODS, *FOR_SCALE]
    assert [m["name"] for m in found if m["for_scale"]] == list(FOR_SCALE)
    assert {need for m in found for need in m["needs"]} <= set(NEEDS)


def test_methods_by_name_have_their_settings():
    found = document("methods", ASKED, *METHODS)
    assert [m["asked"] for m in found] == list(METHODS)
    for method in found:
        for setting in method["settings"]:
            of_schema(setting, SETTING)
        true = METHODS[method["name"]].open()
        assert [setting["name"] for setting in method["settings"]] == [written_name(name) for name in true]
        assert [setting["default"] for setting in method["settings"]] == json.loads(json.dumps(list(true.values())))


def test_a_spec_is_taken_apart():
    two, dps = document("methods", ASKED, "vipaint-2:effort=draft", "dps@20:zeta=1")
    assert (two["name"], two["levels"], two["calls"], two["given"]) == ("vipaint", 2, None, {"effort": "draft"})
    assert (dps["name"], dps["levels"], dps["calls"], dps["given"]) == ("dps", None, 20, {"zeta": 1.0})


@pytest.mark.parametrize("name", ["nonsense", "vipaint-3"])
def test_an_unknown_method_is_one_line_and_no_document(name):
    result = vipaint("methods", name, "--json")
    assert result.exit_code == 1 and not result.stdout and result.stderr.count("\n") == 1


def test_guides():
    assert {g["name"]: g["joint"] for g in document("guides", GUIDE)} == {n: r.joint for n, r in GUIDES.items()}


def test_priors():
    found = {p["name"]: p for p in document("priors", PRIOR)}
    assert list(found) == list(BUILT_IN)
    assert found["fashion-mnist"]["labels"][9] == "ankle boot" and len(found["fashion-mnist"]["labels"]) == 10
