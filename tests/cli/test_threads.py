"""Threads that wait for each other do not hold each other up on a busy machine."""

import os
import subprocess
import sys

import pytest

from vipaint_pyro.cli.threads import wait_briefly


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {"GOMP_SPINCOUNT": "10000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_what_the_environment_says_stays(monkeypatch, given, found):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    wait_briefly(given)
    assert given == found


def test_nothing_is_said_where_it_would_come_too_late(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    environment = {}
    wait_briefly(environment)
    assert environment == {}


def test_the_command_line_says_it_before_anything_is_loaded():
    code = (
        "import os, sys; from click.testing import CliRunner; from vipaint_pyro.cli.main import main; "
        "CliRunner().invoke(main, ['guides']); assert 'torch' not in sys.modules; print(os.environ['GOMP_SPINCOUNT'])"
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, timeout=120)
    assert done.stdout == "10000\n", done.stderr
