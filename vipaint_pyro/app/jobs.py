"""Work in a thread of its own, looked at from another while it goes on, and stopped from a third."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import PIL.Image

from vipaint_pyro.faults import Stopped, fault_of

__all__ = ["Job", "View", "sentence"]

#: Errors whose text is for people.
_SAID = (ValueError, TypeError, OSError, ImportError, MemoryError, FloatingPointError)


@dataclass(frozen=True, eq=False)
class View:
    """How far the work is.

    Attributes:
        text: a line.
        share: of the steps, in [0, 1].
        losses: minus the bound in nats per dimension, one per step of the fit.
        course: what the guide drew during its fit: (step, pictures) each.
        samples: what is finished.
    """

    text: str = ""
    share: float = 0.0
    losses: tuple[float, ...] = ()
    course: tuple[tuple[int, tuple[PIL.Image.Image, ...]], ...] = ()
    samples: tuple[PIL.Image.Image, ...] = ()


class Job:
    """A function in a thread of its own.

    Args:
        work: called with this job; it shows how far it is by :meth:`show`, and ends where :attr:`stopped` is True.

    Attributes:
        view: the latest.
        error: a sentence, where the work came to one.
        result: of ``work``.
    """

    def __init__(self, work: Callable[[Job], object]) -> None:
        self.view = View()
        self.result: object = None
        self.error: str | None = None
        self._work, self._stop, self._news, self._done = work, threading.Event(), threading.Event(), threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether it is to end."""
        return self._stop.is_set()

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._done.is_set()

    def stop(self) -> None:
        """Have it end at its next step."""
        self._stop.set()

    def check(self) -> None:
        """Raise Stopped where it is to end."""
        if self.stopped:
            raise Stopped()

    def show(self, **changes: Any) -> None:
        """Another view."""
        self.view = replace(self.view, **changes)
        self._news.set()

    def views(self, every: float = 0.3) -> Iterator[View]:
        """Begin, and give a view whenever there is another one, at most once in so many seconds; at last the final one.

        A reader that goes away ends the work.
        """
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            while not self.done:
                if self._news.wait(0.1):
                    self._news.clear()
                    yield self.view
                    time.sleep(every)
            thread.join()
            yield self.view
        finally:
            self.stop()

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except Stopped:
            pass
        except Exception as error:
            self.error = sentence(error)
        finally:
            self._done.set()
            self._news.set()


def sentence(error: BaseException) -> str:
    """An error as it is shown; one that nobody has foreseen goes to stderr besides."""
    fault = fault_of(error) if isinstance(error, (RuntimeError, MemoryError)) else None
    if fault is not None or isinstance(error, _SAID):
        return str(fault or error)
    traceback.print_exception(error)
    return f"That went wrong in a way that nobody has foreseen ({type(error).__name__}: {error})"
