"""Classes of a user's own, by where they lie: ``package.module:Class``, in the current folder too."""

from __future__ import annotations

import ast
import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from traceback import extract_tb
from types import FunctionType, ModuleType
from typing import Any

from vipaint_pyro.settings import Kind, checked
from vipaint_pyro.wording import did_you_mean, shown

__all__ = [
    "Places", "check_written", "code_of", "facts_of", "first_line", "in_a_file", "is_own", "is_ours", "place_of"
]  # fmt: skip

#: The files of modules that something was looked up in, this package's aside.
_OWN: set[str] = set()


@dataclass(frozen=True)
class Places:
    """What is looked up by its place.

    Args:
        noun: what such a class is, in a word.
        base: gives the class that they are subclasses of, which is imported when it is asked for.
    """

    noun: str
    base: Callable[[], type]
    #: Classes of this process that cannot be imported from where they say they lie, like those of a notebook's cell.
    _here: dict[str, type] = field(default_factory=dict)

    def remembered(self, kind: type) -> str:
        """The place of a class, by which it is found again in this process."""
        place = place_of(kind)
        try:
            importable = self._imported(place) is kind
        except ValueError:
            importable = False
        if importable:
            self._here.pop(place, None)
        else:
            self._here[place] = kind
        return place

    def at(self, place: str) -> object:
        """What lies at ``"module:name"``, looked for where Python looks for any module, and then in the current folder.

        Raises:
            ValueError: where nothing does.
        """
        return self._here[place] if place in self._here else self._imported(place)

    def _imported(self, place: str) -> object:
        name, _, inside = place.partition(":")
        parts = inside.split(".")
        if name.endswith(".py") or "/" in name:
            stem = os.path.basename(name).removesuffix(".py")
            raise ValueError(f"{place} is a file: write {stem}:{inside or 'Class'}, in the folder that it lies in")
        if not all(part.isidentifier() for part in name.split(".")) or not inside:
            raise ValueError(f"a {self.noun} of your own is written package.module:Class, not {place!r}")
        module = self._module(name, place)
        try:
            return reduce(getattr, parts, module)
        except AttributeError:
            there = self._defined_in(module)
            has = f"Its {self.noun}s are {', '.join(there)}" if there else f"It defines no {self.noun}"
            raise ValueError(f"{name} has no {inside!r}. {did_you_mean(inside, there)}{has}") from None

    def _defined_in(self, module: ModuleType) -> list[str]:
        base, found = self.base(), vars(module).items()
        return [n for n, v in found if isinstance(v, type) and issubclass(v, base) and v.__module__ == module.__name__]

    def _module(self, name: str, place: str) -> ModuleType:
        try:
            module = _import(name)
            if not is_ours(name):
                _OWN.add(str(vars(module).get("__file__", "")))
            return module
        except Exception as error:  # whatever the module does when it is imported
            if _is_missing(name, error):
                raise ValueError(
                    f"the {self.noun} {place} is not found: there is no module {name}, neither installed, nor on "
                    f"PYTHONPATH, nor in {os.getcwd()}"
                ) from error
            kind, said, line = type(error).__name__, " ".join(str(error).split()), _line_of(error)
            raise ValueError(f"the {self.noun} {place} cannot be imported: {kind}: {said}{line}") from error


def _line_of(error: Exception) -> str:
    """Where in a user's files a module's import ended, " (mine.py, line 3)"; a SyntaxError says so itself."""
    through = extract_tb(error.__traceback__)
    read = [os.path.dirname(frame.filename) for frame in through if frame.name == "<module>"]
    if isinstance(error, SyntaxError) or not read:
        return ""
    last = [frame for frame in through if os.path.dirname(frame.filename) == read[0]][-1]
    return f" ({os.path.basename(last.filename)}, line {last.lineno})"


def in_a_file(name: str) -> str:
    """A hint for the name of a module of the current folder where a place in it is asked for; else ""."""
    return f"Of the file {name}.py here, write {name}:Class. " if os.path.isfile(f"{name}.py") else ""


def is_ours(module: str) -> bool:
    """Whether a module, by its name, is this package's."""
    return module.partition(".")[0] == "vipaint_pyro"


def is_own(file: str) -> bool:
    """Whether a file is that of a user's module in which a class was looked up."""
    return file in _OWN


def code_of(place: str) -> str:
    """16 hex digits of the SHA-256 of the file that the module of ``"module:name"`` lies in, and of those that it
    imports from the same folder; "" where there is none.
    """
    name, colon, _ = place.partition(":")
    files = _with_neighbours(name, {}) if colon else {}
    digest = hashlib.sha256(b"".join(files[n].read_bytes() for n in sorted(files)))
    return digest.hexdigest()[:16] if files else ""


def _with_neighbours(name: str, found: dict[str, Path]) -> dict[str, Path]:
    """The files of a module that has been imported, and of what it imports from its own folder, by their names."""
    spec = vars(sys.modules[name])["__spec__"] if name in sys.modules else None
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        return found
    file = found[name] = Path(spec.origin)
    for other in _imports(ast.parse(file.read_bytes()), spec.parent):
        beside = file.parent / other.rpartition(".")[2]
        if other not in found and (beside.with_suffix(".py").is_file() or beside.is_dir()):
            _with_neighbours(other, found)
    return found


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The names of modules that a source imports; some may be what lies in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (above, node.module or "") if part)
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def place_of(kind: type) -> str:
    """Where a class says that it lies."""
    return f"{kind.__module__}:{kind.__qualname__}"


def first_line(kind: type) -> str:
    """What a class is, by the first line of its docstring."""
    lines = (kind.__doc__ or "").strip().splitlines()
    if lines and lines[0].startswith(f"{kind.__name__}("):  # what dataclass writes where there is none
        lines = []
    return lines[0].strip().rstrip(".") if lines else f"the class {kind.__name__}"


def facts_of(kind: type, attribute: str, known: Mapping[str, Kind]) -> dict[str, Any]:
    """What a class says of itself in a dict, an attribute of it; what it does not say its bases do.

    Args:
        kind: the class.
        attribute: the dict's name.
        known: what may be in it.

    Raises:
        ValueError: for what is no dict, says what is not known, or what cannot be.
    """
    said: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        facts, where = vars(base).get(attribute, {}), f"the {attribute} of {place_of(base)}"
        if not isinstance(facts, Mapping):
            raise ValueError(f"{where} is a dict of {', '.join(known)}, not {shown(facts)}")
        for name, value in facts.items():
            if name not in known:
                hint = did_you_mean(str(name), known)
                raise ValueError(f"{where} has no {name!r}. {hint}It may say {', '.join(known)}")
            said[name] = checked(f"{name} in {where}", value, known[name])
    return said


def check_written(kind: type) -> None:
    """Raise ValueError where a class has methods to write, and has not."""
    own = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    missing = [n for n, f in own.items() if isinstance(f, FunctionType) and vars(f).get("__isabstractmethod__")]
    if missing:
        are = "are: write them" if len(missing) > 1 else "is: write it"
        raise ValueError(f"{place_of(kind)} does not say what its {' and '.join(missing)} {are}")


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        if not _is_missing(name, error) or here in sys.path or "" in sys.path:
            raise
        # The command line knows the folder that it was installed in, not the one that it is called in.
        sys.path.append(here)
        importlib.invalidate_caches()
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            sys.path.remove(here)
            raise


def _is_missing(name: str, error: Exception) -> bool:
    """Whether the module itself is not there, and not one that it imports."""
    lacking = error.name if isinstance(error, ModuleNotFoundError) else None
    return lacking is not None and f"{name}.".startswith(f"{lacking}.")
