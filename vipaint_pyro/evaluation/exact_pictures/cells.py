"""Cells of the table: which pictures, what is seen of them, with how much noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.evaluation.exact_pictures.atoms import SHAPES
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.wording import did_you_mean

__all__ = ["CELLS", "FEW", "REPORTED", "Cell", "cell_named", "few_pixels"]

#: How many pixels the mask "few" shows.
FEW = 8


def few_pixels(size: tuple[int, int], generator: torch.Generator | None = None) -> Tensor:
    """A mask (1, H, W) that shows :data:`FEW` pixels at random places."""
    observed = torch.zeros(size[0] * size[1], dtype=torch.bool, device="cpu")
    observed[torch.randperm(len(observed), generator=generator, device="cpu")[:FEW]] = True
    return observed.reshape(1, *size)


_MASKS: dict[str, Callable[..., Tensor]] = {"rotated": MASKS["rotated"], "few": few_pixels}


@dataclass(frozen=True)
class Cell:
    """One kind of problem.

    Args:
        atoms: the set of pictures, by its name.
        mask: "rotated", half hidden, or "few".
        sigma: standard deviation of the noise in y, in units of [-1, 1].
        outside: whether what is measured is a picture that the prior does not know, in place of a draw of the prior.
    """

    atoms: str
    mask: str
    sigma: float
    outside: bool = False

    @property
    def name(self) -> str:
        """As it is written: garments-rotated-0.05."""
        return f"{self.atoms}-{self.mask}-{self.sigma:g}" + ("-outside" if self.outside else "")

    def observed(self, generator: torch.Generator) -> Tensor:
        """A mask (1, H, W) of this kind."""
        return _MASKS[self.mask](SHAPES[self.atoms][1:], generator)


_KINDS = (("rotated", 0.05), ("rotated", 0.2), ("few", 0.2))
#: The cells of a table that is asked for none.
REPORTED = tuple(Cell(atoms, *kind) for atoms in SHAPES for kind in _KINDS)
#: All of them, by name.
CELLS = {c.name: c for c in (*REPORTED, *(Cell(atoms, *kind, True) for atoms in SHAPES for kind in _KINDS))}


def cell_named(name: str) -> Cell:
    """The cell of this name.

    Raises:
        ValueError: for a name there is none of, with those that there are.
    """
    if name in CELLS:
        return CELLS[name]
    hint = did_you_mean(name, CELLS)
    raise ValueError(f"no cell of pictures is called {name!r}. {hint}There are {', '.join(CELLS)}")
