"""What a setting may be."""

import math
from dataclasses import dataclass

import pytest

from vipaint_pyro.settings import check_settings, choice, number, path, setting, settled, switch, times, whole


@pytest.mark.parametrize(
    "kind, good, bad",
    [
        (whole(), [1, 10**6], [0, -1, 10**6 + 1, 1.0, True, "1", None]),
        (whole(0), [0, 3], [-1, False]),
        (number(), [0, -1.5, 3, 1e18, -1e18], [math.nan, math.inf, -math.inf, 2e18, -2e18, True, "1", None]),
        (number(above=0), [1e-300, 2], [0, 0.0, -1]),
        (number(least=0, most=1), [0, 0.5, 1], [-1e-9, 1 + 1e-9]),
        (switch(), [True, False], [0, 1, None, "yes"]),
        (choice(("a", "b")), ["a", "b"], ["c", "A", None]),
        (path(), ["x", ""], [1, None, ["x"]]),
        (times(), [(5, 3), [0], ()], [(5, -1), (5.0,), (True,), "53", 5]),
    ],
)
def test_kinds(kind, good, bad):
    assert all(kind.check(v) for v in good)
    assert not any(kind.check(v) for v in bad)


def test_the_text_names_the_bounds():
    assert whole(2).text == "is a whole number of at least 2"
    assert number().text == "is a finite number"
    assert number(above=0, most=1).text == "is a finite number, above 0 and at most 1"
    assert choice("ab").text == "is one of a, b" and choice("ab").choices == ("a", "b")


@dataclass(frozen=True)
class Some:
    open: int | None = setting(None, whole(), "May be left to others.")
    steps: int = setting(3, whole(), "May not.")


def test_none_is_a_value_only_where_it_is_the_default():
    check_settings(Some())
    check_settings(Some(open=2))
    with pytest.raises(ValueError, match="^steps is a whole number of at least 1, but is None$"):
        check_settings(Some(steps=None))
    with pytest.raises(ValueError, match="^open is a whole number of at least 1, but is 0$"):
        check_settings(Some(open=0))


def test_what_is_not_settled_says_so():
    """In place of an arithmetic on None: a sampler's walk is asked for before its settings have met a prior."""
    from vipaint_pyro.samplers import VIPaintSampler

    assert settled(0) == 0 and settled(False) is False
    for ask in (VIPaintSampler().refinement, VIPaintSampler().phases):
        with pytest.raises(ValueError, match=r"these settings are not settled: sampler\.settle\(prior, measurement\)"):
            ask()
