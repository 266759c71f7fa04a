"""Tables of quality: means, standard errors and paired differences."""

from __future__ import annotations

from collections.abc import Sequence

from vipaint_pyro.evaluation.quality import Quality, mean_and_error, paired

__all__ = ["HEADINGS", "table"]

HEADINGS = {
    "lpips_raw": "LPIPS raw",
    "lpips_composite": "LPIPS composite",
    "psnr": "PSNR (dB)",
    "observed_error": "observed error",
    "diversity": "diversity",
}


def table(results: dict[str, Quality], columns: Sequence[str], deviation: bool = False) -> str:
    """Means over images ± their standard errors, and paired differences of the first method to the others.

    Args:
        results: method -> quality, all on the same images.
        columns: lists of :class:`~vipaint_pyro.evaluation.Quality`.
        deviation: whether the standard deviation over images is given beside, in brackets.
    """

    def cell(quality: Quality, column: str) -> str:
        values = getattr(quality, column)
        mean, error = mean_and_error(values)
        digits = 1 if column == "psnr" else 4
        spread = f" ({error * len(values) ** 0.5:.{digits}f})" if deviation else ""
        return f"{mean:.{digits}f} ± {error:.{digits}f}{spread}"

    lines = [f"| method | {' | '.join(HEADINGS[c] for c in columns)} | calls | s per image |"]
    lines.append("|--" * (len(columns) + 3) + "|")
    for name, quality in results.items():
        cells = " | ".join(cell(quality, c) for c in columns)
        lines.append(f"| {name} | {cells} | {quality.calls:.0f} | {quality.seconds:.1f} |")
    first, *others = results
    lines.append("")
    for name in others:
        for column in (c for c in columns if c.startswith("lpips")):
            mean, error = paired(getattr(results[first], column), getattr(results[name], column))
            lines.append(f"{first} - {name}, {column}: {mean:+.4f} ± {error:.4f} (paired)")
    return "\n".join(lines)
