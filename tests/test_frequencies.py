"""Frequencies of attributes against exact probabilities, and the comparison that is built on them."""

import importlib
import sys
from math import comb
from pathlib import Path

import click
import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, number, render
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior, attribute_mask, face_posterior

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = ("frequencies", "frequency_report", "questions", "13_what_is_under_the_mask", "judge_cartoon_faces")


@pytest.fixture
def script(monkeypatch):
    """Name -> module of the examples."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for name in SCRIPTS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in SCRIPTS:
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_total_variation_by_hand(script):
    f = script("frequencies")
    exact = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    counted = torch.tensor([[2, 1, 1], [4, 0, 0], [0, 2, 2]])
    assert f.total_variation(counted, exact).tolist() == pytest.approx([0, 0.5, 0.5])


def test_what_exact_draws_have_is_the_binomials(script):
    """Two outcomes: the total variation of n draws is |k / n - p|, with k binomial."""
    f, n, p = script("frequencies"), 10, 0.3
    weights = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    values = [abs(k / n - p) for k in range(n + 1)]
    mean = sum(w * v for w, v in zip(weights, values))
    std = (sum(w * v * v for w, v in zip(weights, values)) - mean**2) ** 0.5
    found = f.exact_total_variation(torch.tensor([p, 1 - p], dtype=torch.float64), n, repeats=20000)
    assert found == pytest.approx((mean, std), abs=0.003)


def test_the_bootstrap_is_the_binomials_of_what_was_counted(script):
    """Far from the odds the total variation is k / n - p, whose error is that of a share."""
    f = script("frequencies")
    exact = torch.tensor([0.1, 0.9], dtype=torch.float64)
    error = f.bootstrap_error(torch.tensor([60, 40]), exact, repeats=20000)
    assert error == pytest.approx((0.6 * 0.4 / 100) ** 0.5, rel=0.03)
    assert f.bootstrap_error(torch.tensor([7, 0]), exact) == pytest.approx(0, abs=1e-12)


def test_outcomes_tell_what_is_not_drawn(script):
    f, face = script("frequencies"), draw_attributes("test", 2)  # curly hair, no beard, sunglasses
    hat = {**face, "top": "HAT", "accessory": "NONE", "eyes": "HEART"}
    found = f.outcomes(torch.stack([number(face), number(hat)]))
    assert found["top"] == [face["top"], "HAT"]
    assert found["hat_color"] == [f.NOT_DRAWN, face["hat_color"]]
    assert found["hair_color"] == [face["hair_color"], f.NOT_DRAWN]
    assert found["eyes"] == [f.NOT_DRAWN, "HEART"]


def test_exact_outcomes_are_those_of_draws(script):
    """Of the generator itself, whose draws are outcomes too; and by hand for the hair's colour."""
    f, generator = script("frequencies"), script("judge_cartoon_faces").GENERATOR
    read = torch.stack([number(draw_attributes("test", i)) for i in range(4000)])
    found = f.outcomes(read)
    for name in ATTRIBUTES:
        odds = f.exact_outcomes(generator, name)
        assert sum(odds.values()) == pytest.approx(1)
        exact = f.as_tensor(odds)
        mean, std = f.exact_total_variation(exact, 4000, repeats=200)
        assert f.total_variation(f.counts(found[name], odds), exact) < mean + 5 * std, name
    assert f.exact_outcomes(generator, "hair_color") == pytest.approx(
        {**dict.fromkeys(ATTRIBUTES["hair_color"], 0.9 / 6), f.NOT_DRAWN: 0.1}  # a hat, a quarter, and no beard
    )
    assert f.exact_outcomes(generator, "eyes")[f.NOT_DRAWN] == pytest.approx(0.2)


def test_counts_leave_nothing_out(script):
    """What is not drawn counts although the odds do not know of it: it is then ruled out."""
    f = script("frequencies")
    odds = {"SAD": 0.5, "SMILE": 0.5}
    assert f.counts(["SAD", f.NOT_DRAWN, "SAD", "SMILE"], odds).tolist() == [2, 1, 1]
    assert f.as_tensor(odds).tolist() == [0.5, 0.5, 0]
    assert f.counts(["SAD", f.NOT_DRAWN], {"SAD": 0.5, f.NOT_DRAWN: 0.5}).tolist() == [1, 1]
    scored = f.score(["SAD", f.NOT_DRAWN, "SAD", "SMILE"], odds)
    assert scored.distance == pytest.approx(0.25) and scored.ruled_out == pytest.approx(0.25)


def test_questions_are_of_faces_in_which_the_attribute_shows(script):
    asked = script("questions").questions("eyes", 4)
    indices = [i for i in range(9) if draw_attributes("test", i)["accessory"] != "SUNGLASSES"][:4]
    assert [q.index for q in asked] == indices and indices != [0, 1, 2, 3]
    assert len({q.seed for q in asked}) == 4
    for q in asked:
        assert q.face == draw_attributes("test", q.index)
        assert (q.observed == attribute_mask("eyes", q.face)).all()
        assert q.open()["eyes"] == pytest.approx(ATTRIBUTES["eyes"])


def test_what_is_open_and_what_is_ruled_out(script):
    f = script("frequencies")
    face = draw_attributes("test", 1)  # curly brown hair over a light beard
    seen = attribute_mask("top", face)
    question = script("questions").Question("top", 1, face, torch.zeros(3, 64, 64), seen, face_posterior(face, seen))
    assert set(question.open()) == {"top", "hat_color", "eyebrows", "accessory"}
    faces = [face, {**face, "top": "HAT"}, {**face, "hair_color": "RED"}, {**face, "skin_color": "PALE"}]
    found = f.outcomes(torch.stack([number(other) for other in faces]))
    assert question.impossible(found) == [False, False, True, True]


