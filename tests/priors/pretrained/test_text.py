"""Prompts that are none are refused before an encoder is asked."""

import pytest

from vipaint_pyro.priors.pretrained.text import checked_prompts


@pytest.mark.parametrize(
    "prompt, negative, words",
    [
        (5, None, "prompt is a text or a list of texts, not 5"),
        ([], None, r"prompt is a text or a list of texts, not \[\]"),
        ("a", 5, "negative_prompt is a text or a list of texts, not 5"),
        ("a", [1], r"negative_prompt is a text or a list of texts, not \[1\]"),
        ("a", ["b", "c"], "2 negative prompts for 1 prompt: give one, or one for each"),
    ],
)
def test_prompts_that_cannot_be(prompt, negative, words):
    with pytest.raises(ValueError, match=words):
        checked_prompts(prompt, negative)


def test_one_negative_prompt_serves_all():
    assert checked_prompts(["a", "b"], "c") == (["a", "b"], ["c", "c"])
