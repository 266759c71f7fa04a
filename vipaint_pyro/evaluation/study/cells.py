"""Numbers as a study's tables show them, and as CSV has them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

from vipaint_pyro.evaluation.means import Mean
from vipaint_pyro.evaluation.study.grids import Cell

__all__ = ["count_cell", "csv_text", "mean_cell", "mean_text"]


def mean_cell(mean: Mean, digits: int, signed: bool = False) -> Cell:
    """A mean with its standard error; a dash where there is none."""
    return Cell("—") if math.isnan(mean.mean) else Cell(mean_text(mean, digits, signed), mean.mean)


def mean_text(mean: Mean, digits: int, signed: bool = False) -> str:
    """A mean that is a number, perhaps an infinite one, with its standard error where that is known."""
    if math.isinf(mean.mean):
        return "-∞" if mean.mean < 0 else "+∞" if signed else "∞"
    text = f"{mean.mean:{'+' if signed else ''}.{digits}f}"
    return text if math.isnan(mean.error) else f"{text} ± {mean.error:.{digits}f}"


def count_cell(number: int) -> Cell:
    """A number of things."""
    return Cell(str(number), number)


def csv_text(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Numbers in full; what is not known is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if _unknown(v) else v for v in row] for row in rows])
    return file.getvalue()


def _unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
