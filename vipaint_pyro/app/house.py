"""What all visitors of a server share, and what the parts of its page know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.sessions import Sessions
from vipaint_pyro.app.shelf import Shelf

__all__ = ["House"]


@dataclass(frozen=True, eq=False)
class House:
    """A server.

    Attributes:
        shelf: the priors.
        write: writes a run to a folder, as the command line does.
        sessions: the visitors.
    """

    shelf: Shelf
    write: Callable[[Path, Filling], None]
    sessions: Sessions = field(default_factory=Sessions)
