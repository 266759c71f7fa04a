"""Pages: whole, and nothing from outside."""

import base64
import io
import re

import PIL.Image
import pytest

from vipaint_pyro.pages import as_text, code, details, document, fact_list, figure, head_of

PICTURE = PIL.Image.new("RGB", (7, 5), (1, 2, 3))


def test_a_picture_is_in_the_page_with_its_size_and_words():
    file = io.BytesIO()
    PICTURE.save(file, format="png")
    for picture in (PICTURE, file.getvalue()):
        text = figure(picture, 'a "small" <one>', "Below & so", "few")
        assert 'class="few" width="7" height="5" alt="a &quot;small&quot; &lt;one&gt;"' in text
        assert "<figcaption>Below &amp; so.</figcaption>" in text
        data = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
        with PIL.Image.open(io.BytesIO(data)) as read:
            assert read.tobytes() == PICTURE.tobytes()
    assert "figcaption" not in figure(PICTURE, "alone")


def test_texts_are_escaped():
    for text in (code("<b>"), details("<b>", ""), fact_list([("<b>", "x")]), fact_list([("x", "<b>")])):
        assert "&lt;b&gt;" in text and "<b>" not in text
    assert fact_list([]) == "<p>Not known.</p>\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"), (None, "none"), ([], "none"), ({}, "none"), (True, "yes"), (False, "no"), (0, "0"), (0.25, "0.25"),
        (0.000807291666, "0.000807292"), ({"a": 0.1 + 0.2}, "a 0.3"),
        ([9, 5], "9, 5"), ([[0, 1], [2, None]], "0, 1; 2, none"),
        ({"at_once": 2, "ended": "settled"}, "at once 2, ended settled"),
        ([{"left": 3, "sees": []}, {"left": 4, "sees": [0]}], "left 3, sees none; left 4, sees 0"),
    ],
)  # fmt: skip
def test_a_setting_is_written_without_brackets(value, text):
    assert as_text(value) == text


def test_a_document_allows_no_script_but_its_own():
    page = document("me", "A <title>", "the lead & so", {"one": ("Head <1>", "<p>text</p>")})
    assert page.startswith(head_of("me")) and "<title>A &lt;title&gt;</title>" in page and "the lead &amp; so" in page
    assert '<a href="#one">Head &lt;1&gt;</a>' in page and '<section id="one">' in page and "<p>text</p>" in page
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'\"" in page and "<script" not in page
    assert 'name="viewport"' in page and "prefers-color-scheme: dark" in page
    assert "script-src 'unsafe-inline'" in document("me", "t", "", {}, "1;")
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
