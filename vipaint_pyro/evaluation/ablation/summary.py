"""What an ablation's records come to: means, standard errors, and paired differences to the first combination."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vipaint_pyro.evaluation.ablation.ground import Combination
from vipaint_pyro.evaluation.means import mean_of, paired

__all__ = ["measures_of", "summary", "varying"]

#: What a record says beside settings and measures.
FACTS = ("on", "problem", "timesteps", "error")


def measures_of(records: Sequence[Mapping], settings: Sequence[str]) -> list[str]:
    """The measures that any record has, in the order of the first that has them."""
    return [n for n in dict.fromkeys(name for r in records for name in r) if n not in (*FACTS, *settings)]


def varying(combinations: Sequence[Combination]) -> list[str]:
    """The settings that have several values; one left to its default has none."""
    names = list(combinations[0]) if combinations else []
    return [n for n in names if len({str(c[n]) for c in combinations if c[n] is not None}) > 1]


def summary(
    combinations: Sequence[Combination], records: Sequence[Sequence[Mapping]], shared: Sequence[str] = ()
) -> list[dict]:
    """A row per combination and what it was measured on.

    Args:
        combinations: settings by name.
        records: of each combination, those of its problems.
        shared: measures that are of all problems of a combination together: they have no standard errors.

    Returns:
        ``on``, ``problems`` (how many have a value), the settings, ``timesteps``, ``failed``, and of each measure m its
        mean ``m``, the standard error ``m_error`` of it, and, of all combinations but the first, the mean
        ``m_difference`` of the differences to the first, problem by problem on those that both have, with its standard
        error ``m_difference_error``. None where there is no number.
    """
    settings = list(combinations[0])
    measures = measures_of([r for each in records for r in each], settings)
    where = list(dict.fromkeys(r["on"] for each in records for r in each))
    rows = []
    for combination, own in zip(combinations, records):
        for on in where:
            here = [r for r in own if r["on"] == on]
            if not here:
                continue
            fine = [r for r in here if r["error"] is None]
            row = {"on": on, "problems": len(fine), **combination, "timesteps": here[0]["timesteps"]}
            row["failed"] = len(here) - len(fine)
            for measure in measures:
                base = None if own is records[0] else _by_problem(records[0], on, measure)
                found = _figures(measure, _by_problem(own, on, measure), base)
                row |= {n: None if n.endswith("_error") and measure in shared else v for n, v in found.items()}
            rows.append(row)
    return rows


def _by_problem(records: Sequence[Mapping], on: str, measure: str) -> dict[int, float]:
    return {r["problem"]: r[measure] for r in records if r["on"] == on and r.get(measure) is not None}


def _figures(measure: str, own: Mapping[int, float], base: Mapping[int, float] | None) -> dict[str, float | None]:
    mean, both = mean_of([*own.values()]), [i for i in own if i in (base or ())]
    found = {measure: mean.mean, f"{measure}_error": mean.error}
    if base is not None:
        difference = paired([own[i] for i in both], [base[i] for i in both])
        found |= {f"{measure}_difference": difference.mean, f"{measure}_difference_error": difference.error}
    return {name: None if math.isnan(value) else value for name, value in found.items()}
