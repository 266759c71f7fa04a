"""Items computed on this machine: in this process, or by several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from vipaint_pyro.evaluation.study.job import Job, Outcome, compute
from vipaint_pyro.evaluation.study.workers import Pool

__all__ = ["run_local"]


def run_local(jobs: Iterable[Job], workers: int = 1, threads: int = 1) -> Iterator[Outcome]:
    """Outcomes of jobs, as they come.

    On the CPU the numbers are the same whatever ``workers`` is.

    Args:
        jobs: taken as there is somebody to do them.
        workers: how many processes; 1 is this one.
        threads: of torch, in each.

    Raises:
        KeyboardInterrupt: where it was ended.
    """
    if workers > 1:
        with Pool(workers, threads) as pool:
            yield from pool.outcomes(jobs)
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield from map(compute, jobs)
    finally:
        torch.set_num_threads(before)
