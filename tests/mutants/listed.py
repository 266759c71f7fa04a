"""The list of mutants: small faults, each to be put into a copy of the package, where a test has to fail.

One TOML file per folder of the package. A table per source file names the tests that should see its faults:

    ["vipaint_pyro/priors/kernels.py"]
    quick = true  # one of a sample that the suite itself runs
    tests = ["tests/priors/test_kernels.py"]
    mutants = [
        ['the text as it stands', 'what takes its place'],
        ['text', 'other text', { tests = ["tests/of/this_one.py"], lives = "why no test can see it" }],
    ]

The text occurs exactly once in the file; it is no line number, so that a list outlives changes elsewhere in the file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Mutant", "NotFound", "read"]

ROOT = Path(__file__).parent.parent.parent


class NotFound(ValueError):
    """A pattern that does not occur exactly once, or a file that is not there."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        file: of the package, from the repository's root.
        old: text that occurs in it exactly once.
        new: what takes its place.
        tests: files, or tests by ``file::name``, that should fail.
        lives: why no test can see it, for a mutant that is equivalent; empty for any other.
        quick: whether its tests take a second or two.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    lives: str = ""
    quick: bool = False

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old} -> {new or 'nothing'}"

    def source(self, root: Path = ROOT) -> str:
        """The file with the fault in it.

        Raises:
            NotFound: where ``old`` does not occur exactly once, or there is no such file.
        """
        if not (root / self.file).is_file():
            raise NotFound(f"{self.file} is not there")
        text = (root / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise NotFound(f"{self.file} holds {self.old!r} {text.count(self.old)} times: it must be once")
        return text.replace(self.old, self.new)


def read(folder: Path = Path(__file__).parent) -> list[Mutant]:
    """All mutants of the list, in its order."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        for file, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for old, new, *more in table["mutants"]:
                special = more[0] if more else {}
                tests = tuple(special.get("tests", table["tests"]))
                quick = table.get("quick", False) and "tests" not in special
                found.append(Mutant(file, old, new, tests, special.get("lives", ""), quick))
    return found
