"""Names of a package that are imported when first asked for, so that ``vipaint --help`` answers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

__all__ = ["exporting"]


def exporting(package: str, exports: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that exports names of its modules (PEP 562).

    Args:
        package: its ``__name__``.
        exports: name -> the module that it lies in.
    """

    def getter(name: str) -> object:
        if name in exports:
            return getattr(import_module(exports[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module: ModuleType = import_module(package)
        return sorted({*vars(module), *exports})

    return getter, names
