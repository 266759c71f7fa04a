"""The lesson: densities that are ones, a bound below log p(y), a guide that is exact where it can be."""

import pytest
import torch

from vipaint_pyro.app.lesson import LAST, Question, answer, levels


def test_levels_run_from_t_e_to_t_s():
    assert levels(400, 4) == (400, 300, 200, 100) and levels(400, 2) == (400, LAST) and levels(400, 1) == (LAST,)


def test_a_wide_guide_finds_both_modes_and_its_bound_is_one():
    found = answer(Question(guide="mixture", steps=60))
    for p in (found.prior, found.exact, found.guide):
        assert abs(float(torch.trapezoid(p, found.grid)) - 1) < 1e-3
    value, error = found.bound
    assert value < found.evidence + 3 * error and 0.75 < found.overlap <= 1


def test_one_gaussian_is_worse_and_says_so():
    found = answer(Question(guide="gaussian", steps=60))
    assert found.times == (LAST,) and found.overlap < 0.7 and found.evidence - found.bound[0] > 0.4


def test_a_question_has_one_answer():
    first, again = (answer(Question(steps=20, count=2, seed=3), draws=50) for _ in range(2))
    assert first.bound == again.bound and torch.equal(first.guide, again.guide)


@pytest.mark.parametrize("wrong", [{"guide": "no"}, {"top": 50}, {"top": 1200}, {"noise": 0}, {"beta": 0}])
def test_what_cannot_be_asked(wrong):
    with pytest.raises(ValueError):
        answer(Question(**wrong))
