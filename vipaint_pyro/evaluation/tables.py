"""Tables of quality: means, standard errors and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vipaint_pyro.evaluation.quality import Quality, mean_and_error, paired

__all__ = ["HEADINGS", "table"]

#: The lists of a Quality, as a table calls them.
HEADINGS = {
    "lpips_raw": "LPIPS raw",
    "lpips_composite": "LPIPS composite",
    "psnr": "PSNR (dB)",
    "observed_error": "observed error",
    "diversity": "diversity",
}


def table(results: Mapping[str, Quality], columns: Sequence[str], deviation: bool = False) -> str:
    """Means over images ± their standard errors, and paired differences of the first method to the others.

    Args:
        results: method -> quality, all on the same images.
        columns: lists of :class:`~vipaint_pyro.evaluation.Quality`.
        deviation: whether the standard deviation over images is given beside, in brackets.
    """
    lines = [f"| method | {' | '.join(HEADINGS[c] for c in columns)} | calls | s per image |"]
    lines.append("|--" * (len(columns) + 3) + "|")
    for name, quality in results.items():
        cells = " | ".join(_cell(getattr(quality, c), 1 if c == "psnr" else 4, deviation) for c in columns)
        lines.append(f"| {name} | {cells} | {quality.calls:.0f} | {quality.seconds:.1f} |")
    compared = [c for c in columns if c.startswith("lpips")]
    return "\n".join([*lines, "", *_differences(results, compared)])


def _cell(values: Sequence[float], digits: int, deviation: bool) -> str:
    mean, error = mean_and_error(values)
    spread = f" ({error * math.sqrt(len(values)):.{digits}f})" if deviation else ""
    return f"{mean:.{digits}f} ± {error:.{digits}f}{spread}"


def _differences(results: Mapping[str, Quality], columns: Sequence[str]) -> list[str]:
    """A line per other method and column: the first method minus the other, image by image."""
    (first, best), *others = results.items()
    lines = []
    for name, quality in others:
        for column in columns:
            mean, error = paired(getattr(best, column), getattr(quality, column))
            lines.append(f"{first} - {name}, {column}: {mean:+.4f} ± {error:.4f} (paired)")
    return lines
