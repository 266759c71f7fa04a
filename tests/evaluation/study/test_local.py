"""Workers: the numbers are one worker's, one that dies is replaced."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluation.study.conftest import evaluate, records
from vipaint_pyro.evaluation.study import workers
from vipaint_pyro.evaluation.study.local import run_local
from vipaint_pyro.evaluation.study.plan import Plan
from vipaint_pyro.evaluation.study.study import Study

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(params=["fork", pytest.param("spawn", marks=[pytest.mark.slow, pytest.mark.long])])
def start(request, monkeypatch):
    """How workers are started: as they are, which takes seconds, or forked."""
    monkeypatch.setattr(workers, "START", request.param)


def test_two_workers_give_the_bits_of_one(here, start):
    one, two = evaluate(out="one"), evaluate("--workers", 2, out="two")
    assert one.exit_code == two.exit_code == 0, two.output
    assert records("one") == records("two") and len(records("two")) == 8
    for path in Path("one/samples").rglob("*.safetensors"):
        assert path.read_bytes() == (Path("two") / path.relative_to("one")).read_bytes()


class Deadly:
    """Ends the process that reads it, as often as a file has lines."""

    def __init__(self, lives):
        self.lives = lives

    def __reduce__(self):
        return _die, (str(Path(self.lives).resolve()),)


def _die(lives):
    left = Path(lives).read_text().splitlines()
    Path(lives).write_text("\n".join(left[1:]))
    if left:
        os._exit(9)
    return None


@pytest.mark.parametrize("deaths, error", [(2, None), (3, "died 3 times, at last with status 9")])
def test_a_worker_that_dies_is_replaced_and_its_item_tried_twice_again(here, start, deaths, error):
    plan = Plan("prior", "pictures", ("dps:num_steps=2",), ("rotated",), images=2, samples=1, labels="none")
    first, second = Study(plan).jobs(plan.items())
    (here / "lives").write_text("\n".join("x" * deaths))
    outcomes = {o.item.image: o.record for o in run_local([replace(first, trouble=Deadly("lives")), second], 2)}
    assert outcomes[1]["error"] is None and (here / "lives").read_text() == ""
    said = outcomes[0]["error"]
    assert (said is None) if error is None else (said["type"] == "Lost" and error in said["message"])


def test_workers_are_not_forked():
    assert workers.START == "spawn"
