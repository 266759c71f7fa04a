"""Engines by name: without Ray installed one line names the extra."""

import sys

from tests.evaluation.study.conftest import evaluate, records
from vipaint_pyro.cli.evaluate_options import evaluate_options
from vipaint_pyro.evaluation.study.engines import ENGINES


def test_without_ray_the_extra_is_named(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = evaluate("--engine", "ray")
    assert result.exit_code == 1 and not records()
    assert result.output == (
        "Error: the engine 'ray' needs the extra 'ray': pip install 'vipaint-pyro[ray]'\n"
    )  # fmt: skip


def test_the_command_offers_every_engine():
    options = {o.name: o for o in evaluate_options(lambda: None).__click_params__}
    assert tuple(options["engine"].type.choices) == ENGINES
