"""One problem of a cell: a picture, what is seen of it, and the exact posterior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.evaluation.exact_pictures.atoms import STD, Atoms
from vipaint_pyro.evaluation.exact_pictures.cells import Cell
from vipaint_pyro.evaluation.exact_pictures.streams import stream
from vipaint_pyro.exact.masked import MaskedPosterior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement

__all__ = ["Problem", "make_problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """A measurement of one picture under a prior of many.

    Args:
        atoms: the pictures.
        measurement: of one.
        truth: what was measured, (1, C, H, W).
        posterior: exact.
    """

    atoms: Atoms
    measurement: Measurement
    truth: Tensor
    posterior: MaskedPosterior


def make_problem(cell: Cell, number: int, atoms: Atoms) -> Problem:
    """A problem of a cell by its number: the same for every method and on every machine.

    The truth is a draw of the prior, one of its pictures with the prior's own spread, so that the truth is a draw of
    the posterior given y, too. In a cell ``outside`` it is a picture that the prior does not know: the posterior is
    what the prior makes of it, and no claim about the truth.

    Args:
        cell: which.
        number: at least 0.
        atoms: of the cell's set.
    """
    own = stream(cell.name, number, "problem")
    observed = cell.observed(own)
    k = torch.randint(len(atoms.images), (), generator=own, device="cpu")
    noise = torch.randn((2, *atoms.images.shape[1:]), generator=own, dtype=torch.float64, device="cpu")
    truth = atoms.outside[number] if cell.outside else atoms.images[k] + STD * noise[0]
    y = torch.where(observed, truth + cell.sigma * noise[1], 0)[None]
    measurement = Measurement(Inpainting(observed[None]), Gaussian(cell.sigma), y)
    return Problem(atoms, measurement, truth[None], MaskedPosterior(atoms.prior, measurement))
