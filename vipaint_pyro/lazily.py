"""Names of a package that are imported when first asked for, so that ``vipaint --help`` answers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import Any

__all__ = ["Later", "exporting", "imported"]


def exporting(package: str, exports: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that exports names of its modules (PEP 562).

    Args:
        package: its ``__name__``.
        exports: name -> the module that it lies in.
    """

    def getter(name: str) -> Any:
        if name in exports:
            return getattr(import_module(exports[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module: ModuleType = import_module(package)
        return sorted({*vars(module), *exports})

    return getter, names


def imported(place: str) -> Callable:
    """The class or function that lies at ``"module:name"``."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class Later:
    """A class or function that is imported when it is first called, or asked for its signature.

    Args:
        place: where it lies, ``"module:name"``.
        **settings: keywords that every call gives it; they are no part of the signature.
    """

    def __init__(self, place: str, **settings: Any) -> None:
        self.place, self.settings = place, settings

    def __repr__(self) -> str:
        return f"Later({self.place!r})"

    @property
    def func(self) -> Callable:
        """What lies there, by the name that :class:`functools.partial` has for it."""
        return imported(self.place)

    @property
    def __signature__(self) -> Signature:
        found = signature(self.func)
        return found.replace(parameters=[p for n, p in found.parameters.items() if n not in self.settings])

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.func(*args, **{**self.settings, **settings})
