"""Tables of what was drawn under a mask, by hand."""

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, number
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior
from vipaint_pyro.evaluation.under_the_mask.frequencies import outcomes
from vipaint_pyro.evaluation.under_the_mask.questions import Question, questions
from vipaint_pyro.evaluation.under_the_mask.report import choices, table


def test_the_table_averages_over_faces():
    """Two faces with all mouths alike, one of them right: 0.5 and 0 in total variation."""
    asked, found = [], {}
    for index, shown in ((0, ["SAD", "SMILE"]), (1, ["SAD", "SAD"])):
        face = {**draw_attributes("test", index), "mouth": "SAD"}
        fixed = [([{n: c}], torch.ones(1, dtype=torch.float64)) for n, c in face.items() if n != "mouth"]
        odds = ([{"mouth": "SAD"}, {"mouth": "SMILE"}], torch.full((2,), 0.5, dtype=torch.float64))
        asked.append(Question("mouth", index, face, None, None, FacePosterior([odds, *fixed])))
        read = torch.stack([number({**face, "mouth": m}) for m in shown])
        found["mouth", index, "VIPaint-2"] = outcomes(read)
    off = {("mouth", k, "VIPaint-2"): torch.tensor([0.1 * k, 0.2]) for k in (0, 1)}
    rows = table(asked, found, off, ["VIPaint-2"]).splitlines()
    cells = [c.strip() for c in rows[2].strip("|").split("|")]
    assert cells[:4] == ["mouth", "mouth", "2", "VIPaint-2"] and cells[4].startswith("0.250 ±") and cells[6] == "0.000"
    # Two draws are alike as often as not: 0.25 on average, 0.25 apart from it, over two faces.
    assert [float(v) for v in cells[5].split(" ± ")] == pytest.approx([0.25, 0.25 / 2**0.5], abs=0.01)
    assert rows[3].split("|")[2].strip() == "anything" and rows[3].split("|")[8].strip() == "0.125" and len(rows) == 4


def test_choices_are_listed_by_their_residual():
    (question,) = questions("mouth", 1)
    residuals = {choice: (7 * k) % 5 + 0.1 * k for k, choice in enumerate(ATTRIBUTES["mouth"])}
    found = {("mouth", question.index, "DPS"): {"mouth": ["SAD", "SAD", "SMILE", "TONGUE"]}}
    rows = choices([question], found, {("mouth", question.index): residuals}, ["DPS"]).splitlines()[2:]
    cells = [[c.strip() for c in row.strip("|").split("|")] for row in rows]
    assert [c[2] for c in cells] == [c.lower() for c in sorted(residuals, key=residuals.get)]
    assert {c[2]: c[5] for c in cells if c[5] != "0.00"} == {"sad": "0.50", "smile": "0.25", "tongue": "0.25"}
