"""When the bound of an image has settled: a rank test on its noisy losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vipaint_pyro.settings import checked, whole

__all__ = ["Settling", "falling"]


def falling(earlier: Tensor, later: Tensor) -> Tensor:
    """How surely losses have fallen: the share of pairs of an earlier and a later one of which the later is lower.

    Mann and Whitney's U (Annals of Mathematical Statistics 18, 1947) over the number of pairs. It is 1/2 on average for
    losses that come from the same distribution, whatever that is, and 1 where all have fallen; ranks, so that an
    outlier counts as one loss and no more. Ties count one half.

    Args:
        earlier, later: losses (w, N) and (v, N).

    Returns:
        Shares (N,) in [0, 1], float64.
    """
    a, b = earlier[:, None], later[None]
    return ((b < a).double() + 0.5 * (b == a).double()).mean((0, 1))


class Settling:
    """A callback of :func:`~vipaint_pyro.fit` that ends the fit of each image once its bound has settled.

    Settled are those images whose losses of the last ``patience`` steps are no lower than those of as many steps
    before, as far as :func:`falling` tells: a share of one half or less. Each image is judged by its own losses, the
    sum of its terms.

    Args:
        patience: w, steps; 2 w are made at least.
        then: called after each step as ``then(step, loss, terms, settled)``, with bools (N,) of the images that have
            settled by then; the fit ends for all where it returns True itself.

    Attributes:
        settled: bools (N,); None before the first step.

    Raises:
        ValueError: for fewer than one step.
    """

    def __init__(self, patience: int, then: Callable[[int, float, dict[str, Tensor], Tensor], object] | None = None):
        self.patience = checked("patience", patience, whole())
        self.settled: Tensor | None = None
        self._then = then
        self._losses: list[Tensor] = []

    def state(self) -> dict[str, Tensor]:
        """What has been seen so far, for :meth:`return_to`; nothing before the first step."""
        return {} if self.settled is None else {"settled": self.settled, "losses": torch.stack(self._losses)}

    def return_to(self, state: Mapping[str, Tensor]) -> None:
        """Go on from :meth:`state`."""
        self.settled = state.get("settled")
        self._losses = list(state["losses"]) if "losses" in state else []

    def __call__(self, step: int, loss: float, terms: dict[str, Tensor]) -> Tensor | bool:
        own = torch.stack([term.detach().to("cpu", torch.float64) for term in terms.values()]).sum(0)
        w = self.patience
        self._losses = [*self._losses[-2 * w + 1 :], own]
        if self.settled is None:
            self.settled = torch.zeros(len(own), dtype=torch.bool, device="cpu")
        if len(self._losses) == 2 * w:
            earlier, later = torch.stack(self._losses).split(w)
            self.settled = self.settled | (falling(earlier, later) <= 0.5)
        stopped = self._then is not None and self._then(step, loss, terms, self.settled) is True
        return True if stopped else self.settled
