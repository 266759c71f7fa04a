"""Ray, started on this machine or joined, quiet, and left as it was found."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from types import ModuleType

__all__ = ["Cluster", "check_address", "the_ray"]

#: Of Ray itself: nothing is sent, and a task whose memory did not suffice is no exception to ``max_retries``.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_task_oom_retries": "2", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_PLACE = re.compile(r"(?P<host>[^\s:/]+):(?P<port>\d{1,5})")
_SECONDS = 10


def the_ray() -> ModuleType:
    """The package.

    Raises:
        ImportError: where it is not installed.
    """
    os.environ.update(_ENVIRONMENT)
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        mend = "pip install 'vipaint-pyro[ray]'"
        raise ImportError(f"the engine 'ray' needs the extra 'ray': {mend}") from error
    return ray


def check_address(address: str | None) -> None:
    """See that an address is None, "auto" or HOST:PORT.

    Raises:
        ValueError: where it is not.
    """
    if address is not None and address != "auto" and not _PLACE.fullmatch(address):
        raise ValueError(f"ray_address is auto or HOST:PORT, but is {address!r}")


class Cluster:
    """A block with Ray.

    One that is started for it ends with it. One that ran before, on these machines or in this process, goes on.

    Args:
        address: None starts Ray on this machine; "auto" joins the one that this machine belongs to, "HOST:PORT" that
            whose head is there. This machine has to be one of its nodes.
        cpus: how many a Ray that is started here says it has; None: those that there are.

    Raises:
        ImportError: where Ray is not installed.
        ValueError: for an address that is none.
        OSError: where no Ray is found, or none can be started.
    """

    def __init__(self, address: str | None = None, cpus: int | None = None) -> None:
        check_address(address)
        self.ray = the_ray()
        self._address, self._cpus = address, cpus
        self._leave: Callable[[], None] = lambda: None

    def __enter__(self) -> Cluster:
        if self.ray.is_initialized():
            if self._address is not None:
                raise ValueError("ray_address is given, but this process is connected to a Ray already")
            return self
        handler = signal.getsignal(signal.SIGTERM)  # which Ray replaces
        try:
            self._connect()
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)
        self._quiet()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _connect(self) -> None:
        how: dict[str, object] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address is None:
            how |= {"address": "local", "num_cpus": self._cpus, "include_dashboard": False}
        else:
            _reach(self._address)
            how["address"] = self._address
        try:
            self.ray.init(**how)
        except (OSError, RuntimeError, ValueError) as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            if self._address is None:
                raise OSError(f"Ray cannot be started here: {first}") from error
            raise OSError(
                f"no Ray can be joined by --ray-address {self._address} ({first}): `ray start --head` starts one, "
                "`ray start --address HOST:PORT` adds a machine, and the command runs on one of its machines"
            ) from error

    def _quiet(self) -> None:
        """Keep off the terminal what raylets report, deaths in hundreds of lines: it is in Ray's logs.

        ``log_to_driver`` does not cover these, and Ray has no other switch; where it prints them otherwise, they show.
        """
        printing = vars(self.ray._private.worker)
        before = printing.get("print_to_stdstream")
        printing["print_to_stdstream"] = lambda *_, **__: None

        def leave() -> None:
            self.ray.shutdown()
            printing["print_to_stdstream"] = before

        self._leave = leave

    def room(self, device: str, threads: int) -> int:
        """How many tasks there is room for at once, all machines together.

        Args:
            device: a task takes a GPU where it is "cuda".
            threads: CPUs that a task takes.

        Raises:
            ValueError: where there is room for none.
        """
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        rooms = [int(node.get("CPU", 0)) // threads for node in nodes]
        if device == "cuda":
            rooms = [min(room, int(node.get("GPU", 0))) for room, node in zip(rooms, nodes)]
        if not sum(rooms):
            what = f"{threads} CPUs (--threads)" + " and a GPU" * (device == "cuda")
            raise ValueError(f"no machine of Ray's has {what}: it has {self.ray.cluster_resources().get('CPU', 0):g} "
                             f"CPUs and {self.ray.cluster_resources().get('GPU', 0):g} GPUs in all")  # fmt: skip
        return sum(rooms)


def _reach(address: str) -> None:
    """See that somebody listens there: Ray itself waits for minutes.

    Raises:
        ConnectionError: where nobody does.
    """
    place = _PLACE.fullmatch(address)
    if place is None:  # "auto"
        return
    try:
        socket.create_connection((place["host"], int(place["port"])), _SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"nobody answers at --ray-address {address} ({error}): is `ray start --head` running there?"
        ) from error
