"""Items computed by Ray: plain tasks, on one machine or on a cluster.

Where a task runs, on which GPU, and what becomes of it when a process or a machine dies, is Ray's to say.
"""

from __future__ import annotations

import os
import pickle
import platform
from collections.abc import Generator, Iterable
from itertools import islice
from typing import Any

import torch

from vipaint_pyro.evaluation.failures import FAILURES
from vipaint_pyro.evaluation.study.cluster import Cluster
from vipaint_pyro.evaluation.study.job import Job, Outcome, compute, failed, lpips_of
from vipaint_pyro.evaluation.study.priors import load
from vipaint_pyro.evaluation.study.workers import TRIES
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.wording import counted

__all__ = ["RayEngine"]


class RayEngine:
    """Outcomes of jobs, as they come.

    On the CPU the numbers are those of one process of this machine.

    Args:
        cluster: entered.
        device: of the plan; tasks take a GPU each where it is "cuda".
    """

    def __init__(self, cluster: Cluster, device: str) -> None:
        self._ray, self._gpu = cluster.ray, device == "cuda"

    def __call__(self, jobs: Iterable[Job], workers: int, threads: int) -> Generator[Outcome]:
        """The engine.

        Args:
            jobs: taken as there is somebody to do them, since they hold tensors.
            workers: tasks that are given to Ray at once.
            threads: of torch in a task, and the CPUs that it takes.

        Raises:
            ValueError: where a machine has other versions or weights than this one, or cannot load them; it is named.
            RuntimeError: where Ray itself cannot go on.
        """
        # max_calls: Ray would end a process after each task that had a GPU, and with it the prior that is loaded
        task = self._ray.remote(
            num_cpus=threads, num_gpus=int(self._gpu), max_calls=0, max_retries=TRIES - 1, retry_exceptions=False,
            runtime_env={"env_vars": _ALL_GPUS} if self._gpu else None,
        )(_serve)  # fmt: skip
        waiting = iter(jobs)
        running: dict[Any, Job] = {}
        how = dict(expected=versions(), folder=os.getcwd(), threads=threads, gpu=self._gpu)
        try:
            while True:
                for job in islice(waiting, workers - len(running)):
                    running[task.remote(pickle.dumps(job), **how)] = job
                if not running:
                    return
                for done in self._ray.wait(list(running), num_returns=1)[0]:
                    yield self._outcome(done, running.pop(done))
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def _outcome(self, reference: object, job: Job) -> Outcome:
        trouble = self._ray.exceptions
        try:
            outcome = self._ray.get(reference)
        except (trouble.WorkerCrashedError, trouble.NodeDiedError, trouble.ObjectLostError):
            return failed(job, f"the process that computed it died {counted(TRIES, 'time')}")
        except trouble.OutOfMemoryError:
            return failed(job, f"Ray ended its process {counted(TRIES, 'time')}, since its machine was out of memory")
        except trouble.RayError as error:
            said = [line for line in str(error).splitlines() if line.strip()]
            raise RuntimeError(f"Ray could not compute {job.item}: {said[-1] if said else error!r}") from error
        if isinstance(outcome, str):
            raise ValueError(outcome)
        return outcome


#: Every process sees all GPUs of its machine: CUDA does not heed a list that is changed once it is running.
_ALL_GPUS = {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}


def _serve(blob: bytes, expected: dict[str, str], folder: str, threads: int, gpu: bool) -> Outcome | str:
    """What a task does.

    Args:
        blob: the job, opened once the versions are known to be the same.
        expected: package -> version.
        folder: that relative names start from, where it is there.
        threads: of torch.
        gpu: whether the task has one.

    Returns:
        What came of the job, or why this machine can do none.
    """
    import ray

    here, own = f"{platform.node()} ({ray.util.get_node_ip_address()})", versions()
    other = [f"{name} {own.get(name)}, not {v}" for name, v in expected.items() if own.get(name) != v]
    if other:
        return f"{here} has other versions than this machine ({'; '.join(other)}): install the same ones there"
    if os.path.isdir(folder):
        os.chdir(folder)
    torch.set_num_threads(threads)
    if gpu:
        _take_gpu()
    job = pickle.loads(blob)
    if job.trouble is None:
        try:
            _, weights = load(job.prior)
            lpips_of(job.lpips)
        except FAILURES as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            return f"{here} cannot load what this machine has loaded, prior {job.prior.name} or LPIPS: {said}"
        if weights != job.weights:
            return f"{here} has other weights of prior {job.prior.name} than this machine: {weights}, not {job.weights}"
    return compute(job)


def _take_gpu() -> None:
    """Make "cuda" the GPU that Ray has given to this task; a prior that lies on another one is forgotten."""
    import ray

    (own,) = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    number = visible.split(",").index(own) if visible else int(own)
    if load.cache_info().currsize and torch.cuda.current_device() != number:
        load.cache_clear()
        torch.cuda.empty_cache()
    torch.cuda.set_device(number)
