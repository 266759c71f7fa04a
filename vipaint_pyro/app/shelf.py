"""The priors that a server offers, each loaded once and shared by all visitors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from vipaint_pyro.datasets.shares import are_shares
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

__all__ = ["Shelf"]


class Shelf:
    """Priors by name, loaded when first asked for.

    Args:
        names: in the order that they are offered.
        load: from a name to its pipeline.
    """

    def __init__(self, names: Sequence[str], load: Callable[[str], VIPaintPipeline]) -> None:
        if not names:
            raise ValueError("no prior is given: name one")
        self.names, self._load = list(dict.fromkeys(names)), load
        self._loaded: dict[str, VIPaintPipeline] = {}
        self._locks: Mapping[str, threading.Lock] = {name: threading.Lock() for name in self.names}

    def __getitem__(self, name: str) -> VIPaintPipeline:
        """The pipeline of this name.

        Raises:
            ValueError: for a name that is not on offer; as loading does.
        """
        if name not in self._locks:
            raise ValueError(f"There is no model {name!r} here: there are {', '.join(self.names)}")
        with self._locks[name]:  # a second visitor waits for the first one's
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def labels(self, name: str) -> list[str]:
        """The classes of a prior by name, or by number where they have no names; empty where there are none."""
        prior = self[name].prior
        if prior.class_names:
            return list(prior.class_names)
        count = prior.num_classes or 0
        return [str(k) for k in range(count) if k != prior.null_class]

    def takes_text(self, name: str) -> bool:
        """Whether a prior is conditioned on text."""
        return bool(self[name].prior.needs)

    def by_share(self, name: str) -> bool:
        """Whether a prior's classes are how much of a picture a square spans."""
        return are_shares(self[name].prior.class_names)
