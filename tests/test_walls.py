"""The walls of the house, read off the source: imports run one way, and what a module may look like."""

import ast
import configparser
import re
import statistics
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for folder in ("vipaint_pyro", "models", "guides") for p in (ROOT / folder).rglob("*.py"))

#: A folder, or a module of the package's root, may import those on lines above its own, and itself.
CHAIN = [
    {"wording"},
    {"alone", "settings", "tensors", "opening"},
    {"lazily", "faults", "places", "files", "reading", "distributions", "calibration"},
    {"pages", "own_errors"},
    {"randomness"},
    {"images", "per_image_noise"},
    {"plots", "datasets", "regions"},
    {"networks"},
    {"priors", "convert"},
    {"measurements"},
    {"models", "exact", "kind"},
    {"guides"},
    {"inference"},
    {"samplers"},
    {"pipelines"},
    {"evaluation"},
    {"app"},
    {"cli"},
]
#: Old names that saved folders and the first README use: they point into the house from outside.
DOORS = {"__init__", "__main__", "class_embedder", "openai_unet", "operators"}
#: What only they may import besides what is above them.
ONLY = {"datasets": {"datasets", "evaluation", "app", "cli"}}

#: hasattr, and getattr by a written name, are for objects of other packages: file -> whose.
FOREIGN = {
    "vipaint_pyro/priors/pretrained/assembly.py": "diffusers networks, or a user's",
    "vipaint_pyro/priors/schedules.py": "diffusers schedulers",
    "vipaint_pyro/convert/names.py": "diffusers networks",
    "vipaint_pyro/networks/kinds.py": "diffusers networks, or a user's, and what wraps them",
    "vipaint_pyro/networks/placement.py": "accelerate's hooks",
    "vipaint_pyro/opening.py": "PIL images",
    "vipaint_pyro/per_image_noise.py": "torch and Pyro distributions",
    "guides/auto.py": "Pyro's AutoGuides",
}
#: Functions of more than eight parameters: the two that users call, and what diffusers reads off a signature.
WIDE = {
    "vipaint_pyro/pipelines/vipaint.py": {"VIPaintPipeline.__call__"},
    "vipaint_pyro/pipelines/prior.py": {"PriorPipeline.__init__"},
    "vipaint_pyro/cli/exact.py": {"exact"},
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(parts: tuple[str, ...]) -> str:
    """The folder, or the module of the root, that a module lies in."""
    return parts[1] if parts[0] == "vipaint_pyro" and len(parts) > 1 else "__init__"


def imported(path: Path) -> set[str]:
    """The rooms whose modules a file imports, inside its functions too."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vipaint_pyro"):
            module = node.module.split(".")
            rooms |= {room_of((*module, alias.name) if len(module) == 1 else tuple(module)) for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {room_of(tuple(a.name.split("."))) for a in node.names if a.name.startswith("vipaint_pyro.")}
    return rooms


def room(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0] if relative.parts[0] != "vipaint_pyro" else Path(relative.parts[1]).stem


def level(name: str) -> int:
    return next(i for i, rooms in enumerate(CHAIN) if name in rooms)


def test_every_room_is_on_the_plan():
    assert {room(p) for p in FILES} - DOORS == set().union(*CHAIN)


def test_imports_run_one_way():
    wrong = []
    for path in FILES:
        own = room(path)
        for other in imported(path) - {own} if own not in DOORS else ():
            if other in DOORS:
                wrong.append(f"{name_of(path)} goes out by the door {other}")
            elif level(other) >= level(own):
                wrong.append(f"{name_of(path)} imports {other}, which is not above it")
            elif own not in ONLY.get(other, {own}):
                wrong.append(f"{name_of(path)} may not import {other}")
    assert not wrong, "\n".join(wrong)


def test_modules_of_a_folder_import_each_other_in_no_circle():
    graph = defaultdict(set)
    modules = {name_of(p).removesuffix(".py").replace("/", "."): p for p in FILES}
    modules = {m if m.startswith("vipaint_pyro") else f"vipaint_pyro.{m}": p for m, p in modules.items()}
    for name, path in modules.items():
        for node in ast.parse(path.read_text()).body:  # at import; a type, or inside a function, is no circle
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                graph[name].add(node.module)
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(modules):
        visit(module, ())


def calls_by_name(path: Path) -> list[int]:
    """Lines with hasattr, or getattr by a name written there."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            literal = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            if node.func.id == "hasattr" or (node.func.id == "getattr" and literal):
                found.append(node.lineno)
    return found


def test_own_classes_have_contracts_not_attributes_that_may_be_there():
    found = {name_of(p): calls_by_name(p) for p in FILES}
    assert {name for name, lines in found.items() if lines} == set(FOREIGN), found


def unannotated(path: Path) -> list[str]:
    """Public functions, methods of public classes and initialisers with a parameter or a result of no said type."""
    found = []
    for name, node in functions(path):
        own = name.split(".")
        hidden = own[-1].startswith("_") and own[-1] not in ("__init__", "__call__")
        if hidden or (len(own) > 1 and own[0].startswith("_")):
            continue
        given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg)
        bare = [a.arg for a in given if a and a.annotation is None and a.arg not in ("self", "cls")]
        if bare or (node.returns is None and own[-1] != "__init__"):
            found.append(name)
    return found


