"""Pictures of what was drawn under a mask: frequencies beside the exact odds, and completions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import PIL.Image
from torch import Tensor

from vipaint_pyro.evaluation.under_the_mask.questions import Found, Key, Question, by_attribute
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.plots import FrequencyQuestion, frequencies_figure, grid, observed_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["chart", "sheet"]

_FACES = 2  # of each attribute


def chart(asked: Sequence[Question], found: Found, names: Sequence[str]) -> Figure:
    """How often each choice of the covered attribute was drawn, beside its exact probability; a row per face."""
    rows = [question for own in by_attribute(asked).values() for question in own[:_FACES]]
    return frequencies_figure([_counted(question, found, names) for question in rows])


def _counted(question: Question, found: Found, names: Sequence[str]) -> FrequencyQuestion:
    name = question.attribute
    shown = {method: found[name, question.index, method][name] for method in names}
    return FrequencyQuestion(
        f"{name} of face {question.index}",
        {_words(choice): p for choice, p in question.open()[name].items()},
        {method: Counter(map(_words, choices)) for method, choices in shown.items()},
        {method: len(choices) for method, choices in shown.items()},
    )


def _words(choice: str) -> str:
    return choice.lower().replace("_", " ")


def sheet(asked: Sequence[Question], pictures: Mapping[Key, Tensor], names: Sequence[str]) -> PIL.Image.Image:
    """Of the first face of each attribute: truth, what is seen, and up to eight completions per method.

    Args:
        asked: the faces with what is covered.
        pictures: completions (S, 3, 64, 64), uint8.
        names: of the methods.
    """
    side, most, rows, said = 96, 8, [], []
    for question, *_ in by_attribute(asked).values():
        unit = from_model(question.truth)
        for name in names:
            drawn = pictures[question.attribute, question.index, name][:most] / 255
            given = [*to_output(unit[None], "pil"), observed_picture(unit, question.observed)]
            rows.append([*given, *to_output(drawn, "pil")])
            said.append(f"{question.attribute} hidden,\n{name}".replace(", ", ",\n"))
    return grid(rows, ["truth", "observed", *(str(k + 1) for k in range(len(rows[0]) - 2))], side, names=said)
