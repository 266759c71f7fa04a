"""The notebooks are what build.py would write from the scripts now, run to the end without an error."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


def test_every_notebook_is_listed():
    assert {p.stem for p in FOLDER.glob("*.ipynb")} == set(build.NOTEBOOKS)


@pytest.mark.parametrize("name", build.NOTEBOOKS)
def test_notebook_is_up_to_date_and_was_run(name):
    path = FOLDER / f"{name}.ipynb"
    book = json.loads(path.read_text())
    assert book["nbformat"] == 4
    written = [(c["cell_type"], "".join(c["source"])) for c in book["cells"]]
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
    used = {n for entry in build.NOTEBOOKS[name] if isinstance(entry, tuple) for n in entry}
    assert set(known) - used <= {"main"}
