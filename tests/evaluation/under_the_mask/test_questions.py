"""A face with one attribute covered: what is open, what is ruled out, how far off a completion is."""

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, number, render
from vipaint_pyro.datasets.cartoon_faces.posterior import attribute_mask, face_posterior
from vipaint_pyro.evaluation.under_the_mask.frequencies import outcomes
from vipaint_pyro.evaluation.under_the_mask.questions import Question, questions


def test_questions_are_of_faces_in_which_the_attribute_shows():
    asked = questions("eyes", 4)
    indices = [i for i in range(9) if draw_attributes("test", i)["accessory"] != "SUNGLASSES"][:4]
    assert [q.index for q in asked] == indices and indices != [0, 1, 2, 3]
    assert len({q.seed for q in asked}) == 4
    for q in asked:
        assert q.face == draw_attributes("test", q.index)
        assert (q.observed == attribute_mask("eyes", q.face)).all()
        assert q.open()["eyes"] == pytest.approx(ATTRIBUTES["eyes"])


def test_what_is_open_and_what_is_ruled_out():
    face = draw_attributes("test", 1)  # curly brown hair over a light beard
    seen = attribute_mask("top", face)
    question = Question("top", 1, face, torch.zeros(3, 64, 64), seen, face_posterior(face, seen))
    assert set(question.open()) == {"top", "hat_color", "eyebrows", "accessory"}
    faces = [face, {**face, "top": "HAT"}, {**face, "hair_color": "RED"}, {**face, "skin_color": "PALE"}]
    found = outcomes(torch.stack([number(other) for other in faces]))
    assert question.impossible(found) == [False, False, True, True]


def test_how_far_off_the_generator_completions_are():
    """One that is a face of it, and one that has 0.5 too much in the hole."""
    (question,) = questions("mouth", 1)
    other = {**question.face, "mouth": "TONGUE"}
    x = torch.stack([question.truth, render(other)])
    x[1] += torch.where(question.observed, 7.0, 0.5)
    off = question.off(x, torch.stack([number(question.face), number(other)]))
    assert off.tolist() == pytest.approx([0, 0.5], abs=1e-6)


def test_how_well_the_seen_part_is_rebuilt_around_each_choice():
    """A codec that adds 0.1 leaves 0.1 everywhere; one that spoils a picture by its hidden part tells choices apart."""

    class Codec:
        dtype, spoiled = torch.float32, 0.0

        def encode(self, x):
            return x

        def decode(self, z):
            hidden = z[:, :, ~question.observed[0]].mean((1, 2))
            return z + 0.1 + self.spoiled * hidden[:, None, None, None]

    (question,) = questions("mouth", 1)
    num_seen = 3 * question.observed.sum().item()
    even = question.rebuilt(Codec())
    assert even == pytest.approx(dict.fromkeys(ATTRIBUTES["mouth"], 0.1 * num_seen**0.5), rel=1e-4)
    uneven, codec = {}, Codec()
    codec.spoiled = 0.2
    for choice in ATTRIBUTES["mouth"]:
        hidden = render({**question.face, "mouth": choice})[:, ~question.observed[0]].mean().item()
        uneven[choice] = abs(0.1 + 0.2 * hidden) * num_seen**0.5
    assert question.rebuilt(codec) == pytest.approx(uneven, rel=1e-4)
