"""Figures of a run and of a lesson, as pictures for the page."""

from __future__ import annotations

import io

import PIL.Image
from matplotlib.figure import Figure
from torch import Tensor

from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.jobs import View
from vipaint_pyro.app.lesson import LAST, Answer
from vipaint_pyro.images import from_model, to_unit
from vipaint_pyro.plots import bound_figure, directions_figure, grid, levels_figure, mean_spread_figure, most_different
from vipaint_pyro.regions.near import reduced
from vipaint_pyro.settings import settled

__all__ = ["FIGURES", "WHOLE", "as_picture", "course_picture", "lesson_figure", "order", "report", "running_bound"]

#: So many looks at a fit are shown side by side.
_LOOKS = 7
#: Samples are compared, and their spread shown, at this size at most.
_SIDE = 256


def as_picture(figure: Figure) -> PIL.Image.Image:
    """A figure as it is saved."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return PIL.Image.open(out)


def running_bound(view: View) -> PIL.Image.Image:
    """Minus the bound over the steps made so far."""
    figure = Figure(figsize=(5, 2.6), layout="constrained", dpi=110)
    axes = figure.subplots()
    axes.plot(range(1, len(view.losses) + 1), view.losses, color="#6b4fa0", lw=2, marker="o", ms=2.5)
    axes.set(xlabel="step of the fit", ylabel="minus the bound\n(nats per dimension)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.locator_params("x", integer=True)
    return as_picture(figure)


def course_picture(view: View) -> PIL.Image.Image:
    """What the guide drew on its way: a column per look, the last ones where there are many."""
    seen = view.course if len(view.course) <= _LOOKS else (view.course[0], *view.course[1 - _LOOKS :])
    rows = list(zip(*(pictures for _, pictures in seen)))
    return grid(rows, [f"step {step}" for step, _ in seen], side=96)


def _samples(filling: Filling) -> Tensor:
    """(S, C, H, W) in [0, 1], as they are shown, large ones made smaller."""
    pictures = [_small(picture) for picture in filling.glances()]
    return to_unit(pictures, (1 if pictures[0].mode == "L" else 3, *pictures[0].size[::-1]))


def _small(picture: PIL.Image.Image) -> PIL.Image.Image:
    shown = picture.copy() if picture.mode in ("L", "RGB") else picture.convert("RGB")
    shown.thumbnail((_SIDE, _SIDE))
    return shown


def order(filling: Filling) -> list[int]:
    """The numbers of the samples, those that differ most from each other first."""
    return most_different(_samples(filling))


#: Where less than the whole picture is shown of a sample.
WHOLE = "Whole picture"
#: The figures of a run, each under a word.
FIGURES = {
    "How sure": "Left the mean of the samples; right how much each pixel differs between them: bright is not sure.",
    "How they differ": "The few ways in which the samples differ most, each from one end over the mean to the other.",
    "Levels": "From noise to picture: the clean picture that is expected at each level of the guide.",
    "Bound": "Minus the bound over the fit, term by term and level by level.",
    WHOLE: "All of the picture, as sample 0 fills it; above is shown what lies around the hole.",
}


def report(filling: Filling) -> dict[str, PIL.Image.Image]:
    """What is shown of a run that has samples, by the words of :data:`FIGURES`; what it has none of is left out."""
    x, piece, found = _samples(filling), filling.pieces[0], {}
    if len(x) > 1:
        found["How sure"] = mean_spread_figure(x)
        found["How they differ"] = directions_figure(x)
    drawn = piece.output
    assert drawn is not None
    images, levels = drawn.images, drawn.samples.levels
    if levels:
        expected = {t: from_model(z[:, 0].cpu()) for t, z in levels.items()}
        found["Levels"] = levels_figure(expected, images.float().cpu(), observed=_small(filling.observed()))
    if piece.record is not None:
        found["Bound"] = bound_figure(piece.record.terms, settled(piece.fitter.timesteps) if filling.asked.fits else ())
    pictures = {word: as_picture(figure) for word, figure in found.items()}
    if filling.scene is not None and filling.scene.closer:
        pictures[WHOLE] = reduced(filling.picture(0))
    return pictures


def lesson_figure(found: Answer) -> Figure:
    """The exact posterior, and what the guide makes of it."""
    asked = found.question
    figure = Figure(figsize=(7.2, 4.2), layout="constrained", dpi=120)
    axes, grid_ = figure.subplots(), found.grid
    top = max(float(p.max()) for p in (found.prior, found.exact, found.guide))
    axes.fill_between(grid_, found.exact, color="#d5d5db", lw=0, label="exact posterior p(x | y)")
    axes.plot(grid_, found.prior, color="#9a9aa5", lw=1.2, ls="--", label="prior p(x)")
    axes.plot(grid_, found.guide, color="#c8553d", lw=2.4, label="the guide's q(x)")
    axes.axvline(asked.y, color="#2b2b33", lw=0.9, ls=":")
    axes.set(xlabel="x", yticks=[], xlim=(-3, 3), ylim=(0, 1.2 * top))
    axes.text(asked.y + 0.05, axes.get_ylim()[1] * 0.94, "y", color="#2b2b33")
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", fontsize=9)
    times = ", ".join(map(str, found.times))
    axes.set_title(f"levels {times} (T_s = {LAST}), beta = {asked.beta:g}", fontsize=10)
    return figure
