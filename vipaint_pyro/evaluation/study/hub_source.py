"""Pictures of a data set of the hub, by the package ``datasets`` (extra ``datasets``)."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image

from vipaint_pyro.evaluation.study.sources import Pictures

__all__ = ["HubPictures"]


class HubPictures(Pictures):
    """One split of a data set; its first column of pictures, and its first of classes where it has one.

    Args:
        dataset: its id, perhaps with a configuration: ``owner/name`` or ``owner/name:config``.
        split: of the data set.
        shape: (C, H, W) of the prior.
        resize: as in :class:`~vipaint_pyro.evaluation.study.sources.Pictures`.

    Raises:
        ImportError: where ``datasets`` is not installed.
        ValueError: where there is no such data set or split, or no column of pictures in it.
    """

    kind = "hub"

    def __init__(self, dataset: str, split: str, shape: Sequence[int], resize: bool) -> None:
        super().__init__(shape, resize)
        try:
            import datasets
        except ImportError as error:
            mend = "pip install 'vipaint-pyro[datasets]'"
            raise ImportError(f"data of the hub need the extra 'datasets': {mend}") from error
        name, _, config = dataset.partition(":")
        self._name, self._table = dataset, datasets.load_dataset(name, config or None, split=split)
        columns = self._table.features.items()
        images = [column for column, kind in columns if isinstance(kind, datasets.Image)]
        if not images:
            raise ValueError(f"hf:{dataset} has no column of pictures, but {', '.join(self._table.features)}")
        self._image = images[0]
        self._class = next((column for column, kind in columns if isinstance(kind, datasets.ClassLabel)), None)

    def __len__(self) -> int:
        return len(self._table)

    def picture(self, i: int) -> PIL.Image.Image:
        return self._table[i][self._image]

    def label(self, i: int) -> int | None:
        return None if self._class is None else int(self._table[self._class][i])  # by the column: no picture is read

    def name(self, i: int) -> str:
        return f"hf:{self._name} {i}"
