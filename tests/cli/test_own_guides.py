"""A guide in a file of one's own, from the shell: fitted, kept, drawn from; its settings, and those of any other."""

import json
import sys

import pytest

from tests.cli.calls import inpaint, vipaint

MODULE = '''
from vipaint_pyro.guides import HierarchicalGuide

class Narrow(HierarchicalGuide):
    """VIPaint's, narrower."""

    def __init__(self, model, y, *, width: float = 0.5):
        super().__init__(model, y, std_scale=width)
'''
TIMES = ["--timesteps", "700,300"]


@pytest.fixture
def mine(here, monkeypatch):
    (here / "guides_of_cli_test.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield "guides_of_cli_test:Narrow"
    sys.modules.pop("guides_of_cli_test", None)


def facts(folder):
    return json.loads((folder / "run.json").read_text())["settings"]


@pytest.mark.filterwarnings("default:the code of")
def test_it_is_fitted_and_drawn_from_again(here, mine):
    result = inpaint("--guide", mine, "--guide-set", "width=0.25", *TIMES, "--out", "out")
    assert result.exit_code == 0, result.output
    assert (facts(here / "out")["guide_name"], facts(here / "out")["guide_settings"]) == (mine, {"width": 0.25})
    result = vipaint("draw", "out", "--samples", 2, "--quiet", "--out", "again")
    assert result.exit_code == 0, result.output
    assert facts(here / "again")["guide_settings"] == {"width": 0.25}
    for name in ("sample-00.png", "sample-01.png"):
        assert (here / "out" / name).read_bytes() == (here / "again" / name).read_bytes()
    code = json.loads((here / "out" / "run.json").read_text())["code"]
    assert code == {mine: json.loads((here / "out" / "guide.json").read_text())["code"]} and len(code[mine]) == 16
    assert "has changed" not in result.output
    file = here / f"{mine.partition(':')[0]}.py"
    file.write_text(file.read_text() + "# changed\n")
    result = vipaint("draw", "out", "--samples", 2, "--quiet", "--out", "changed")
    assert result.exit_code == 0, result.output
    assert f"Warning: the code of {mine} has changed since the guide in out was fitted" in result.output


def test_its_needs_and_settings_are_listed(mine):
    result = vipaint("guides", mine, "mixture")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith("loading")]
    assert lines[:3] == [
        f"{mine}: VIPaint's, narrower",
        "  for the bridge form of the model, any number of levels, any number of images",
        "  width                    a finite number. Default: 0.5.",
    ]
    assert "  num-components           a whole number. Default: 8." in lines
    assert "  starts                   given in Python alone. Default: none." in lines
    assert " " * 27 + "M, at least 1" in lines
    said = json.loads(vipaint("guides", mine, "--json").stdout)["guides"]
    assert [s["settings"] for s in said] == [
        [{"name": "width", "default": 0.5, "needed": False, "text": "a finite number", "meaning": ""}]
    ]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--guide", "guides_of_cli_test:Narow"], "Did you mean 'Narrow'"),
        (["--guide", "no_such_of_test:G"], "there is no module no_such_of_test"),
        (["--guide-set", "rank=4"], "--guide-set: the guide 'hierarchical-guided' has no setting 'rank'"),
        (["--guide", "mixture", "--guide-set", "num-components=x"], "num_components is a whole number, but is 'x'"),
        (["--guide", "mixture", "--guide-set", "spread"], "--guide-set takes NAME=VALUE, not 'spread'"),
        (["--guide-set", "gamma=1", "--guide-set", "gamma=2"], "--guide-set gamma is given twice"),
        (["--set", "guide.gamma=1"], "write --guide-set gamma=1"),
        (["--method", "dps", "--guide-set", "gamma=1"], "the method 'dps' has no --guide-set"),
    ],
)
def test_what_there_is_not_is_refused_before_the_prior_is_loaded(mine, arguments, words):
    fewer = [] if "--method" not in arguments else ["--samples", 2]
    result = vipaint("inpaint", "image.png", "mask.png", "--prior", "no/such", *arguments, *fewer)
    assert result.exit_code == 1 and words in result.stderr, result.output
    assert "no/such" not in result.stderr
