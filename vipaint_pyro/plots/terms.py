"""The terms of a bound by the paper's names and in plain words: computed, nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

__all__ = ["BoundTerm", "bound_terms"]


@dataclass(frozen=True, eq=False)
class BoundTerm:
    """A part of minus the bound.

    Attributes:
        name: the paper's.
        words: what it says, for those who meet it for the first time.
        values: (steps,), nats per dimension.
    """

    name: str
    words: str
    values: Tensor


def bound_terms(terms: Mapping[str, Tensor], timesteps: Sequence[int] = ()) -> list[BoundTerm]:
    """Terms by site, summed as the paper names them: reconstruction, the levels' KLs, the KL at T_e and above.

    Their sum is that of all sites: none is left out.

    Args:
        terms: site -> (steps,), or (steps, N) of which the mean over images is taken, as of
            :attr:`vipaint_pyro.inference.fit.FitResult.terms`.
        timesteps: T_e > ... > T_s of VIPaint's guide; none for other methods, whose sites are ``y`` and ``z_0``.

    Raises:
        ValueError: for terms of another shape.
    """
    left = {site: _over_images(site, term) for site, term in terms.items()}
    found = []
    if "y" in left:
        found.append(BoundTerm("reconstruction", "how well the known pixels are explained", left.pop("y")))
    if "perceptual" in left:
        found.append(BoundTerm("perceptual", "how alike the known parts look (LPIPS)", left.pop("perceptual")))
    for s in timesteps[1:]:
        if f"z_{s}" in left:
            words = f"how far the guide is from the prior at noise level {s}"
            found.append(BoundTerm(f"KL at {s}", words, left.pop(f"z_{s}")))
    if timesteps:
        above = [left.pop(site) for site in [*left] if site.startswith("z_")]
        if above:
            words = "how far the guide's start is from pure noise"
            found.append(BoundTerm(f"KL at {timesteps[0]} and above", words, sum(above[1:], above[0])))
    elif "z_0" in left:
        found.append(BoundTerm("regulariser", "how unlikely the prior finds the picture", left.pop("z_0")))
    if left:
        first, *others = left.values()
        found.append(BoundTerm("other sites", f"densities of {', '.join(left)}", sum(others, first)))
    return found


def _over_images(site: str, term: Tensor) -> Tensor:
    if term.ndim not in (1, 2):
        raise ValueError(f"the terms of {site} have shape (steps,) or (steps, N), but have {tuple(term.shape)}")
    term = term.detach().cpu().double()
    return term if term.ndim == 1 else term.mean(1)
