"""What is imported when it is first asked for."""

import sys
from inspect import signature

import pytest

from vipaint_pyro.lazily import Later


def test_a_call_imports_and_gives_its_settings(tmp_path, monkeypatch):
    (tmp_path / "called_later.py").write_text("def f(a, *, b=1, c=2):\n    return a, b, c\n")
    monkeypatch.syspath_prepend(tmp_path)
    later = Later("called_later:f", b=5)
    assert "called_later" not in sys.modules
    assert list(signature(later).parameters) == ["a", "c"]
    assert later(0, c=3) == (0, 5, 3)
    assert repr(later) == "Later('called_later:f')"
    del sys.modules["called_later"]


def test_a_place_that_is_none():
    with pytest.raises(AttributeError):
        Later("vipaint_pyro.lazily:nothing")()
