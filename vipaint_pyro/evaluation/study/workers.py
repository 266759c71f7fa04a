"""Processes that compute items: one that dies is replaced, and what it was at is tried again.

Jobs and outcomes go through pipes as plain bytes: torch's own way of sharing tensors between processes needs the
sender to live.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import torch

from vipaint_pyro.evaluation.study.job import Job, Outcome, compute, failed
from vipaint_pyro.evaluation.study.plan import Item
from vipaint_pyro.wording import counted

__all__ = ["TRIES", "Pool"]

#: How often an item is tried whose process dies.
TRIES = 3
#: How processes begin: anew, since neither CUDA nor threads survive a fork.
START = "spawn"


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Connection
    job: Job | None = None


class Pool:
    """So many processes.

    Args:
        workers: how many.
        threads: of torch, in each.
    """

    def __init__(self, workers: int, threads: int) -> None:
        self._size, self._threads = workers, threads
        self._workers: list[_Worker] = []
        self._context: Any = multiprocessing.get_context(START)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()  # it writes nothing that could be left half done
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Outcomes of jobs, as they come."""
        waiting = iter(jobs)
        again: list[Job] = []
        tries: dict[Item, int] = {}
        while True:
            self._feed(waiting, again)
            busy = [w for w in self._workers if w.job is not None]
            if not busy:
                return
            ready = wait([w.pipe for w in busy])
            for worker in [w for w in busy if w.pipe in ready]:
                job = cast(Job, worker.job)
                try:
                    outcome = pickle.loads(worker.pipe.recv_bytes())
                except (EOFError, ConnectionError):
                    code = self._buried(worker)
                    tries[job.item] = tries.get(job.item, 0) + 1
                    if tries[job.item] < TRIES:
                        again.append(job)
                        continue
                    outcome = failed(job, f"the process that computed it died {counted(TRIES, 'time')}, "
                                          f"at last with status {code}")  # fmt: skip
                worker.job = None
                yield outcome

    def _feed(self, waiting: Iterator[Job], again: list[Job]) -> None:
        """Give every idle worker a job, and start those that are missing, as long as there are jobs."""
        while True:
            idle = next((w for w in self._workers if w.job is None), None)
            if idle is None and len(self._workers) == self._size:
                return
            job = again.pop() if again else next(waiting, None)
            if job is None:
                return
            idle = idle or self._started()
            idle.job = job
            try:
                idle.pipe.send_bytes(pickle.dumps(job))
            except (BrokenPipeError, ConnectionError):  # it died idle; what waits for its answer sees that
                continue

    def _started(self) -> _Worker:
        own, its = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(its, self._threads), daemon=True)
        process.start()
        its.close()
        worker = _Worker(process, own)
        self._workers.append(worker)
        return worker

    def _buried(self, worker: _Worker) -> int | None:
        """The exit status of a worker that has died."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        return worker.process.exitcode


def _serve(pipe: Connection, threads: int) -> None:
    """What a worker does: an item after the other, until its parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent sees to it
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    torch.set_num_threads(threads)
    while True:
        try:
            job = pickle.loads(pipe.recv_bytes())
            outcome = compute(job)
            pipe.send_bytes(pickle.dumps(outcome))
        except (EOFError, ConnectionError):
            return


def _outlive_nobody() -> None:
    """End with the parent, whatever ends that: half an item is no use to anybody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