def test_the_table_averages_over_faces(script):
    """Two faces with all mouths alike, one of them right: 0.5 and 0 in total variation."""
    report, question = script("frequency_report"), script("questions").Question
    asked, found = [], {}
    for index, shown in ((0, ["SAD", "SMILE"]), (1, ["SAD", "SAD"])):
        face = {**draw_attributes("test", index), "mouth": "SAD"}
        fixed = [([{n: c}], torch.ones(1, dtype=torch.float64)) for n, c in face.items() if n != "mouth"]
        odds = ([{"mouth": "SAD"}, {"mouth": "SMILE"}], torch.full((2,), 0.5, dtype=torch.float64))
        asked.append(question("mouth", index, face, None, None, FacePosterior([odds, *fixed])))
        read = torch.stack([number({**face, "mouth": m}) for m in shown])
        found["mouth", index, "VIPaint-2"] = script("frequencies").outcomes(read)
    off = {("mouth", k, "VIPaint-2"): torch.tensor([0.1 * k, 0.2]) for k in (0, 1)}
    rows = report.table(asked, found, off, ["VIPaint-2"]).splitlines()
    cells = [c.strip() for c in rows[2].strip("|").split("|")]
    assert cells[:4] == ["mouth", "mouth", "2", "VIPaint-2"] and cells[4].startswith("0.250 ±") and cells[6] == "0.000"
    # Two draws are alike as often as not: 0.25 on average, 0.25 apart from it, over two faces.
    assert [float(v) for v in cells[5].split(" ± ")] == pytest.approx([0.25, 0.25 / 2**0.5], abs=0.01)
    assert rows[3].split("|")[2].strip() == "anything" and rows[3].split("|")[8].strip() == "0.125" and len(rows) == 4


def test_how_far_off_the_generator_completions_are(script):
    """One that is a face of it, and one that has 0.5 too much in the hole."""
    (question,) = script("questions").questions("mouth", 1)
    other = {**question.face, "mouth": "TONGUE"}
    x = torch.stack([question.truth, render(other)])
    x[1] += torch.where(question.observed, 7.0, 0.5)
    off = question.off(x, torch.stack([number(question.face), number(other)]))
    assert off.tolist() == pytest.approx([0, 0.5], abs=1e-6)


def test_how_well_the_seen_part_is_rebuilt_around_each_choice(script):
    """A codec that adds 0.1 leaves 0.1 everywhere; one that spoils a picture by its hidden part tells choices apart."""

    class Codec:
        dtype, spoiled = torch.float32, 0.0

        def encode(self, x):
            return x

        def decode(self, z):
            hidden = z[:, :, ~question.observed[0]].mean((1, 2))
            return z + 0.1 + self.spoiled * hidden[:, None, None, None]

    (question,) = script("questions").questions("mouth", 1)
    num_seen = 3 * question.observed.sum().item()
    even = question.rebuilt(Codec())
    assert even == pytest.approx(dict.fromkeys(ATTRIBUTES["mouth"], 0.1 * num_seen**0.5), rel=1e-4)
    uneven, codec = {}, Codec()
    codec.spoiled = 0.2
    for choice in ATTRIBUTES["mouth"]:
        hidden = render({**question.face, "mouth": choice})[:, ~question.observed[0]].mean().item()
        uneven[choice] = abs(0.1 + 0.2 * hidden) * num_seen**0.5
    assert question.rebuilt(codec) == pytest.approx(uneven, rel=1e-4)

    found = {("mouth", question.index, "DPS"): {"mouth": ["SAD", "SAD", "SMILE", "TONGUE"]}}
    rows = script("frequency_report").choices([question], found, {("mouth", question.index): uneven}, ["DPS"]).splitlines()[2:]
    cells = [[c.strip() for c in row.strip("|").split("|")] for row in rows]
    assert [c[2] for c in cells] == [c.lower() for c in sorted(uneven, key=uneven.get)]
    assert {c[2]: c[5] for c in cells if c[5] != "0.00"} == {"sad": "0.50", "smile": "0.25", "tongue": "0.25"}


def test_completions_are_kept_and_come_from_the_same_settings(script, tmp_path):
    mask, path = script("13_what_is_under_the_mask"), tmp_path / "completions" / "one.safetensors"
    x = torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2)
    first = mask.kept(path, {"a": 1}, lambda: x)
    again = mask.kept(path, {"a": 1}, lambda: pytest.fail("drawn anew"))
    assert torch.equal(first, again) and (first / 127.5 - 1 - x).abs().max() < 0.004
    assert [*path.parent.iterdir()] == [path]
    with pytest.raises(click.ClickException, match="other settings"):
        mask.kept(path, {"a": 2}, lambda: x)


def test_completions_in_batches_share_one_fit_and_keep_what_is_seen(script):
    mask = script("13_what_is_under_the_mask")
    (question,) = mask.questions("mouth", 1)
    fits = []

    class Stub(mask.VIPaintSampler):
        def __call__(self, prior, operator, y, num_samples, generator, guide=None):
            fits.append(guide)
            noise = 3 * torch.randn(num_samples, 1, 3, 64, 64, generator=generator)
            return type("Drawn", (), {"images": noise, "guide": "fitted"})

    x = mask.complete(None, question, Stub(), completions=7, batch=3)
    assert x.shape == (7, 3, 64, 64) and fits == [None, "fitted", "fitted"]
    seen = question.observed.expand(3, -1, -1)
    assert (x[:, seen] == question.truth[seen]).all() and x.abs().max() == 1
    assert len({v.item() for v in x[:, ~seen][:, 0]}) > 1 and (x == mask.complete(None, question, Stub(), 7, 3)).all()


def test_obedience_and_closeness_by_hand(script):
    judge = script("judge_cartoon_faces")
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
