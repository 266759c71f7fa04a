"""Who computes a study's items: this machine, or Ray."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vipaint_pyro.evaluation.study.cluster import Cluster, check_address, the_ray
from vipaint_pyro.evaluation.study.driver import Engine
from vipaint_pyro.evaluation.study.local import run_local
from vipaint_pyro.evaluation.study.plan import Plan

__all__ = ["ENGINES", "check_engine", "opened"]

ENGINES = ("local", "ray")


def check_engine(name: str, plan: Plan, address: str | None) -> None:
    """See that an engine can be had, before anything is loaded.

    Args:
        name: one of :data:`ENGINES`.
        plan: what it is to compute.
        address: of Ray, or None.

    Raises:
        ValueError: for what does not go together.
        ImportError: where Ray is not installed.
    """
    if name == "local":
        if address is not None:
            raise ValueError("ray_address is of --engine ray: give both, or none")
        return
    check_address(address)
    if plan.device not in ("cpu", "cuda"):
        raise ValueError(f"device is cpu or cuda with --engine ray, which chooses the GPU, but is {plan.device!r}")
    the_ray()


@contextmanager
def opened(name: str, plan: Plan, workers: int | None, address: str | None) -> Iterator[tuple[Engine, int]]:
    """An engine for the length of a block, and how many items it is to compute at once.

    Args:
        name: one of :data:`ENGINES`.
        plan: what it is to compute.
        workers: how many; None: one, or as many as Ray has room for.
        address: None starts Ray on this machine, else as in :class:`~vipaint_pyro.evaluation.study.cluster.Cluster`.

    Raises:
        ValueError, ImportError, OSError: where it cannot be had.
    """
    check_engine(name, plan, address)
    if name == "local":
        yield run_local, workers or 1
        return
    from vipaint_pyro.evaluation.study.ray_engine import RayEngine

    cpus = None if workers is None else workers * plan.threads
    with Cluster(address, cpus) as cluster:
        room = cluster.room(plan.device, plan.threads)
        yield RayEngine(cluster, plan.device), workers or room
