"""The notebooks are what build.py would write from pages and scripts now, run to the end without an error."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


def test_every_notebook_has_its_page():
    assert {p.stem for p in FOLDER.glob("*.ipynb")} == set(build.NOTEBOOKS) != set()


@pytest.mark.parametrize("name", build.NOTEBOOKS)
def test_notebook_is_up_to_date_and_was_run(name):
    path = FOLDER / f"{name}.ipynb"
    book = json.loads(path.read_text())
    assert book["nbformat"] == 4
    written = [build.Cell(c["cell_type"], "".join(c["source"]), bool(c["metadata"])) for c in book["cells"]]
    assert written == build.cells(name), f"run: python examples/notebooks/build.py {name[:2]}"
    code = [c for c in book["cells"] if c["cell_type"] == "code"]
    assert [c["execution_count"] for c in code] == list(range(1, len(code) + 1))
    outputs = [o for c in code for o in c["outputs"]]
    assert not any(o["output_type"] == "error" for o in outputs)
    assert any("image/png" in o.get("data", {}) for o in outputs)
    assert path.stat().st_size < 1_000_000
    texts = "".join(str(o.get("text", "")) for o in outputs)
    assert not re.search(r"(?<![\w.:/])(/[\w.-]+/|[A-Z]:\\)", texts)  # no absolute path, of any machine


@pytest.mark.parametrize("name", build.NOTEBOOKS)
def test_notebook_leaves_out_no_definition_of_the_script(name):
    known = build.pieces((FOLDER.parent / f"{name}.py").read_text())
    assert set(known) - set(build.used(name)) <= {"main"}
    assert len(build.used(name)) == len(set(build.used(name)))


@pytest.mark.parametrize("name", build.NOTEBOOKS)
def test_there_is_more_prose_than_code_to_read_and_no_long_line(name):
    cells = build.cells(name)
    prose, code = (
        sum(len(c.text.split()) for c in cells if c.kind == kind and not c.folded) for kind in ("markdown", "code")
    )
    assert prose > code, (prose, code)
    lines = [line for cell in cells for line in cell.text.splitlines()]
    assert max(map(len, lines)) <= build.WIDTH, max(lines, key=len)


@pytest.mark.parametrize("name", build.NOTEBOOKS)
def test_code_is_the_scripts_own_but_for_its_line_breaks(name):
    known = build.pieces((FOLDER.parent / f"{name}.py").read_text())
    script = [ast.dump(ast.parse(known[n])) for n in build.used(name)]
    shown = []
    for cell in build.cells(name)[1:]:
        if cell.kind == "code" and not cell.text.startswith("%"):
            shown += [ast.dump(ast.Module([node], [])) for node in ast.parse(cell.text).body]
    missing = [n for n, text in zip(build.used(name), script) if n != "imports" and text not in shown]
    assert not missing and len(shown) > len(script)


def test_the_first_cell_installs_only_where_nothing_is_there(monkeypatch):
    """It is run as it stands, once where the package is found and once where it is not."""
    assert build.cells(build.NOTEBOOKS[0])[0] == build.Cell("code", build.INSTALL, True)
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: asked.append(command))
    exec(build.INSTALL, {})
    assert asked == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(build.INSTALL, {})
    assert asked == [[sys.executable, "-m", "pip", "install", "--quiet", "vipaint-pyro"]]
