"""``make mutants``: put the faults of the list into copies of the package, one at a time, and see which tests fail.

    python -m tests.mutants.run [--only TEXT] [--quick] [--sample N --seed S] [--jobs N] [--again] [--narrow]

A mutant is killed by a test that fails, by one that cannot be collected, or by running out of time. Where its own tests
pass, the other tests of their folders are run before it is said to have survived. What is known is kept in
``build/mutants/`` and not run again while the source file and the tests are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.forked import Child, copied, warm
from tests.mutants.listed import ROOT, Mutant, NotFound, read

#: Of pytest: all passed, and no test was chosen; anything else but these is a failure.
PASSED, NOTHING = 0, (4, 5)
#: What may be known better by the next run.
FAIL, NARROW = "tests fail anyway", "own tests pass"


@dataclass
class Records:
    """What is known: a line of JSON each, by the text of the mutant and of its tests."""

    path: Path
    known: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.is_file():
            lines = map(json.loads, self.path.read_text().splitlines())
            self.known = {line["key"]: line for line in lines}

    def keep(self, line: dict) -> dict:
        self.known[line["key"]] = line
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
        return line


def key(mutant: Mutant, root: Path = ROOT) -> str:
    """A fingerprint of a mutant's text and of the tests that see it."""
    digest = hashlib.sha256(mutant.source(root).encode())
    for test in (*mutant.tests, "tests/conftest.py"):
        digest.update(test.encode() + (root / test.partition("::")[0]).read_bytes())
    return digest.hexdigest()[:20]


def others(tests: Iterable[str]) -> tuple[str, ...]:
    """The folders of these tests, without them: arguments of pytest."""
    folders = dict.fromkeys(str(Path(test.partition("::")[0]).parent) for test in tests)
    folders.pop("tests", None)  # the root's tests are of everything
    return (*folders, *(f"--{'deselect' if '::' in test else 'ignore'}={test}" for test in tests)) if folders else ()


class Runner:
    """Mutants in so many copies of the tree.

    Args:
        folder: of the copies.
        jobs: how many at a time.
        limit: seconds for the tests of one, and ten times what they take without a mutant.
        records: what is known.
        baseline: whether the tests are run on the tree as it is, first.
        widen: whether the folders' other tests are run where a mutant's own pass.
    """

    def __init__(
        self, folder: Path, jobs: int, limit: float, records: Records, *, baseline: bool = True, widen: bool = True
    ) -> None:
        self.pristine = copied(folder / "as it is")
        self.copies = [Path(shutil.copytree(self.pristine, folder / str(k))) for k in range(jobs)]
        self.limit, self.records, self.baseline, self.widen = limit, records, baseline, widen
        self._passing: dict[tuple[str, ...], bool] = {}
        self._seconds: dict[tuple[str, ...], float] = {}

    def passes(self, arguments: tuple[str, ...]) -> bool:
        """Whether the tests pass on the tree as it is, which is asked once."""
        if arguments not in self._passing:
            child = Child(self.pristine, arguments, 60 * self.limit)
            while (status := child.poll()) is None:
                time.sleep(0.02)
            self._seconds[arguments] = time.monotonic() - child.begun
            self._passing[arguments] = status == PASSED
            if status != PASSED:
                print(f"{' '.join(arguments)} fail without any mutant: {child.failed()}", flush=True)
        return self._passing[arguments]

    def run(self, mutants: list[Mutant]) -> list[dict]:
        """A record of each, in the order in which they are done."""
        done, waiting, busy = [], list(reversed(mutants)), {}
        free = list(self.copies)
        try:
            while waiting or busy:
                while waiting and free:
                    copy, mutant = free.pop(), waiting.pop()
                    if self.baseline and not self.passes(mutant.tests):
                        done.append(self._line(mutant, FAIL, "", 0.0))
                        free.append(copy)
                        continue
                    (copy / mutant.file).write_text(mutant.source(self.pristine), encoding="utf-8")
                    limit = self.limit + 10 * self._seconds.get(mutant.tests, 0.0)
                    busy[copy] = mutant, False, Child(copy, mutant.tests, limit)
                for copy, (mutant, wide, child) in list(busy.items()):
                    status = child.poll()
                    if status is None:
                        continue
                    widen = self.widen and not wide and not mutant.lives
                    if status == PASSED and widen and others(mutant.tests):
                        busy[copy] = mutant, True, Child(copy, others(mutant.tests), 60 * self.limit)
                        continue
                    del busy[copy]
                    (copy / mutant.file).write_bytes((self.pristine / mutant.file).read_bytes())
                    done.append(self._judged(mutant, wide, status, child))
                    free.append(copy)
                time.sleep(0.02)
        finally:
            for _, _, child in busy.values():
                child.end()
        return done

    def _judged(self, mutant: Mutant, wide: bool, status: int, child: Child) -> dict:
        state, by, seconds = "killed", child.failed(), time.monotonic() - child.begun
        if status == -1:
            by = "time"
        elif status == PASSED or (wide and status in NOTHING):
            state, by = "survived" if self.widen else NARROW, ""
        elif status in NOTHING:
            state = "no test"
        elif wide and self.baseline and not self.passes(others(mutant.tests)):
            state = FAIL
        return self._line(mutant, state, by, seconds)

    def _line(self, mutant: Mutant, state: str, by: str, seconds: float) -> dict:
        line = {"key": key(mutant, self.pristine), "mutant": str(mutant), "state": state, "by": by}
        line |= {"seconds": round(seconds, 1), "lives": mutant.lives}
        print(f"{state:9s} {seconds:5.1f} s  {mutant}  {by}", flush=True)
        return self.records.keep(line)


