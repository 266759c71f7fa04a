"""A study computed: what is missing, item by item, each kept as soon as it is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from vipaint_pyro.evaluation.failures import one_line
from vipaint_pyro.evaluation.study.identity import name_in, titled
from vipaint_pyro.evaluation.study.job import Job, Outcome
from vipaint_pyro.evaluation.study.local import run_local
from vipaint_pyro.evaluation.study.plan import Item
from vipaint_pyro.evaluation.study.records import StudyFolder
from vipaint_pyro.evaluation.study.study import Study
from vipaint_pyro.wording import span

__all__ = ["Engine", "Tally", "missing", "run_study"]

#: From jobs, a number of workers and of threads to outcomes, as they come; closed, whatever ends the run.
Engine = Callable[[Iterable[Job], int, int], Generator[Outcome]]


@dataclass
class Tally:
    """How far a study is.

    Attributes:
        items: of the plan.
        done: items with a result.
        failed: items whose record says why there is none.
    """

    items: int = 0
    done: int = 0
    failed: int = 0


def missing(study: Study, folder: StudyFolder, retry_failed: bool = False) -> tuple[list[Item], Tally]:
    """The items without a record, and how far the study is.

    Args:
        study: the study.
        folder: where it is kept.
        retry_failed: whether items that failed are to be done again.

    Raises:
        ValueError: where a record comes from another label or prompt, or is damaged.
    """
    tally, todo = Tally(), []
    for item in study.plan.items():
        record = folder.record(item)
        tally.items += 1
        if record is None:
            todo.append(item)
            continue
        for name, told in (("label", study.label(item.image)), ("prompt", study.prompt(item.image))):
            if record["settings"][name] != told:
                raise ValueError(f"{name} of image {item.image}: {record['settings'][name]!r} -> {told!r} has changed: "
                                 "choose another --out")  # fmt: skip
        if record["error"] is None:
            tally.done += 1
        elif retry_failed:
            todo.append(item)
        else:
            tally.failed += 1
    return todo, tally


def run_study(
    study: Study,
    folder: StudyFolder,
    todo: list[Item],
    tally: Tally,
    log: Callable[[str], None],
    workers: int = 1,
    engine: Engine = run_local,
) -> None:
    """Compute items, and keep each.

    Args:
        study: the study.
        folder: where it is kept, begun.
        todo: what is missing.
        tally: counted on, whatever ends the run.
        log: called with a line per item.
        workers: how many processes.
        engine: what computes.

    Raises:
        KeyboardInterrupt: where it was ended; what is done is kept.
    """
    clock = _Clock(todo, workers)
    with closing(engine(_kept(study.jobs(todo), folder), workers, study.plan.threads)) as outcomes:
        for outcome in outcomes:
            folder.write(outcome)
            record, item = outcome.record, outcome.item
            fine = record["error"] is None
            tally.done, tally.failed = tally.done + fine, tally.failed + (not fine)
            clock.seen(item, outcome.wall)
            said = _result(record) if fine else one_line(record["error"])
            image = titled(item.image, name_in(record))
            place = f"[{tally.done + tally.failed}/{tally.items}] {image} {item.condition} {item.method}"
            log(f"{place}: {said}{clock.left()}")


def _kept(jobs: Iterable[Job], folder: StudyFolder) -> Iterator[Job]:
    """The jobs, what each is about kept beside."""
    for job in jobs:
        if job.trouble is None:
            folder.write_truth(job.item.image, job.truth)
            folder.write_measured(job.item.condition, job.item.image, job.measurement)
        yield job


def _result(record: dict) -> str:
    values = record["scores"]["lpips_composite"]
    return f"LPIPS {sum(values) / len(values):.4f}, {record['seconds']:.1f} s"


class _Clock:
    """The time left, by what items of a method and condition have taken so far in this run."""

    def __init__(self, todo: list[Item], workers: int) -> None:
        self._left = Counter((item.method, item.condition) for item in todo)
        self._taken: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._workers = max(1, min(workers, len(todo)))

    def seen(self, item: Item, seconds: float) -> None:
        self._left[item.method, item.condition] -= 1
        self._taken[item.method, item.condition].append(seconds)

    def left(self) -> str:
        """In words, with a semicolon before; empty at the end."""
        if not any(self._left.values()):
            return ""
        means = {kind: sum(taken) / len(taken) for kind, taken in self._taken.items()}
        every = sum(means.values()) / len(means)
        rest = sum(count * means.get(kind, every) for kind, count in self._left.items())
        return f"; about {span(rest / self._workers)} left"
