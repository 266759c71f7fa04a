"""The figures by their numbers in the paper.

Imports nothing heavy until a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.samplers.registry import NEEDS, method

__all__ = ["FIGURES", "LATENT", "Figure", "figure"]

#: The built-in priors that are latent.
LATENT = ("cartoon-faces",)

_BOTH = ("fashion-mnist", "cartoon-faces")


@dataclass(frozen=True)
class Figure:
    """One figure.

    Args:
        number: in the paper.
        title: what it shows, in half a line.
        place: the module of this package whose ``draw(scene, plan, watch)`` draws it.
        quick: its size, some minutes on one core with the first of the priors.
        full: its size nearer to the paper's.
        priors: whose pictures it can be of, the usual ones first.
        masks: the holes, a name in :data:`vipaint_pyro.measurements.masks.MASKS`; ``"upper half"`` for that one.
    """

    number: int
    title: str
    place: str
    quick: Plan
    full: Plan
    priors: tuple[str, ...] = _BOTH
    masks: str = "rotated"

    def check(self, plan: Plan, prior: str) -> None:
        """Raise ValueError where the figure is not of this prior, or a method of the plan not for it."""
        if prior not in self.priors:
            raise ValueError(f"figure {self.number} is of {' or '.join(self.priors)}, not of {prior}: {self.title}")
        kind, other = ("latent", "pixel") if prior in LATENT else ("pixel", "latent")
        for name in (*(plan.methods or ()), *(() if plan.baseline is None else (plan.baseline,))):
            if other in method(name).needs:
                raise ValueError(f"{name} needs {NEEDS[other]}, but {prior} is {NEEDS[kind]}: take another method")

    @property
    def draw(self) -> Callable:
        """``(scene, plan, watch) -> Drawing``."""
        return import_module(f"{__package__}.{self.place}").draw


_PIXEL = ("vipaint", "dps", "blended", "repaint", "ddnm", "pigdm", "copaint", "daps", "red-diff", "red-diff-v")
_LATENT = ("vipaint", "dps", "blended", "psld", "resample", "daps", "red-diff", "red-diff-v")
_DEAR = ("mgps", "mgdm", "mmps", "tmpd")
_COURSE = (1, 10, 50, 100)

#: The figures by number.
FIGURES: dict[int, Figure] = {
    f.number: f
    for f in (
        Figure(
            2, "RED-diff, RED-diff-V and VIPaint from the same start, over the iterations", "courses",
            Plan(samples=4, iterations=_COURSE), Plan(samples=16, iterations=(*_COURSE, 250, 1000)),
        ),
        Figure(
            4, "samples every 50 iterations of the fit", "fit_samples",
            Plan(samples=3, iterations=(1, 50, 100, 150)),
            Plan(samples=5, iterations=(1, 50, 100, 150, 200, 250, 300, 350, 400)),
        ),
        Figure(
            5, "methods by images, pixel prior", "methods_by_images",
            Plan(images=2, methods=_PIXEL), Plan(images=8, methods=(*_PIXEL, "copaint-tt", *_DEAR)),
            ("fashion-mnist",),
        ),
        Figure(
            6, "methods by images, latent prior", "methods_by_images",
            Plan(images=2, methods=_LATENT, settings={"psld": {"num_steps": 250}}),
            Plan(images=8, methods=(*_LATENT, "repaint", "copaint", *_DEAR)),
            ("cartoon-faces",),
        ),
        Figure(
            7, "five samples of VIPaint beside five of a baseline", "five_samples",
            Plan(images=2, samples=5, baseline="dps"), Plan(images=8, samples=5, baseline="dps"),
        ),
        Figure(
            9, "with and without LPIPS", "perceptual_term",
            Plan(images=3, samples=2), Plan(images=32, samples=5),
        ),
        Figure(
            10, "LPIPS against time and calls, VIPaint-2 and VIPaint-4", "lpips_by_cost",
            Plan(images=3, samples=2, iterations=(5, 25, 50, 100)),
            Plan(images=32, samples=5, iterations=(5, 10, 25, 50, 100, 200, 400)),
        ),
        Figure(
            24, "the same hole under different labels", "labels",
            Plan(samples=2, labels=(), num_labels=6), Plan(samples=5, labels=()), masks="upper half",
        ),
    )
}  # fmt: skip


def figure(number: int) -> Figure:
    """The figure of this number.

    Raises:
        ValueError: for a number there is none of, with those that there are.
    """
    if number not in FIGURES:
        raise ValueError(f"there is no figure {number}: there are {', '.join(map(str, FIGURES))}")
    return FIGURES[number]