def chosen(only: str, quick: bool, sample: int | None, seed: int) -> list[Mutant]:
    """The mutants that were asked for."""
    mutants = [m for m in read() if only in str(m) and m.quick >= quick]
    return mutants if sample is None else random.Random(seed).sample(mutants, min(sample, len(mutants)))


def table(lines: list[dict]) -> str:
    """Markdown: the counts, and all mutants, those that survived first."""
    states = [line["state"] for line in lines]
    said = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(["killed", "survived", *states]))
    rows = [f"{len(lines)} mutants: {said}", "", "| state | mutant | by | s |", "|--|--|--|--|"]
    for line in sorted(lines, key=lambda line: line["state"] == "killed"):
        told = line["by"] or line["lives"]
        rows.append("| {state} | `{mutant}` | {told} | {seconds} |".format(told=told, **line).replace("\n", " "))
    return "\n".join(rows) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the list; 0 where every mutant was killed, or is explained."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="mutants whose line holds this text, such as a file's name")
    parser.add_argument("--quick", action="store_true", help="those whose tests take a second or two")
    parser.add_argument("--sample", type=int, help="so many at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds for one, beside 10 times its tests'")
    parser.add_argument("--again", action="store_true", help="run what is known already")
    parser.add_argument("--no-baseline", action="store_true", help="do not run the tests without a mutant first")
    parser.add_argument("--narrow", action="store_true", help="run a mutant's own tests alone")
    parser.add_argument("--kept", type=Path, default=ROOT / "build" / "mutants", help="folder of what is known")
    given = parser.parse_args(arguments)
    records, lines, open_ = Records(given.kept / "records.jsonl"), [], []
    for mutant in chosen(given.only, given.quick, given.sample, given.seed):
        try:
            known = None if given.again else records.known.get(key(mutant))
        except NotFound as error:
            print(f"pattern   {error}")
            known = {"mutant": str(mutant), "state": "pattern not found", "by": "", "seconds": 0, "lives": mutant.lives}
        if known is None or known["state"] in (FAIL, NARROW):
            open_.append(mutant)
        else:
            lines.append({**known, "lives": mutant.lives})
    print(f"{len(lines)} known, {len(open_)} to run", flush=True)
    if open_:
        warm()
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            how = {"baseline": not given.no_baseline, "widen": not given.narrow}
            lines += Runner(Path(folder), given.jobs, given.limit, records, **how).run(open_)
    given.kept.mkdir(parents=True, exist_ok=True)
    (given.kept / "table.md").write_text(table(lines))
    left = [line for line in lines if line["state"] != "killed"]
    print("".join(f"{line['state']}: {line['mutant']}  {line['lives']}\n" for line in left), end="")
    print(f"{len(lines) - len(left)} of {len(lines)} killed; the table is {given.kept / 'table.md'}")
    return int(any(not line["lives"] for line in left))


if __name__ == "__main__":
    sys.exit(main())
