"""What reads well in a terminal or on a code host, and needs a word more to be a page.

Shapes such as (*, N, C, H, W) in docstrings are no emphasis, and a file that is a table alone has its name as title.
"""

from __future__ import annotations

import re


def shapes(app, what, name, obj, options, lines) -> None:
    """Before napoleon: stars of shapes are escaped, but for those in literals; "S." alone is no item of a list."""
    for i, line in enumerate(lines):
        line = re.sub(r"((?:^|: )\s*)([A-Z])\.$", r"\1\\\2.", line)
        parts = re.split(r"(``.*?``)", line)
        parts[::2] = [re.sub(r"(?<=[(\s])\*(?=[,)])", r"\\*", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def untyped(app, what, name, obj, options, lines) -> None:
    """After napoleon, which takes "Whole numbers: one for each" for a type: here types are annotations alone."""
    for i, line in enumerate(lines):
        # "calls, seconds: by phase" is about two names, not one of type "calls,".
        line = lines[i] = re.sub(r"^:(?:ivar|param) [\w*]+(?:, [\w*]+)+:", lambda m: m[0].replace(", ", ","), line)
        if line.startswith(":type: ") and what in ("attribute", "data", "property"):
            first = next(k for k, text in enumerate(lines) if text.strip())
            lines[first], lines[i] = f"{line.removeprefix(':type: ')}: {lines[first]}", ""
        elif line.startswith(":rtype: "):
            said = [k for k in range(i) if lines[k].startswith(":returns:")]
            if said:
                words = lines[said[-1]].removeprefix(":returns:")
                lines[said[-1]], lines[i] = f":returns: {line.removeprefix(':rtype: ')}:{words}", ""


def titled(app, docname, source) -> None:
    """``examples/figures/faces-small/table.md`` is called "faces-small: table", and is found by links, in no menu."""
    if docname.startswith("examples/figures/") and docname.count("/") > 2:
        source[0] = f"---\norphan: true\n---\n\n# {': '.join(docname.split('/')[-2:])}\n\n{source[0]}"


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", shapes, priority=400)
    app.connect("autodoc-process-docstring", untyped, priority=600)
    app.connect("source-read", titled)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
