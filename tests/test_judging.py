"""What the model card of the cartoon faces says, by hand."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.faces import draw_attributes, number

SCRIPTS = Path(__file__).parent.parent / "examples" / "priors"


@pytest.fixture
def judge(monkeypatch):
    """The module, which lies among the scripts."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delitem(sys.modules, "judge_cartoon_faces", raising=False)
    yield importlib.import_module("judge_cartoon_faces")
    monkeypatch.delitem(sys.modules, "judge_cartoon_faces", raising=False)


def test_obedience_and_closeness_by_hand(judge):
    read = torch.zeros(4, 11, dtype=torch.int64)
    read[:, 0] = torch.tensor([0, 1, 1, 1])
    assert judge.obedience([0, 0, 1, 1], read, ("bob", "bun")).splitlines()[-1] == "| 0.50 | 1.00 | 0.75 |"
    rows = judge.closeness({"a": (torch.tensor([10.0, 20.0]), torch.tensor([0.1, 0.3]))}).splitlines()
    assert rows[2] == "| a | 2 | 15.0 ± 7.1 | 0.2000 ± 0.1414 |"
    attributes = torch.stack([number(draw_attributes("test", i)) for i in range(3)])
    wrong = attributes.clone()
    wrong[0, 6] = (wrong[0, 6] + 1) % 6  # one mouth of three
    cells = judge.accuracy(attributes, {"x": wrong}).splitlines()[-1].split("|")
    assert cells[8].strip() == "0.6667" and cells[2].strip() == "1.0000"