def test_public_functions_are_annotated():
    assert {name_of(p): names for p in FILES if (names := unannotated(p))} == {}


def test_the_type_checker_leaves_no_module_out():
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    assert [rule["module"] for rule in rules if rule.get("ignore_errors")] == []


def test_what_the_type_checker_is_not_told_has_a_reason():
    lines = [line for p in FILES for line in p.read_text().splitlines() if "type: ignore" in line]
    assert all(re.search(r"# type: ignore\[[\w, -]+\]  # \w+", line) for line in lines) and len(lines) <= 10, lines


def functions(path: Path):
    """(qualified name, node) of every function and method."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{f.name}", f) for f in node.body if isinstance(f, ast.FunctionDef))
        elif isinstance(node, ast.FunctionDef):
            yield node.name, node


def width(node: ast.FunctionDef) -> int:
    named = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([a for a in named if a not in ("self", "cls")])


def wide(path: Path) -> set[str]:
    """Public functions of more than eight parameters."""
    public = [(n, f) for n, f in functions(path) if not f.name.startswith("_") or f.name in ("__init__", "__call__")]
    return {name for name, f in public if width(f) > 8}


def test_a_public_function_has_at_most_eight_parameters():
    assert {name_of(p): names for p in FILES if (names := wide(p))} == WIDE


def test_a_file_has_at_most_250_lines():
    lines = {name_of(p): len(p.read_text().splitlines()) for p in FILES}
    assert not {name: n for name, n in lines.items() if n > 250}


def test_functions_are_short():
    """The median body, its docstring left out, has fewer than 6 lines."""
    lengths = []
    for path in FILES:
        for _, f in functions(path):
            body = f.body[1:] if ast.get_docstring(f) is not None else f.body
            lengths.append(body[-1].end_lineno - body[0].lineno + 1 if body else 0)
    assert statistics.median(lengths) < 6


def test_setup_cfg_lists_every_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    there = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "vipaint_pyro").rglob("__init__.py")}
    assert listed == there | {"vipaint_pyro.models", "vipaint_pyro.guides"}


LAZY = [p for p in FILES if "exporting(" in p.read_text() and p.stem == "__init__"]


@pytest.mark.parametrize("path", LAZY, ids=name_of)
def test_what_is_exported_lazily_is_there(path):
    import importlib

    parts = path.parent.relative_to(ROOT).parts
    package = importlib.import_module(".".join(parts if parts[0] == "vipaint_pyro" else ("vipaint_pyro", *parts)))
    for name in package.__all__:
        assert getattr(package, name) is not None and name in dir(package)


@pytest.mark.parametrize("path", [ROOT / "vipaint_pyro" / "__init__.py", *LAZY], ids=name_of)
def test_type_checkers_see_what_is_exported_lazily(path):
    """`if TYPE_CHECKING:` imports the very names of _EXPORTS, each from the module that it names."""
    body = ast.parse(path.read_text()).body
    table = next(n for n in body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "_EXPORTS")
    block = next(n for n in body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    assert {a.asname: n.module for n in block.body for a in n.names} == ast.literal_eval(table.value)


@pytest.mark.parametrize(
    "module, name",
    [("class_embedder", "ClassEmbedder"), ("openai_unet", "OpenAIUNet2DModel"), ("operators", "Inpainting")],
)
def test_old_names_still_lead_to_the_same_things(module, name):
    import importlib

    old = getattr(importlib.import_module(f"vipaint_pyro.{module}"), name)
    assert getattr(importlib.import_module(old.__module__), name) is old
