"""The predictions that guide and model share: both ask for E[z_0 | z_t] at the same z_t."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Predictions"]


class Predictions:
    """E[z_0 | z_t] of the last few z_t that were asked for, found again by the very tensor.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: list[tuple[Tensor, tuple, Tensor]] = []

    def __reduce__(self) -> tuple:
        """A copy has none of them: they hold graphs, which cannot be copied."""
        return Predictions, (self._size,)

    def clear(self) -> None:
        """Forget them all."""
        self._known = []

    def find(self, z: Tensor, t: int) -> Tensor | None:
        """The prediction at this very tensor, unchanged since, or None."""
        key = self._key(z, t)
        return next((z0 for known, its, z0 in self._known if known is z and its == key), None)

    def keep(self, z: Tensor, t: int, z0: Tensor) -> None:
        """Keep the prediction z0 at z."""
        self._known = [*self._known, (z, self._key(z, t), z0)][-self._size :]

    @staticmethod
    def _key(z: Tensor, t: int) -> tuple:
        # A prediction without a graph is of no use where a gradient is taken.
        return z._version, t, torch.is_grad_enabled()
