"""Pictures of what was drawn under a mask: the counts are those of the readings, and every row has its name."""

from dataclasses import dataclass

import numpy as np
import torch

from vipaint_pyro.evaluation.under_the_mask.charts import chart, sheet


@dataclass
class Asked:
    """What the charts look at of a question."""

    attribute: str
    index: int
    observed = torch.ones(1, 64, 64, dtype=torch.bool)
    truth = torch.zeros(3, 64, 64)

    def open(self):
        return {self.attribute: {"BIG_SMILE": 0.5, "SAD": 0.5}}


NAMES = ("one", "two, alone")
ASKED = [Asked("mouth", k) for k in range(3)]


def test_bars_are_how_often_each_choice_was_read():
    read = {"one": ["SAD"] * 3 + ["BIG_SMILE"], "two, alone": ["GRIMACE"] * 4}
    figure = chart(ASKED, {("mouth", k, n): {"mouth": read[n]} for k in range(3) for n in NAMES}, NAMES)
    assert len(figure.axes) == 2 * 2  # two faces of an attribute
    one, two = figure.axes[:2]
    assert [t.get_text() for t in one.get_yticklabels()] == ["big smile", "sad", "grimace"]
    np.testing.assert_allclose([bar.get_width() for bar in one.containers[1]], [0.25, 0.75, 0])
    np.testing.assert_allclose([bar.get_width() for bar in two.containers[1]], [0, 0, 1])
    assert one.get_ylabel() == "mouth of face 0" and two.get_title("right") == "TV 1.00"


def test_every_row_of_completions_has_its_name():
    pictures = {("mouth", 0, n): torch.zeros(2, 3, 64, 64, dtype=torch.uint8) for n in NAMES}
    made = np.asarray(sheet(ASKED, pictures, NAMES).convert("L"))
    assert made.shape[0] == 22 + 2 * 102 + 6
    left = made.shape[1] - 4 * 102
    for row in range(2):
        assert (made[22 + 102 * row : 118 + 102 * row, : left - 6] < 100).any()
