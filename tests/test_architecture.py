"""docs/architecture.md.

The functions that its table names are there, and its folder chain is the one that is tested.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.test_walls import CHAIN

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| (\S+\.py) \| `([\w.]+)` \|$", PAGE, re.MULTILINE)


def defined(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
    return found


def test_the_table_was_read():
    assert len(ROWS) == PAGE.count("| `") >= 20


@pytest.mark.parametrize("equation, file, function", ROWS)
def test_the_function_of_an_equation_is_there(equation, file, function):
    assert function in defined(ROOT / file)


def test_the_equations_of_the_paper_are_named_in_their_files():
    """Where the table says eq. N of the paper, the file says so, too."""
    for equation, file, _ in ROWS:
        number = re.match(r"eq\. (\d+)", equation)
        if number:
            said = re.findall(r"eq\. (\d+)(?:-(\d+))?", (ROOT / file).read_text())
            assert any(int(a) <= int(number[1]) <= int(b or a) for a, b in said), (equation, file)


def test_the_folder_chain_is_the_tested_one():
    chain = re.search(r"^    (networks <- .*)$", PAGE, re.MULTILINE)[1]
    levels = [next(i for i, rooms in enumerate(CHAIN) if name in rooms) for name in re.findall(r"\w+", chain)]
    assert levels == sorted(set(levels))


def test_the_page_is_one_page():
    assert len(PAGE.splitlines()) < 90
