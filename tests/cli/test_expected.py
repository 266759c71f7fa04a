"""What a run says that it will take, against what it took."""

import json
import re
from itertools import count
from pathlib import Path

import pytest

from tests.cli.calls import vipaint

ASK = ["image.png", "mask.png", "--prior", "prior", "--out", "out", "--no-check-kind"]
SHORT = ["--fit-steps", "9", "--refinement-steps", "3"]


def said(*more, command="inpaint"):
    done = vipaint(command, *ASK, *more)
    assert done.exit_code == 0, done.output
    assert "to do" not in done.stdout and " left" not in done.stdout
    found = [line for line in re.split(r"[\r\n]+", done.stderr) if line.startswith(("to do: ", "about "))]
    return found, json.loads(Path("out/run.json").read_text())


@pytest.fixture
def clock(monkeypatch):
    """Ten seconds pass from each look at it to the next."""
    ticks = map(float, count(10, 10))
    monkeypatch.setattr("vipaint_pyro.cli.expected.perf_counter", lambda: next(ticks))


def test_calls_are_those_that_are_made_and_the_time_is_of_the_first_steps(here, clock):
    (calls, left), facts = said(*SHORT, "--samples", 2, "--guide", "hierarchical")
    fit, each = facts["denoiser_calls"]["fit"], facts["denoiser_calls"]["refinement"] // 2
    assert calls == (
        f"to do: 9 steps of the fit, {fit} calls of the network, then 2 samples of {each} calls of the network each"
    )
    # A step takes a third of that; 5 are left, and 2 samples with 2 ways back each, a way back being two calls.
    step = 3 * fit / 9
    assert left == f"about {10 * (5 + 2 * (each + 2 * 2) / step) / 3:.0f} s left, as the first steps went"


def test_of_a_region_its_own_time_is_said(here):
    (_, left), _ = said(*SHORT, "--samples", 1, "--guide", "hierarchical", "--region", "0,0,8,8")
    assert re.fullmatch(r"about \d+ s left of this region, as the first steps went", left)


def test_of_a_fit_alone_its_own_are_said(here):
    (calls,), _ = said("--fit-steps", 3, command="fit")
    assert re.fullmatch(r"to do: 3 steps of the fit, \d+ calls of the network", calls)


@pytest.mark.parametrize(
    "more, text",
    [
        (["--method", "dps", "--set", "num-steps=4"], "to do: 2 samples of 4 calls of the network each"),
        ([*SHORT, "--guide", "mixture"], "to do: 9 steps of the fit, then 3 steps of the refinement for 2 samples"),
    ],
)
def test_what_is_known_ahead_is_said(here, more, text):
    found, _ = said(*more, "--samples", 2)
    assert found[0].startswith(text)


@pytest.mark.parametrize("method", ["red-diff", "red-diff-v"])
def test_a_fit_that_is_the_whole_method_is_left_to_its_bar(here, method):
    """Its calls are no step's of VIPaint: the time that is left was once divided by none."""
    found, _ = said("--method", method, "--set", "num-steps=9", "--samples", 2)
    assert found == ["to do: 2 samples of 9 calls of the network each"]


def test_nothing_is_said_where_there_is_nothing_to_say(here):
    assert said("--method", "estimate")[0] == []
    assert said("--method", "dps", "--set", "num-steps=4", "--quiet", "--overwrite")[0] == []
