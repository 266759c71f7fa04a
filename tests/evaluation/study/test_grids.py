"""Names in tables are shown as they are, whatever they hold."""

import re

import pytest

from vipaint_pyro.evaluation.study.grids import Cell, Grid, latex, markdown

GRID = Grid(
    "LPIPS, lower is better", ("condition", "a|b", "<b>"),
    ((Cell("box"), Cell("0.1 ± 0.2", 0.1, "best"), Cell("0.2", 0.2, "second")),), ("a note",),
)  # fmt: skip


def test_markdown():
    assert markdown(GRID) == (
        "## LPIPS, lower is better\n\n| condition | a\\|b | \\<b\\> |\n|--|--:|--:|\n"
        "| box | **0.1 ± 0.2** | <ins>0.2</ins> |\n\n- a note\n"
    )


@pytest.mark.parametrize(
    "name, shown",
    [
        ("vipaint-4@50:fit_steps=2;beta=1", "vipaint-4@50:fit_steps=2;beta=1"),
        ("_a_ *b* `c`", "\\_a\\_ \\*b\\* \\`c\\`"),
        ("a\nb\x00c", "a b c"),
        ("[x](y) &lt;", "\\[x\\](y) &amp;lt;"),
    ],
)
def test_markdown_of_names(name, shown):
    assert f"| {shown} |" in markdown(Grid("t", (name,), ()))


def test_latex():
    assert latex(GRID) == "\n".join([
        r"\begin{table}", r"\centering", r"\caption{LPIPS, lower is better. a note.}", r"\begin{tabular}{lrr}",
        r"\toprule", r"condition & a\textbar{}b & \textless{}b\textgreater{} \\", r"\midrule",
        r"box & \textbf{0.1 $\pm$ 0.2} & \underline{0.2} \\", r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


@pytest.mark.parametrize("name", [r"\end{table}", "50%", "a_b&c#d", "$x^2$ ~", "{", "[2pt]", '"q"', "†"])
def test_latex_of_names_holds_no_command_of_theirs(name):
    """What is left once LaTeX's own spellings are taken away is plain text."""
    line = latex(Grid("t", (name, "x"), ())).splitlines()[5]
    assert line.endswith(r" & x \\")
    shown = line.removesuffix(r" & x \\")
    spelled = r"\\text(backslash|ascii(tilde|circum)|less|greater|bar)\{\}|\\[{}$&#%_]"
    spelled += r"|\{\\char34\}|\\dag\{\}|\{[\[\]]\}"
    assert not re.search(r"[\\{}$&#%_~^\[\]\"†]", re.sub(spelled, "", shown)), shown
