"""A dry run's calls are those that are counted when the study is computed."""

import re

import pytest

from tests.evaluation.study.conftest import evaluate, records

MANY = (
    "vipaint-2:fit_steps=2;num_chains=1;refinement_steps=2,dps:num_steps=3,blended:num_steps=4,red-diff:num_steps=5,"
    "ddnm:num_steps=3,repaint:num_steps=6;jump_length=2"
)


@pytest.mark.battery
@pytest.mark.parametrize("methods", MANY.split(","))
def test_the_calls_are_those_that_are_counted(here, methods):
    masks = ["--masks", "rotated"]
    dry = evaluate("--dry-run", methods=methods, conditions=masks)
    assert dry.exit_code == 0, dry.output
    assert not (here / "out").exists()
    lines = dry.output.splitlines()
    assert lines[0] == "2 items, 0 of them done, 2 to do"
    assert re.search(r"about .* from 6 calls that were timed", lines[2])
    forward, backward = (int(n.replace(",", "")) for n in re.findall(r"[\d,]+(?= forward| backward)", lines[1]))
    assert evaluate(methods=methods, conditions=masks).exit_code == 0
    calls = [r["calls"] for r in records().values()]
    assert forward == 2 * sum(c["forward"] for c in calls) and backward == 2 * sum(c["backward"] for c in calls)
    assert evaluate("--dry-run", methods=methods, conditions=masks).output == "2 items, 2 of them done, 0 to do\n"


def test_a_fit_that_may_end_early_is_counted_to_its_end(here):
    """Where it ends the true network alone knows, and no stand-in."""
    said = []
    for patience in (0, 1):
        methods = f"vipaint-2:fit_steps=20;num_chains=1;refinement_steps=2;fit_patience={patience}"
        dry = evaluate("--dry-run", methods=methods, conditions=["--masks", "rotated"])
        assert dry.exit_code == 0, dry.output
        said.append(dry.output.splitlines()[1])
    assert said[1] == f"at most {said[0]}"
