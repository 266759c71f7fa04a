r"""The range of a prior's own kind: what is usual of :mod:`vipaint_pyro.kind.statistic`, and how far a picture is off.

Each mean square q is divided by what is usual at its place, so that a background that is always plain counts as one,

.. math:: u_q = \log \frac{\sum_i s_i\, q_i / \bar q_i}{\sum_i s_i}

over cells i, of which s_i is seen. Of pictures of the kind u has a mean and a covariance. A picture is as strange as
its Mahalanobis distance, or as the largest of its u in standard deviations above the mean, each divided by the 0.99
quantile of the kind's own; what is too smooth is as far off as what is too rough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.files import write_text
from vipaint_pyro.kind.statistic import CELLS, Local
from vipaint_pyro.settings import checked, number

__all__ = ["FILE", "Range", "range_of", "read_range", "write_range"]

#: Of a prior's folder.
FILE = "kind.json"

#: The file's layout; another number is another statistic.
FORMAT = 1

#: About the square of a grey value in 256, (2/255)^2, in units of [-1, 1]: below it mean squares are all the same.
LEAST = 1e-4
#: The same of the ratios q / q_bar.
LEAST_RATIO = 1e-3
#: The share of pictures of the kind that each of both distances calls far, and of held-out ones that are warned of.
FAR, WARNED = 0.99, 0.995


@dataclass(frozen=True)
class Range:
    """What is usual of a prior's own kind.

    Attributes:
        names: what is looked at, Q names of :func:`vipaint_pyro.kind.statistic.names_of`.
        usual: Q lists of the mean square in each cell.
        mean: of u, Q numbers.
        covariance: of u, Q lists of Q.
        scales: the 0.99 quantiles of both distances.
        limit: how strange a picture may be without a warning.
        quantiles: probability, in words -> how strange so many held-out pictures are at most.
        seen: the smallest and the largest share of a picture that was seen.
        about: pictures, masks and how many, for people.
        bound: what :mod:`vipaint_pyro.kind.bounds` knows of the bound; empty where that was not measured.
    """

    names: tuple[str, ...]
    usual: list[list[float]]
    mean: list[float]
    covariance: list[list[float]]
    scales: tuple[float, float]
    limit: float
    quantiles: dict[str, float]
    seen: tuple[float, float]
    about: dict[str, object] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)

    def strangeness(self, found: Local) -> Tensor:
        """How far pictures are off, (N,); a picture of the kind is about 1 at most."""
        far, above = self._distances(_u(found, torch.tensor(self.usual, dtype=torch.float64, device="cpu")))
        return torch.maximum(far / self.scales[0], above / self.scales[1])

    def _distances(self, u: Tensor) -> tuple[Tensor, Tensor]:
        mean, covariance = (torch.tensor(v, dtype=u.dtype, device=u.device) for v in (self.mean, self.covariance))
        off = u - mean
        far = (off * torch.linalg.solve(covariance, off.T).T).sum(1).sqrt()
        return far, (off / covariance.diagonal().sqrt()).max(1).values


def _u(found: Local, usual: Tensor) -> Tensor:
    seen = found.seen[:, None]
    ratio = (found.squares / (usual + LEAST) * seen).sum(-1) / seen.sum(-1).clamp_min(1e-9)
    return (ratio + LEAST_RATIO).log()


def range_of(names: tuple[str, ...], found: Local, held_out: Local, about: Mapping[str, object]) -> Range:
    """The range of pictures of a kind.

    Args:
        names: what was looked at.
        found: of pictures that the mean and the covariance are of; more than ten for each of the names.
        held_out: of others, which say how strange a picture of the kind may be.
        about: for people.

    Raises:
        ValueError: for too few pictures.
    """
    if min(len(found.seen), len(held_out.seen)) <= 10 * len(names):
        raise ValueError(
            f"a range of {len(names)} numbers needs more than {10 * len(names)} pictures in each half, not "
            f"{len(found.seen)} and {len(held_out.seen)}"
        )
    weight = found.seen[:, None]
    usual = (found.squares * weight).sum(0) / weight.sum(0).clamp_min(1e-9)
    u = _u(found, usual)
    covariance = torch.cov(u.T) + 1e-6 * torch.eye(len(names), dtype=u.dtype, device=u.device)
    shares = torch.cat([found.seen, held_out.seen]).mean(1)
    plain = Range(names, usual.tolist(), u.mean(0).tolist(), covariance.tolist(), (1.0, 1.0), 1.0, {},
                  (float(shares.min()), float(shares.max())), dict(about))  # fmt: skip
    far, above = plain._distances(_u(held_out, usual))
    scales = float(far.quantile(FAR)), float(above.quantile(FAR))
    scaled = Range(**{**vars(plain), "scales": scales})
    strange = scaled.strangeness(held_out)
    quantiles = {f"{q:g}": float(strange.quantile(q)) for q in (0.5, 0.9, 0.95, 0.99, WARNED, 1.0)}
    return Range(**{**vars(scaled), "limit": quantiles[f"{WARNED:g}"], "quantiles": quantiles})


def write_range(path: str | Path, found: Range) -> None:
    """Write a range as JSON, four digits of each number, or raise OSError."""
    write_text(path, json.dumps({"format": FORMAT, **_rounded(asdict(found))}, allow_nan=False) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def read_range(folder: str | Path) -> Range | None:
    """The range in a prior's folder; None where there is none.

    Raises:
        ValueError: for a file that is none, or of another format; names it.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        form = said.pop("format")
        found = Range(**{**said, **{name: tuple(said[name]) for name in ("names", "scales", "seen")}})
        _check(found)
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} holds no range of a prior's kind ({error}): delete it, or measure the kind again"
        ) from error
    if form != FORMAT:
        raise ValueError(f"{path} is of another format than {FORMAT}: measure the kind again")
    return found


def _check(found: Range) -> None:
    """Raise TypeError or ValueError for what cannot be a range."""
    q = len(found.names)
    shapes = {"usual": (q, CELLS**2), "mean": (q,), "covariance": (q, q), "scales": (2,), "seen": (2,)}
    for name, shape in shapes.items():
        value = torch.tensor(vars(found)[name], dtype=torch.float64, device="cpu")
        if tuple(value.shape) != shape or not value.isfinite().all():
            raise TypeError(f"{name} is of another shape")
    checked("limit", found.limit, number(above=0))
    if not isinstance(found.about, dict) or not isinstance(found.bound, dict):
        raise TypeError("about and bound are objects")
