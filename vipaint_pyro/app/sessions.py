"""Visitors: each has a picture, a run and its results of its own, and none sees another's."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.jobs import Job
from vipaint_pyro.app.pictures import Picture
from vipaint_pyro.wording import counted

__all__ = ["Session", "Sessions"]


class Session:
    """One visitor.

    Attributes:
        picture: that is worked on.
        filling: the run whose results are shown.
        chosen: the number of the sample that was clicked on.
        shown: the numbers of the samples in the order that they are shown in.
        named: whether a model was taken by hand, after which none is chosen any more.
        automatic: the model that was chosen for the picture, or None.
    """

    def __init__(self) -> None:
        self.picture: Picture | None = None
        self.filling: Filling | None = None
        self.chosen: int | None = None
        self.shown: list[int] = []
        self.named = False
        self.automatic: str | None = None
        self._job: Job | None = None
        self._cancelled = False
        self._folder: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether something is computed."""
        return self._job is not None and not self._job.done

    def await_turn(self) -> None:
        """A run is asked for, and may have to wait for other visitors'."""
        self._cancelled = False

    def cancel(self) -> None:
        """End what is computed, or do not begin what waits."""
        self._cancelled = True
        if self._job is not None and not self._job.done:
            self._job.show(text="Cancelling after this step …")
            self._job.stop()

    def begin(self, work: Callable[[Job], object]) -> Job:
        """A job for some work.

        Raises:
            ValueError: where one is under way already.
        """
        if self.busy:
            raise ValueError("A run is under way already: cancel it, or wait for it")
        self._job = Job(work)
        if self._cancelled:
            self._job.stop()
        return self._job

    def more(self, count: int) -> Callable[[Job], None]:
        """The work of drawing so many more from the same fit.

        Raises:
            ValueError: where there is none.
        """
        if self.filling is None:
            raise ValueError("There is no fit to draw from yet: run it first")
        filling = self.filling
        return lambda job: filling.more(count, job)

    def keep(self, number: int | None) -> Picture:
        """Go on from a sample: it becomes the picture.

        Raises:
            ValueError: without a sample of this number.
        """
        if self.filling is None or number is None or not 0 <= number < self.filling.count:
            raise ValueError("Click on a completion first: it becomes the picture that you go on from")
        before = "picture" if self.picture is None else Path(self.picture.name).stem
        self.picture = Picture(f"{before}-{number}.png", self.filling.picture(number))
        self.filling, self.chosen, self.shown = None, None, []
        return self.picture

    def archive(self, write: Callable[[Path, Filling], None]) -> Path:
        """Everything as one file: the folder that the command line would write, zipped.

        Args:
            write: writes a run to a folder.

        Raises:
            ValueError: where there is nothing yet.
        """
        if self.filling is None or not self.filling.count:
            raise ValueError("There is nothing to download yet: fill the hole first")
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix="vipaint-app-"))
        name = "vipaint-" + (Path(self.picture.name).stem if self.picture is not None else "result")
        write(self._folder / name, self.filling)
        return Path(shutil.make_archive(str(self._folder / name), "zip", self._folder, name))

    def close(self) -> None:
        """Gone: nothing is computed for it any more, and its files are removed."""
        self.cancel()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class Sessions:
    """Visitors by the word that the page knows them by."""

    def __init__(self) -> None:
        self._all: dict[str, Session] = {}
        self._line: list[str] = []
        self._lock = threading.Lock()

    def __getitem__(self, word: str) -> Session:
        """A visitor, a new one where the word is new."""
        with self._lock:
            return self._all.setdefault(word, Session())

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Session]:
        """Every room, in the order that they were made."""
        return list(self._all.values())

    def close(self, word: str) -> None:
        """A visitor has left, with all rooms ``word/...``."""
        with self._lock:
            rooms = [name for name in self._all if name == word or name.startswith(f"{word}/")]
            gone = [self._all.pop(name) for name in rooms]
            self._line = [other for other in self._line if other not in rooms]
        for session in gone:
            session.close()

    def line_up(self, word: str) -> str:
        """Ask for a turn; says how many are before."""
        with self._lock:
            if word not in self._line:
                self._line.append(word)
            before = self._line.index(word)
        self[word].await_turn()
        return f"Waiting: {counted(before, 'run')} before yours." if before else "Starting …"

    @contextmanager
    def turn(self, word: str) -> Iterator[None]:
        """A block that is this visitor's turn, after which the line moves up."""
        try:
            yield
        finally:
            with self._lock:
                self._line = [other for other in self._line if other != word]
