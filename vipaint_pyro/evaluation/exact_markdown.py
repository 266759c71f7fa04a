"""The laboratory's table as Markdown: what was measured, what the columns mean, and apart what was published."""

from __future__ import annotations

from collections.abc import Sequence

from vipaint_pyro.evaluation.exact_published import SOURCE
from vipaint_pyro.evaluation.exact_records import HEADS
from vipaint_pyro.wording import counted

__all__ = ["markdown", "ran_on"]

_COLUMNS = """\
- sliced W1: distance of a method's samples to exact draws, the mean over random directions of the Wasserstein-1
  distance along each. Lower is better; exact draws are not at 0 themselves: the row exact is the floor.
- mode TV: total variation between the samples' shares of the 25 modes and the exact weights, 0 to 1; lower is better.
  modes found: the share of the modes above 1 % that got at least a tenth of their weight; 1 is best.
- log p(y) error: estimate minus truth, in nats: mean (root mean square); nearer to 0 is better.
  log p(y) - bound: the gap of a guide's bound, in nats; lower is better.
- k: Pareto k of the guide's importance weights, a mean; above 0.7 such weights are not to be relied on.
- fit calls: denoiser calls per problem; calls per sample: those after the fit; seconds: of all problems, with the fit.
- moment-gaussian, one-mode, delta and prior know the truth and return a part of it: they say what a distance means.
"""


def ran_on(table: Sequence[dict]) -> str:
    """How many problems and samples the measured rows are of, in words; empty where there are none."""
    sizes = dict.fromkeys((r["problems"], r["samples"]) for r in table if not r["published"])
    return "; ".join(f"{counted(n, 'problem')} per cell, {counted(s, 'sample')} of each" for n, s in sizes)


def markdown(table: Sequence[dict]) -> str:
    """The rows of :func:`~vipaint_pyro.evaluation.exact_table.rows` as tables, and what their columns mean."""
    lines = [
        f"{HEADS['table.md']}| mode TV | modes found "
        "| log p(y) error (rms) | log p(y) - bound | k | fit calls | calls per sample | seconds |",
        "|--|--|--|--|--|--|--|--|--|--|--|",
        *(_line(r) for r in table if not r["published"]),
        "",
        f"{ran_on(table)}. ± is 1.96 standard errors over the problems (95 %; the standard",
        "deviation with n, as in the published table); `vipaint evaluate` gives one standard error instead.",
        "",
        *_COLUMNS.splitlines(),
    ]
    published = [r for r in table if r["published"]]
    if published:
        lines += [
            "",
            f"Published ({SOURCE}), on 20 other problems of the same distribution:",
            "not to be ranked among the rows above. Lower is better, ± is a 95 % interval.",
            "",
            "| d, d_y | method | sliced W1 |",
            "|--|--|--|",
            *(f"| {r['d']}, {r['d_y']} | {r['method']} | {_shown(r, 'sliced_w1')} |" for r in published),
        ]
    return "\n".join(lines) + "\n"


def _line(r: dict) -> str:
    cell = [f"{r['d']}, {r['d_y']}", r["method"]]
    if "error" in r:
        return "| " + " | ".join([*cell, r["error"].replace("|", "\\|"), *[""] * 8]) + " |"
    cell += [_shown(r, "sliced_w1"), _shown(r, "mode_tv"), _shown(r, "modes_found", False)]
    error = ""
    if "log_evidence_error" in r:
        error = f"{r['log_evidence_error']:+.3f} ({r['log_evidence_error_rms']:.3f})"
    cell += [error, _shown(r, "bound_gap"), _shown(r, "k_hat", False)]
    cell += [f"{r[n]:.0f}" if n in r else "" for n in ("fit_calls", "calls")]
    cell += [f"{r['fit_seconds'] + r['seconds']:.0f}" if "seconds" in r else ""]
    return "| " + " | ".join(cell) + " |"


def _shown(row: dict, column: str, interval: bool = True) -> str:
    if column not in row:
        return ""
    return f"{row[column]:.2f} ± {row[column + '_ci']:.2f}" if interval else f"{row[column]:.2f}"
