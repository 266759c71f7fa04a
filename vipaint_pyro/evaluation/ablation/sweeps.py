"""A grid of settings in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vipaint_pyro.evaluation.ablation.grids import grid_of
from vipaint_pyro.evaluation.ablation.grounds import ground_of
from vipaint_pyro.evaluation.ablation.outcome import Sweep
from vipaint_pyro.evaluation.ablation.written import draw

__all__ = ["sweep"]


def sweep(
    on: str | Iterable[str],
    *,
    out: str | Path = "vipaint-ablate",
    skip_impossible: bool = False,
    workers: int = 1,
    log: Callable[[str], None] = lambda text: None,
    **values: object,
) -> Sweep:
    """Measure every combination of settings, each record kept as soon as it is there; what is there is not computed
    again, whether this function or ``vipaint ablate`` has computed it.

    Args:
        on: cells of exact problems, ``"8,1"`` or several of them, as ``vipaint exact`` has them; or a prior, a built-in
            name, a folder or a hub id, to be measured on pictures as ``vipaint evaluate`` does.
        out: the folder of records, tables and the picture.
        skip_impossible: leave combinations out that cannot be, instead of refusing all.
        workers: on pictures, how many processes.
        log: called with a line for each finished record.
        **values: settings, each one value or a list of them, None for its default: ``guide`` (with exact problems also
            ``NAME+smc`` and the like), ``beta``, ``levels`` (K), ``T_e`` and ``T_s`` (noise-to-signal ratios
            sigma/alpha; levels between them lie as :func:`~vipaint_pyro.samplers.vipaint.levels.ratios_between` says),
            ``noise_scale`` (b), and any other of VIPaint, or on exact problems of
            :class:`~vipaint_pyro.evaluation.exact_methods.Lab`. And what is measured: ``problems``, ``samples`` and
            ``tune`` of exact problems; ``masks``, ``task``, ``data``, ``images``, ``samples`` and what else a
            :class:`~vipaint_pyro.evaluation.study.plan.Plan` has of pictures.

    Raises:
        ValueError: before anything is computed, for what cannot be: combinations are all listed.

    Example:
        >>> found = sweep("8,1", guide=["hierarchical", "mean-field"], levels=[2, 4], problems=2, samples=100)
        >>> found.table()[0]["bound_gap"], found.figure(x="levels")  # doctest: +SKIP
    """
    known = ground_of(on, out, values)
    grid = {name: value for name, value in values.items() if name not in known.about}
    settings = {name: [*v] if isinstance(v, (list, tuple, range)) else [v] for name, v in grid.items()}
    found = grid_of(known, out, settings, skip_impossible).compute(log, workers)
    draw(found, Path(out))
    return found
