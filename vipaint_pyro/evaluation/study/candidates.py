"""Which settings of each method are searched: at most nine candidates around the published defaults.

Only settings that change no number of calls, so that all candidates cost the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from vipaint_pyro.evaluation.study.specs import known_method
from vipaint_pyro.samplers.registry import METHODS

__all__ = [
    "GRIDS", "LATENT", "LATENT_TASKS", "MOST", "Grid", "candidates", "grid_of", "latent_methods", "pixel_methods",
]  # fmt: skip

#: No method is given more candidates than this.
MOST = 9


@dataclass(frozen=True)
class Grid:
    """Candidates of a method: every combination of these values.

    Args:
        why: why these settings.
        values: setting -> values, the default among them.
    """

    why: str
    values: Mapping[str, Sequence[object]] = field(default_factory=dict)


_LENGTH = "The length of a gradient step decides whether y is reached, "
_FITTED = Grid(
    "Adam's rate and the noise taken for that of y decide how closely each step's Gaussian follows y.",
    {"lr": (0.01, 0.03, 0.1), "measurement_scale": (0.02, 0.05, 0.1)},
)
_COPAINT = Grid(
    _LENGTH + "and the weight of staying how far z leaves the prior's noise for it.",
    {"lr": (0.005, 0.02, 0.08), "prox": (0.001, 0.01, 0.1)},
)
_RED = Grid(
    "Adam's rate decides whether so few steps arrive, and the weight of the regulariser what the hole is made of.",
    {"lr": (0.03, 0.1, 0.3), "lambda_": (0.1, 0.25, 0.6)},
)
_MATCHED = Grid(
    "The noise taken for that of y decides how closely it is followed, and eta how much noise is drawn anew in a step.",
    {"measurement_scale": (0.01, 0.03, 0.1), "eta": (0.0, 0.5, 1.0)},
)
_ETA = "No weight is to be chosen; how much noise is drawn anew in a step decides how much it mends."

#: On pixel priors, by the method's name in the registry.
GRIDS: dict[str, Grid] = {
    "vipaint": Grid(
        "beta weighs the prior against y in the fit, zeta is the length of a step of the refinement. (The rates of the "
        "fit belong to the guide, and are no setting.)",
        {"beta": (0.3, 1.0, 3.0), "zeta": (1.0, 2.0, 4.0)},
    ),
    "dps": Grid(
        _LENGTH + "and is published for 1,000 steps; the bound by the residual is ours, and offered to DPS as well.",
        {"zeta": (0.25, 0.5, 1.0, 2.0), "limit": (False, True)},
    ),
    "blended": Grid(_ETA, {"eta": (0.0, 0.25, 0.5, 0.75, 1.0)}),
    "repaint": Grid(_ETA, {"eta": (0.0, 0.25, 0.5, 0.75, 1.0)}),
    "ddnm": Grid(_ETA, {"eta": (0.0, 0.25, 0.5, 0.85, 1.0)}),
    "pigdm": Grid(_ETA, {"eta": (0.0, 0.25, 0.5, 0.75, 1.0)}),
    "mmps": _MATCHED,
    "tmpd": _MATCHED,
    "tds": Grid(
        "The noise taken for that of y decides how far weights tell particles apart, and eta how much noise is drawn "
        "anew in a step.",
        {"measurement_scale": (0.01, 0.03, 0.1), "eta": (0.25, 0.5, 1.0)},
    ),
    "copaint": _COPAINT,
    "copaint-tt": _COPAINT,
    "daps": Grid(
        "The chain's step and the noise taken for that of y decide whether the chain reaches y without going astray.",
        {"step_size": (3e-5, 1e-4, 3e-4), "measurement_scale": (0.01, 0.03, 0.1)},
    ),
    "mgps": _FITTED,
    "mgdm": _FITTED,
    "psld": Grid(
        "The two weights are those of its two pulls, towards y and towards the encoder's latents.",
        {"omega": (0.1, 0.3, 1.0), "gamma": (0.03, 0.1, 0.3)},
    ),
    "resample": Grid(
        "The pull between resamplings, and how much a resampled z is the optimised one's.",
        {"pull": (0.15, 0.5, 1.5), "gamma": (4.0, 40.0, 400.0)},
    ),
    "red-diff": _RED,
    "red-diff-v": _RED,
}

#: On latent priors, where they differ: whose default does, too.
LATENT: dict[str, Grid] = {
    "daps": Grid(GRIDS["daps"].why, {"step_size": (3e-6, 9e-6, 3e-5), "measurement_scale": (0.01, 0.03, 0.1)}),
}

#: On latent priors where a whole picture is restored, where they differ from those under masks.
LATENT_TASKS: dict[str, Grid] = {
    "vipaint": Grid(
        "beta weighs the prior against y in the fit; the refinement goes down by MMPS's steps, which have no length, "
        "or by those of DPS.",
        {"beta": (0.3, 1.0, 3.0), "refine": ("mmps", "dps")},
    ),
}


def grid_of(name: str, latent: bool, task: bool = False) -> Grid:
    """The grid of a method; ValueError where there is none, or it is one of too many.

    Args:
        name: of a method, or vipaint-K.
        latent: whether the prior is latent.
        task: whether a whole picture is restored, and no hole filled.
    """
    kind = known_method(name).name
    own = {**LATENT, **(LATENT_TASKS if task else {})} if latent else {}
    grid = own.get(kind) or GRIDS.get(kind)
    if grid is None:
        raise ValueError(f"nothing says what to search of {kind}, as GRIDS does of {', '.join(GRIDS)}")
    return grid


def candidates(name: str, calls: int, latent: bool, task: bool = False) -> dict[str, dict[str, object]]:
    """The candidates of a method at a number of calls: spec -> settings.

    Args:
        name: of a method, or vipaint-K.
        calls: forward calls per sample.
        latent, task: as of :func:`grid_of`.
    """
    grid, found = grid_of(name, latent, task), {}
    for values in product(*grid.values.values()):
        settings = dict(zip(grid.values, values, strict=True))
        written = ";".join(f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in settings.items())
        found[f"{name}@{calls}:{written}"] = settings
    return found


def pixel_methods() -> tuple[str, ...]:
    """Those that a pixel prior takes, VIPaint with four levels and with two."""
    return _without("latent")


def latent_methods() -> tuple[str, ...]:
    """Those that a latent prior takes, VIPaint with four levels and with two."""
    return _without("pixel")


def _without(need: str) -> tuple[str, ...]:
    return ("vipaint-4", "vipaint-2", *(n for n, m in METHODS.items() if need not in m.needs and n != "vipaint"))
