"""What a role such as ``:class:`~vipaint_pyro.measurements.measurement.Measurement` `` leads to.

Docstrings name things where they are defined, the site documents them where they are public. A name that is there but
not public stays plain text, as do names of other libraries; one that is nowhere is a warning, hence an error, and so is
one that a page links to (``documented``) and the API lacks.
"""

from __future__ import annotations

import builtins
import inspect
import sys
from importlib import import_module

from sphinx.util.nodes import make_refnode

PACKAGE = "vipaint_pyro"


def found(name: str) -> tuple[object, list[str]] | None:
    """What a dotted name begins with, and the attributes that are left: none, or one that a class has.

    ``vipaint_pyro.calibration.coverage`` is a function and a module: a function, unless a name in the module is meant.
    """
    parts = name.split(".")
    for cut in (1, *range(len(parts), 1, -1)):
        try:
            thing = import_module(".".join(parts[:cut]))
        except (ImportError, ValueError):
            continue
        rest = parts[cut:]
        while rest and not inspect.isclass(thing) and hasattr(thing, rest[0]):
            thing = getattr(thing, rest.pop(0))
        if _holds(thing, rest):
            return thing, rest
    return None


def _holds(thing: object, rest: list[str]) -> bool:
    if not rest:
        return True
    fields = getattr(thing, "__dataclass_fields__", {})
    annotated = {k for c in getattr(thing, "__mro__", ()) for k in getattr(c, "__annotations__", {})}
    return len(rest) == 1 and (hasattr(thing, rest[0]) or rest[0] in fields or rest[0] in annotated)


def spellings(node) -> list[str]:
    """The full names that a reference may stand for, the nearest first."""
    target = node["reftarget"].lstrip(".")
    module, cls = node.get("py:module"), node.get("py:class")
    names = [f"{module}.{cls}.{target}"] if module and cls else []
    names += [f"{module}.{target}"] if module else []
    names.append(target)
    first = target.split(".")[0]
    names += [
        f"{name}.{target}" for name, m in sorted(sys.modules.items()) if name.startswith(PACKAGE) and first in vars(m)
    ]
    return names


def public_names(env) -> dict[str, str]:
    """Where a thing is defined -> where it is documented."""
    names = {}
    for name, entry in env.get_domain("py").objects.items():
        if entry.objtype not in ("class", "exception", "function"):
            continue
        known = found(name)
        if known is not None and not known[1]:
            names[f"{known[0].__module__}.{known[0].__qualname__}"] = name
    return names


def resolve(app, env, node, contnode):
    if node.get("refdomain") != "py" or hasattr(builtins, node["reftarget"]):
        return contnode if node.get("refdomain") == "py" else None
    for name in spellings(node):
        known = found(name)
        if known is None:
            continue
        thing, rest = known
        if not hasattr(thing, "__qualname__"):
            return contnode
        if not hasattr(env, "own_public_names"):
            env.own_public_names = public_names(env)
        public = env.own_public_names.get(f"{thing.__module__}.{thing.__qualname__}")
        objects = env.get_domain("py").objects
        full = ".".join([public, *rest]) if public else None
        entry = objects.get(full) or objects.get(public)
        if entry is None:
            return None if node.get("documented") else contnode
        return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, full)
    return None


def setup(app) -> dict:
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
