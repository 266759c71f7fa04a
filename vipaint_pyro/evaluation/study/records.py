"""The folder of a study: its plan, and a record per item, each written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from vipaint_pyro.evaluation.study.identity import Picture, check_same, pixels_of
from vipaint_pyro.evaluation.study.job import Outcome
from vipaint_pyro.evaluation.study.plan import Item, Plan, merged
from vipaint_pyro.evaluation.study.specs import file_name
from vipaint_pyro.files import check_writable, is_scratch, sweep, write_picture, write_tensors, write_text
from vipaint_pyro.images import from_model, read_image, to_model, to_output, to_unit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement

try:
    import fcntl
except ImportError:  # not on Windows: there two runs of one study are not told apart
    fcntl = None  # type: ignore[assignment]  # Windows has no such module

__all__ = ["StudyFolder", "file_name"]

_LOCK = ".lock"


class StudyFolder:
    """Where a study is kept.

    Args:
        path: the folder, which need not be there yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    # -- the plan -------------------------------------------------------------------------------

    def head(self) -> dict | None:
        """What plan.json says: ``plan``, ``versions``, and fingerprints of ``weights``; None where there is none.

        Raises:
            ValueError: where it is damaged.
        """
        path = self.path / "plan.json"
        return _read(path, ("plan", "weights", "versions")) if path.exists() else None

    def plan(self) -> Plan | None:
        """The plan that is there, or None."""
        head = self.head()
        return None if head is None else Plan.from_json(head["plan"])

    def begin(
        self, plan: Plan, marks: Mapping[str, str], versions: Mapping[str, str], pictures: Mapping[int, Picture]
    ) -> list[str]:
        """Write the plan, or add it to the one that is there.

        Args:
            plan: what is to be computed now.
            marks: fingerprints of weights by their names in plan.json.
            versions: of the packages.
            pictures: number -> which picture it is, of the images of this plan.

        Returns:
            Which versions are others than those that the study was begun with, "torch 2.6 -> 2.7".

        Raises:
            ValueError: where a setting that numbers depend on has changed, with the difference; a number stands
                for another picture than before; or the folder holds something else, or cannot be written.
        """
        head, other = self.check(plan, marks, versions, pictures)
        if head != self.head():
            write_text(self.path / "plan.json", json.dumps(head, indent=2) + "\n")
        return other

    def check(
        self, plan: Plan, marks: Mapping[str, str], versions: Mapping[str, str], pictures: Mapping[int, Picture]
    ) -> tuple[dict, list[str]]:
        """What :meth:`begin` would write and give, and its errors; nothing is written."""
        check_writable(self.path)
        head = self.head()
        if head is None:
            if self.path.is_dir() and any(p.name != _LOCK and not is_scratch(p) for p in self.path.iterdir()):
                raise ValueError(f"{self.path} holds something else than a study: choose another --out")
            return {"plan": plan.to_json(), **marks, "versions": dict(versions), "pictures": _listed(pictures)}, []
        changes, both = [], plan
        try:
            both = merged(Plan.from_json(head["plan"]), plan)
        except ValueError as error:
            changes.append(str(error))
        others = {k: v for k, v in marks.items() if head.get(k, v) != v and self._rests_on(k, both)}
        changes += [f"{k}: {head[k]} -> {v}" for k, v in others.items()]
        if changes:
            raise ValueError(f"the study in {self.path} has other settings ({'; '.join(changes)}): choose another "
                             "--out, or give those")  # fmt: skip
        check_same(self._pictures(head, pictures), pictures, self.path)
        before = head["versions"]
        other = [f"{k} {before.get(k)} -> {v}" for k, v in versions.items() if before.get(k) != v]
        listed = dict(sorted({**head.get("pictures", {}), **_listed(pictures)}.items()))
        return {**head, **marks, "plan": both.to_json(), "pictures": listed}, other

    def _rests_on(self, mark: str, plan: Plan) -> bool:
        """Whether a mark cannot change any more: of a user's own code only what was finished with it rests on it."""
        place = mark.removeprefix("code of ")
        theirs = [item for item in plan.items() if place in item.method]
        if place == mark or not theirs:  # nothing of one's own, or a guide that chosen settings name
            return True
        found = (self.record(item) for item in theirs)
        return any(record is not None and record["error"] is None for record in found)

    def _pictures(self, head: dict, numbers: Iterable[int]) -> dict[int, Picture]:
        """Which pictures are there, by plan.json; of one that it does not list, by what ``truth/`` keeps of it."""
        found = {}
        for i in numbers:
            kept, listed = self._place_of_truth(i), head.get("pictures", {}).get(f"{i:05d}")
            if listed is not None:
                found[i] = Picture(listed["name"], listed["pixels"])
            elif kept.exists():
                picture = read_image(kept)
                shape = (len(picture.getbands()), picture.height, picture.width)
                found[i] = Picture(None, pixels_of(to_model(to_unit(picture, shape))[0]))
        return found

    def _place_of_truth(self, image: int) -> Path:
        return self.path / "truth" / f"{image:05d}.png"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A block in which no other run may add to this study; the system ends it with the process.

        Raises:
            ValueError: where another one is at work.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError(f"another run is at work in {self.path}: wait for it, or end it") from None
                except OSError:  # a file system without locks
                    pass
            yield
        finally:
            os.close(lock)

    # -- records --------------------------------------------------------------------------------

    def place(self, kind: str, item: Item, suffix: str) -> Path:
        """The file of an item: ``kind`` is "records", "samples" or "features"."""
        return self.path / kind / item.condition / file_name(item.method) / f"{item.image:05d}{suffix}"

    def record(self, item: Item) -> dict | None:
        """An item's record, or None where there is none; ValueError where it is damaged."""
        path = self.place("records", item, ".json")
        return _read(path, ("item", "scores", "error")) if path.exists() else None

    def sweep(self) -> None:
        """Delete what killed runs have left half written."""
        for folder, _, _ in os.walk(self.path):
            sweep(Path(folder))

    def write(self, outcome: Outcome) -> None:
        """Keep what came of an item; the record comes last, and with it the item is done."""
        item = outcome.item
        for kind in ("samples", "features"):
            tensor = outcome.samples if kind == "samples" else outcome.features
            if tensor is not None:
                write_tensors(self.place(kind, item, ".safetensors"), {kind: tensor})
        truth = self.path / "features" / "truth" / f"{item.image:05d}.safetensors"
        if outcome.truth_features is not None and not truth.exists():
            write_tensors(truth, {"features": outcome.truth_features})
        text = json.dumps(outcome.record, indent=1, allow_nan=False)
        write_text(self.place("records", item, ".json"), text + "\n")

    # -- what is measured -----------------------------------------------------------------------

    def write_truth(self, image: int, truth: Tensor) -> None:
        """Keep an image (1, C, H, W) in [-1, 1] as a picture, where it is not there yet."""
        path = self._place_of_truth(image)
        if not path.exists():
            write_picture(path, to_output(from_model(truth), "pil")[0])

    def write_measured(self, condition: str, image: int, measurement: Measurement) -> None:
        """Keep a mask as a picture, white = hole, or what a task measured as a tensor, where it is not there yet."""
        if isinstance(measurement.operator, Inpainting):
            path = self.path / "masks" / condition / f"{image:05d}.png"
            if not path.exists():
                write_picture(path, to_output((~measurement.operator.observed).float(), "pil")[0])
            return
        path = self.path / "measured" / condition / f"{image:05d}.safetensors"
        if not path.exists():
            write_tensors(path, {"y": measurement.y})


def _listed(pictures: Mapping[int, Picture]) -> dict[str, dict]:
    """Pictures as plan.json lists them."""
    return {f"{i:05d}": asdict(picture) for i, picture in pictures.items()}


def _read(path: Path, names: tuple[str, ...]) -> dict:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): delete it, and it is made again") from error
    if not isinstance(said, dict) or not said.keys() >= set(names):
        raise ValueError(f"{path} is not what a study writes: choose another --out")
    return said
