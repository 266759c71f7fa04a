"""docs/troubleshooting.md.

Every message that it quotes is one that the package gives, so that nobody searches for words that are gone.
"""

import ast
import re
from pathlib import Path

import pytest

from vipaint_pyro.opening import ALL_BLACK, ALL_WHITE

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
QUOTED = re.findall(r"^- `(.+)`$", PAGE, re.MULTILINE)


def text_of(node: ast.AST) -> str:
    """A text as it reads: "…" where a value is put in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "…"
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return "…"


@pytest.fixture(scope="module")
def messages() -> list[str]:
    files = [path for folder in ("vipaint_pyro", "models", "guides") for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    return [text_of(node) for node in nodes if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp))]


def test_messages_were_read():
    assert len(QUOTED) > 50 and len(set(QUOTED)) == len(QUOTED)


@pytest.mark.parametrize("quoted", QUOTED)
def test_the_program_says_it(quoted, messages):
    """A part of one text, word for word; "…" is where a value is put in, and may run on to the text's end."""
    assert any(quoted.removesuffix("…") in message for message in messages)


def test_every_message_of_a_picture_that_cannot_be_masked_is_explained():
    """Masks are what goes wrong first."""
    said = [text_of(node.exc.args[0]) for node in ast.walk(ast.parse((ROOT / "vipaint_pyro/images.py").read_text()))
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args]  # fmt: skip
    masks = [ALL_BLACK, ALL_WHITE, *(text for text in said if text.startswith("the mask is "))]
    assert len(masks) == 3 and set(masks) <= set(QUOTED)
