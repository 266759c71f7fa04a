"""The Python of the pages in docs/ runs as it stands, block after block."""

import re
from pathlib import Path

import pytest

from vipaint_pyro.guides import GUIDES

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["write-your-own-guide.md"])
def test_python_blocks(page, monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    known = dict(GUIDES)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks
    scope: dict = {"__name__": "page"}
    try:
        for block in blocks:
            exec(compile(block, page, "exec"), scope)
    finally:
        GUIDES.clear()
        GUIDES.update(known)
