"""Make the notebooks from the scripts beside them, and run them.

A notebook is a page of words, NAME.md, with the script NAME.py cut into pieces between them. In a page

    <!-- code: imports SCHEDULE fit_guide -->   is a cell of these definitions of the script, as they stand
    <!-- folded: draw picture -->               the same, folded away: what draws, and what is not the point

and a block fenced as python is a cell to run after them. Lines of code are wrapped at 100 characters.

    pip install 'vipaint-pyro[notebooks]'
    python examples/notebooks/build.py            # all
    python examples/notebooks/build.py 04
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(p.stem for p in FOLDER.glob("*.md"))
WIDTH = 100

#: The first cell, so that a notebook runs where nothing is installed yet, on Colab for one.
INSTALL = """\
# Installs vipaint-pyro where it is missing, as on Colab; where it is there, does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("vipaint_pyro") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "vipaint-pyro"], check=True)"""

_MARK = re.compile(r"^(?:<!-- (code|folded): ([^>]+) -->|```python\n(.*?)\n```)$", re.MULTILINE | re.DOTALL)


class Cell(NamedTuple):
    """Of a notebook: "markdown" or "code", its text, and whether it is folded away."""

    kind: str
    text: str
    folded: bool = False


def pieces(source: str) -> dict[str, str]:
    """The script's top-level stretches by name; all imports under "imports"."""
    lines, found = source.splitlines(), {"imports": []}
    body = ast.parse(source).body
    for before, node in zip([None, *body], body):
        if isinstance(node, ast.Expr) or getattr(node, "module", "") == "__future__":
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        end = before.end_lineno if before is not None else 0
        while first > end and lines[first - 1].startswith("#"):
            first -= 1
        text = "\n".join(lines[first : node.end_lineno])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found["imports"].append(text)
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
            found[target.id if isinstance(target, ast.Name) else target.elts[0].id] = text
        elif hasattr(node, "name"):
            found[node.name] = text
    return {**found, "imports": "\n".join(found["imports"])}


def used(name: str) -> list[str]:
    """The definitions of the script that a page shows or folds away."""
    marks = _MARK.findall((FOLDER / f"{name}.md").read_text())
    return [n for _, names, _ in marks for n in names.split()]


def wrapped(code: list[str]) -> list[str]:
    """Stretches of code, each with lines of at most :data:`WIDTH` characters."""
    mark = "\n\n# --- the next stretch\n"
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", f"--line-length={WIDTH}", "-"]
    done = subprocess.run(command, input=mark.join(code), capture_output=True, text=True, check=True)
    return [text.strip("\n") for text in done.stdout.split("# --- the next stretch\n")]


def cells(name: str) -> list[Cell]:
    """The cells of a notebook."""
    known = pieces((FOLDER.parent / f"{name}.py").read_text())
    result, page, at = [Cell("code", INSTALL, True)], (FOLDER / f"{name}.md").read_text(), 0
    for found in _MARK.finditer(page):
        kind, names, block = found.groups()
        result.append(Cell("markdown", page[at : found.start()].strip()))
        texts = [block] if block else [known[n] for n in names.split()]
        gap = "\n" if all(t.count("\n") == 0 for t in texts) else "\n\n\n"
        result.append(Cell("code" if block else "script", gap.join(texts), kind == "folded"))
        at = found.end()
    result.append(Cell("markdown", page[at:].strip()))
    result = [cell for cell in result if cell.text]
    script = iter(wrapped([cell.text for cell in result if cell.kind == "script"]))
    return [Cell("code", next(script), cell.folded) if cell.kind == "script" else cell for cell in result]


def notebook(name: str):
    """A notebook that has not run yet. Jupyter, Colab and Sphinx each have a word of their own for folded cells."""
    import nbformat

    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    folded = {"jupyter": {"source_hidden": True}, "cellView": "form", "tags": ["hide-input"]}
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    for i, cell in enumerate(cells(name)):
        metadata = folded if cell.folded else {}
        book.cells.append(make[cell.kind](cell.text, id=f"cell-{i:02d}", metadata=metadata))
    return book


@click.command(help=__doc__)
@click.argument("which", nargs=-1)
def main(which: tuple[str, ...]) -> None:
    import nbformat
    from nbclient import NotebookClient

    for name in NOTEBOOKS:
        if which and not any(name.startswith(w) for w in which):
            continue
        book = notebook(name)
        click.echo(f"{name} ...")
        NotebookClient(book, timeout=1200, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}).execute()
        for cell in book.cells:  # warnings name folders of the machine they were given on
            if cell.cell_type == "code":
                cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        book.metadata.pop("language_info", None)
        nbformat.write(book, FOLDER / f"{name}.ipynb")
        (FOLDER / "vipaint-mini.png").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
