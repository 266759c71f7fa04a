"""Run what the table of pictures lacks: one problem, method and number of calls after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from torch import Tensor

from vipaint_pyro.datasets import FASHION_MNIST_FOLDER
from vipaint_pyro.evaluation.exact_pictures.atoms import ATOMS, STD, Atoms, load_atoms
from vipaint_pyro.evaluation.exact_pictures.cells import Cell, cell_named
from vipaint_pyro.evaluation.exact_pictures.methods import DRAWN, described_row, draw_row
from vipaint_pyro.evaluation.exact_pictures.problems import Problem, make_problem
from vipaint_pyro.evaluation.exact_pictures.records import PICTURES, row_name, samples_path
from vipaint_pyro.evaluation.exact_pictures.scores import REFERENCES, score
from vipaint_pyro.evaluation.exact_pictures.streams import stream
from vipaint_pyro.evaluation.exact_records import check_folder, is_done
from vipaint_pyro.evaluation.failures import FAILURES, one_line, said_of
from vipaint_pyro.faults import check_finite, fault_of
from vipaint_pyro.files import write_tensors, write_text
from vipaint_pyro.images import to_bytes
from vipaint_pyro.settings import checked, whole

__all__ = ["SHOWN", "Asked", "run_pictures"]

#: How many samples, and how many exact draws, are kept for the pictures.
SHOWN = 4


@dataclass(frozen=True)
class Asked:
    """What a table is of.

    Args:
        methods: rows, as :func:`~vipaint_pyro.evaluation.exact_pictures.methods.row_sampler` has them, or of ``DRAWN``.
        cells: names of cells.
        calls: forward calls per sample.
        problems: their numbers.
        samples: of each problem, at least 2.
        atoms: pictures of each prior.
        data: the folder of Fashion-MNIST.
    """

    methods: Sequence[str]
    cells: Sequence[str]
    calls: Sequence[int]
    problems: Sequence[int]
    samples: int = 50
    atoms: int = ATOMS
    data: Path = FASHION_MNIST_FOLDER

    def settings(self) -> dict:
        """Those that a record's figures depend on."""
        return {"samples": self.samples, "atoms": self.atoms, "std": STD, "references": REFERENCES}

    def rows(self) -> list[tuple[str, int | None]]:
        """Methods with their calls, None where a method makes none."""
        made = [(m, c) for c in dict.fromkeys(self.calls) for m in dict.fromkeys(self.methods) if m not in DRAWN]
        return [*((m, None) for m in dict.fromkeys(self.methods) if m in DRAWN), *made]

    def samplers(self) -> dict[tuple[str, str, int | None], dict | None]:
        """Cell, method and calls -> the sampler's settings, settled.

        Raises:
            ValueError: where a method, cell, number of calls or of samples cannot be.
        """
        checked("samples", self.samples, whole(2))
        checked("atoms", self.atoms, whole(2))
        for calls in self.calls:
            checked("calls", calls, whole())
        return {
            (cell.name, method, spent): described_row(method, spent, cell, self.samples)
            for cell, (method, spent) in product(map(cell_named, self.cells), self.rows())
        }


def run_pictures(asked: Asked, folder: Path, log: Callable[[str], None] | None = None) -> int:
    """Run what is not yet in the folder: a record per cell, problem, method and number of calls, written when done.

    Where a method fails at a problem, its record says why, and the others go on; the next call tries it again.

    Returns:
        How many of the records are of failures.

    Raises:
        ValueError: before anything runs, for what cannot be asked; where the folder cannot be written, holds other
            files, a damaged record or a table with other settings, with each difference.
        FileNotFoundError, ImportError: as :func:`~vipaint_pyro.evaluation.exact_pictures.atoms.load_atoms`.
    """
    samplers = asked.samplers()
    settings = asked.settings()
    check_folder(folder, settings, lambda r: _described(r, asked.samples), PICTURES)
    cells, failed = [cell_named(name) for name in dict.fromkeys(asked.cells)], 0
    open_items = [(cell, record) for cell in cells for record in _lacking(asked, cell, folder)]
    sets = _loaded(asked, [cell for cell, _ in open_items], folder)
    known: tuple | None = None
    for cell, record in open_items:
        if known != (cell, record["problem"]):
            known = cell, record["problem"]
            problem = make_problem(cell, record["problem"], sets[cell.atoms])
            exact = problem.posterior.sample(asked.samples + REFERENCES, stream(*_place(record), "exact"))
        record |= {"settings": settings}
        try:
            record |= {"sampler": samplers[record["cell"], record["method"], record["budget"]]}
            record |= _measured(record, problem, exact, asked.samples, folder)
        except FAILURES as error:
            record |= {"error": said_of(fault_of(error) or error)}
            failed += 1
        write_text(PICTURES.path(folder, record), json.dumps(record))
        if log is not None:
            log(f"{cell.name} {record['problem']} {row_name(record)}: {_result(record)}")
    return failed


def _described(record: Mapping, samples: int) -> dict | None:
    return described_row(record["method"], record["budget"], cell_named(record["cell"]), samples)


def _lacking(asked: Asked, cell: Cell, folder: Path) -> Iterable[dict]:
    """What identifies each record of a cell that is not there yet, problem by problem."""
    for number, (method, calls) in product(asked.problems, asked.rows()):
        record = {"cell": cell.name, "method": method, "budget": calls, "problem": number}
        if not is_done(PICTURES.path(folder, record), PICTURES):
            yield record


def _loaded(asked: Asked, cells: Sequence[Cell], folder: Path) -> dict[str, Atoms]:
    outside = {c.atoms: max(asked.problems) + 1 for c in cells if c.outside}
    kept = folder / "cells"  # which says that the folder is a table's, should the run end before its first record
    return {n: load_atoms(n, asked.atoms, outside.get(n, 0), kept, asked.data) for n in {c.atoms: 0 for c in cells}}


def _place(record: Mapping) -> tuple[str, int]:
    return record["cell"], record["problem"]


def _measured(record: Mapping, problem: Problem, exact: Tensor, samples: int, folder: Path) -> dict:
    own = stream(*_place(record), f"sampler {row_name(record)}")
    drawn = draw_row(record["method"], record["budget"], problem, samples, own)
    check_finite(drawn.images.float(), "a sample")
    scores = {name: [value] for name, value in score(drawn.images, exact, problem).items()}
    seen = problem.measurement
    shown = {
        "truth": problem.truth,
        "y": seen.y,
        "exact": exact[:SHOWN, 0],
        "samples": drawn.images[:SHOWN, 0],
    }
    tensors = {name: to_bytes(x.float()) for name, x in shown.items()} | {"observed": seen.operator.observed}
    write_tensors(samples_path(folder, record), tensors)
    return {name: vars(drawn)[name] for name in PICTURES.costs} | {"scores": scores, "error": None}


def _result(record: Mapping) -> str:
    if record["error"] is not None:
        return one_line(record["error"])
    tv, off = (record["scores"][name][0] for name in ("class_tv", "off"))
    return f"class TV {tv:.2f}, off {100 * off:.0f} %, {record['calls']:.0f} calls, {record['seconds']:.0f} s"
