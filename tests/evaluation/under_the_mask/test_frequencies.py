"""Frequencies of attributes against exact probabilities."""

from math import comb

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, number
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior
from vipaint_pyro.evaluation.under_the_mask.frequencies import (
    NOT_DRAWN,
    as_tensor,
    bootstrap_error,
    counts,
    exact_outcomes,
    exact_total_variation,
    outcomes,
    score,
    total_variation,
)


def test_total_variation_by_hand():
    exact = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    counted = torch.tensor([[2, 1, 1], [4, 0, 0], [0, 2, 2]])
    assert total_variation(counted, exact).tolist() == pytest.approx([0, 0.5, 0.5])


def test_what_exact_draws_have_is_the_binomials():
    """Two outcomes: the total variation of n draws is |k / n - p|, with k binomial."""
    n, p = 10, 0.3
    weights = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    values = [abs(k / n - p) for k in range(n + 1)]
    mean = sum(w * v for w, v in zip(weights, values))
    std = (sum(w * v * v for w, v in zip(weights, values)) - mean**2) ** 0.5
    found = exact_total_variation(torch.tensor([p, 1 - p], dtype=torch.float64), n, repeats=20000)
    assert found == pytest.approx((mean, std), abs=0.003)


def test_the_bootstrap_is_the_binomials_of_what_was_counted():
    """Far from the odds the total variation is k / n - p, whose error is that of a share."""
    exact = torch.tensor([0.1, 0.9], dtype=torch.float64)
    error = bootstrap_error(torch.tensor([60, 40]), exact, repeats=20000)
    assert error == pytest.approx((0.6 * 0.4 / 100) ** 0.5, rel=0.03)
    assert bootstrap_error(torch.tensor([7, 0]), exact) == pytest.approx(0, abs=1e-12)


def test_outcomes_tell_what_is_not_drawn():
    face = draw_attributes("test", 2)  # curly hair, no beard, sunglasses
    hat = {**face, "top": "HAT", "accessory": "NONE", "eyes": "HEART"}
    found = outcomes(torch.stack([number(face), number(hat)]))
    assert found["top"] == [face["top"], "HAT"]
    assert found["hat_color"] == [NOT_DRAWN, face["hat_color"]]
    assert found["hair_color"] == [face["hair_color"], NOT_DRAWN]
    assert found["eyes"] == [NOT_DRAWN, "HEART"]


def test_exact_outcomes_are_those_of_draws():
    """Of the generator itself, whose draws are outcomes too; and by hand for the hair's colour."""
    generator = FacePosterior(
        [
            ([{name: choice} for choice in odds], torch.tensor([*odds.values()], dtype=torch.float64))
            for name, odds in ATTRIBUTES.items()
        ]
    )
    read = torch.stack([number(draw_attributes("test", i)) for i in range(4000)])
    found = outcomes(read)
    for name in ATTRIBUTES:
        odds = exact_outcomes(generator, name)
        assert sum(odds.values()) == pytest.approx(1)
        exact = as_tensor(odds)
        mean, std = exact_total_variation(exact, 4000, repeats=200)
        assert total_variation(counts(found[name], odds), exact) < mean + 5 * std, name
    assert exact_outcomes(generator, "hair_color") == pytest.approx(
        {**dict.fromkeys(ATTRIBUTES["hair_color"], 0.9 / 6), NOT_DRAWN: 0.1}  # a hat, a quarter, and no beard
    )
    assert exact_outcomes(generator, "eyes")[NOT_DRAWN] == pytest.approx(0.2)


def test_counts_leave_nothing_out():
    """What is not drawn counts although the odds do not know of it: it is then ruled out."""
    odds = {"SAD": 0.5, "SMILE": 0.5}
    assert counts(["SAD", NOT_DRAWN, "SAD", "SMILE"], odds).tolist() == [2, 1, 1]
    assert as_tensor(odds).tolist() == [0.5, 0.5, 0]
    assert counts(["SAD", NOT_DRAWN], {"SAD": 0.5, NOT_DRAWN: 0.5}).tolist() == [1, 1]
    scored = score(["SAD", NOT_DRAWN, "SAD", "SMILE"], odds)
    assert scored.distance == pytest.approx(0.25) and scored.ruled_out == pytest.approx(0.25)


def test_only_what_is_impossible_is_ruled_out():
    found = ["a"] * 6 + ["b"] * 3 + ["c"]
    assert score(found, {"a": 0.995, "b": 0.005, "c": 0.0}).ruled_out == pytest.approx(0.1)
    assert score(found, {"a": 0.995, "b": 0.0045, "c": 0.0005}).ruled_out == 0
