"""Tables as Markdown and LaTeX, whatever their names hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Cell", "Grid", "latex", "markdown", "one_line"]


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Attributes:
        text: as people read it.
        value: what it is sorted by, where that is a number.
        mark: "best", "second" or nothing.
    """

    text: str
    value: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Grid:
    """A table with its heading and what is to be said below it.

    Attributes:
        title: the heading.
        head: of the columns.
        rows: of as many cells.
        notes: a line each.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def one_line(text: str) -> str:
    """Text without line breaks and other control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def markdown(grid: Grid) -> str:
    """A section of Markdown: best in bold, second underlined."""
    marks = {"best": "**{}**", "second": "<ins>{}</ins>", "": "{}"}
    numeric = [any(r[k].value is not None for r in grid.rows) for k in range(len(grid.head))]
    lines = [f"## {_md(grid.title)}", "", _row(map(_md, grid.head))]
    lines.append("|" + "|".join("--:" if n else "--" for n in numeric) + "|")
    lines += [_row(marks[c.mark].format(_md(c.text)) for c in row) for row in grid.rows]
    notes = [f"- {_md(note)}" for note in grid.notes]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def latex(grid: Grid) -> str:
    r"""A ``table`` for ``\usepackage{booktabs}``: best in bold, second underlined."""
    marks = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
    numeric = [any(r[k].value is not None for r in grid.rows) for k in range(len(grid.head))]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(' '.join([grid.title + '.', *(n + '.' for n in grid.notes)]))}}}",
        rf"\begin{{tabular}}{{{''.join('r' if n else 'l' for n in numeric)}}}",
        r"\toprule",
        " & ".join(map(_tex, grid.head)) + r" \\",
        r"\midrule",
        *(" & ".join(marks[c.mark] % _tex(c.text) for c in row) + r" \\" for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md(text: str) -> str:
    """Text that Markdown shows as it is; an underscore inside of a word is no mark."""
    text = re.sub(r"([\\`*|<>\[\]~$])", r"\\\1", one_line(text).replace("&", "&amp;"))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "±": r"$\pm$", "†": r"\dag{}", "—": "---", "∞": r"$\infty$", "β": r"$\beta$",
    "[": "{[}", "]": "{]}",
}  # fmt: skip


def _tex(text: str) -> str:
    """Text that LaTeX shows as it is: a ``[`` behind ``\\\\`` would be its argument."""
    return "".join(_TEX.get(c, c) for c in one_line(text))
