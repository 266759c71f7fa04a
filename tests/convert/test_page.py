"""The commands of the page on conversions, with the conversions themselves replaced."""

import inspect
import re
from pathlib import Path

from vipaint_pyro import convert
from vipaint_pyro.convert import adm, compvis_kinds

PAGE = Path(__file__).parent.parent.parent / "docs" / "converting-checkpoints.md"


def test_every_command_is_a_call_that_exists_and_every_kind_is_shown(monkeypatch):
    shown = []
    for name in convert.__all__:
        signature = inspect.signature(getattr(convert, name))
        monkeypatch.setattr(convert, name, lambda *a, s=signature, **k: shown.append(s.bind(*a, **k).arguments["kind"]))
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), {})
    assert sorted(shown) == sorted([*adm.KINDS, *compvis_kinds.KINDS])
