"""What is said of an error in a user's own class: its type, and the line of the user's file."""

import importlib
import sys
from pathlib import Path

import click
import pytest
import torch

from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.own_errors import said_of_own
from vipaint_pyro.samplers.own import method_at

MODULE = '''
import torch
from dataclasses import dataclass
from vipaint_pyro.samplers import DPSSampler

def add(a, b):
    return a + b

@dataclass(frozen=True)
class Mine(DPSSampler):
    def step(self, run, z, t, s):
        if t == 1:
            return add(torch.zeros(2), torch.zeros(3))
        if t == 2:
            raise ValueError("a word\\nof mine")
        raise ZeroDivisionError

    def settle(self, prior, measurement):
        raise ValueError("not for this")
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    Path(tmp_path, "errors_of_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield method_at("errors_of_test:Mine").sampler()
    sys.modules.pop("errors_of_test", None)
    importlib.invalidate_caches()


def raised(call, *arguments):
    with pytest.raises(Exception) as caught:
        call(*arguments)
    return caught.value


def test_it_has_the_type_and_the_innermost_line_of_the_users_file(mine):
    said = said_of_own(raised(mine.step, None, None, 1, 0))
    assert said.startswith("RuntimeError: ") and said.endswith(" (errors_of_test.py, line 7, in add)")
    assert "\n" not in said
    words = said_of_own(raised(mine.step, None, None, 2, 0))
    assert words == "ValueError: a word of mine (errors_of_test.py, line 15, in step)"
    assert said_of_own(raised(mine.step, None, None, 0, 0)) == "ZeroDivisionError (errors_of_test.py, line 16, in step)"


def test_a_refusal_is_the_users_own_word_and_other_errors_are_ours(mine):
    assert said_of_own(raised(mine.settle, None, None)) is None
    assert said_of_own(raised(torch.zeros, "x")) is None
    assert said_of_own(raised(method_at, "vipaint_pyro.samplers:NoSuch")) is None
    assert said_of_own(raised(method_at("vipaint_pyro.samplers:DPSSampler").sampler().settle, None, None)) is None


def test_the_shell_says_it_in_one_line(mine):
    line = r"^ZeroDivisionError \(errors_of_test.py, line 16, in step\)$"
    with pytest.raises(click.ClickException, match=line), reporting():
        mine.step(None, None, 0, 0)
    with pytest.raises(click.ClickException, match="^not for this$"), reporting():
        mine.settle(None, None)
    with pytest.raises(click.UsageError, match="^as it is$"), reporting():
        raise click.UsageError("as it is")
