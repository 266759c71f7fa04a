"""A link such as ``[`fit`](../vipaint_pyro/inference/fit.py)`` leads to the API's entry of that function.

On a code host it leads to the file. Other links to files of the repository become downloads.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

ROOTS = ("vipaint_pyro", "models", "guides")


class SourceLinks(SphinxTransform):
    """Before downloads are collected."""

    default_priority = 400

    def apply(self, **kwargs) -> None:
        for node in list(self.document.findall(addnodes.download_reference)):
            path, text = self._path(node), node.astext()
            code = [literal.astext() for literal in node.findall(nodes.literal)] == [text]
            if not code or path.suffix != ".py" or path.parts[0] not in ROOTS or not re.fullmatch(r"[\w.]+", text):
                continue
            module = ".".join(path.with_suffix("").parts)
            module = module if module.startswith("vipaint_pyro") else f"vipaint_pyro.{module}"
            link = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=f"{module}.{text}", refexplicit=True, refwarn=True,
                refdoc=self.env.docname, documented=True,
            )  # fmt: skip
            link.source, link.line = node.source, node.line
            link += nodes.literal(text, text, classes=["xref", "py"])
            node.replace_self(link)

    def _path(self, node) -> PurePosixPath:
        """Of the file, from the root."""
        relative, _ = self.env.relfn2path(node["reftarget"], self.env.docname)
        return PurePosixPath(relative)


def setup(app) -> dict:
    app.add_transform(SourceLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
