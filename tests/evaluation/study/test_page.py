"""The page is valid HTML, asks nothing of the net, and shows names as they are."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import PIL.Image
import pytest

from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.page import page
from vipaint_pyro.evaluation.study.summary import metrics_of

VOID = {"meta", "img", "br", "hr", "link", "input"}
ODD = '<b>&"x"'


class Reader(HTMLParser):
    """Elements with their texts; every element is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.texts = [], [], {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert len({k for k, _ in attributes}) == len(attributes)
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.seen if name == tag]


@pytest.fixture
def found(study):
    chosen = {"methods": {"dps": {"a": ODD}}}
    s = study(["vipaint-4", "dps", ODD], conditions=("rotated", ODD), prior=ODD, settings=chosen)
    for condition in ("rotated", ODD):
        for image in range(3):
            s.add(condition, "vipaint-4", image, 0.1, psnr=20.0)
            s.add(condition, "dps", image, 0.2 + 0.1 * image, psnr=18.0)
        s.add(condition, ODD, 0, error={"type": "ValueError", "message": f"<script>alert(1)</script> {ODD}"})
    return read_study(s.folder)


@pytest.fixture
def text(found):
    pixels = PIL.Image.fromarray(np.zeros((2, 3, 3), np.uint8))
    return page(found, metrics_of(found), pixels, {"rotated": pixels, ODD: pixels})


def test_valid_and_whole(text):
    read = Reader(text)
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    for tag in ("html", "head", "body", "title", "h1"):
        assert len(read.all(tag)) == 1, tag
    ids = [a["id"] for _, a in read.seen if "id" in a]
    assert len(ids) == len(set(ids)) and {a["href"] for a in read.all("a")} == {f"#{i}" for i in ids}
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in read.all("meta")
    assert "prefers-color-scheme: dark" in text


def test_nothing_is_asked_of_the_net(text):
    read = Reader(text)
    assert not read.all("link") and not read.all("iframe") and "http:" not in text and "https:" not in text
    assert all("src" not in a for a in read.all("script")) and "url(" not in text and "@import" not in text
    assert any("default-src 'none'" in a.get("content", "") for a in read.all("meta"))
    pictures = read.all("img")
    assert len(pictures) == 3
    for picture in pictures:
        head, data = picture["src"].split(",")
        assert head == "data:image/png;base64" and picture["alt"]
        assert PIL.Image.open(io.BytesIO(base64.b64decode(data))).size == (3, 2)


def test_names_are_shown_as_they_are(text):
    read = Reader(text)
    assert not read.all("b") and len(read.all("script")) == 1
    assert any(ODD in button for button in read.texts["button"])
    assert ODD in read.texts["title"][0] and ODD in read.texts["summary"] and ODD in read.texts["h3"]
    assert f"ValueError: <script>alert(1)</script> {ODD}" in read.texts["td"]


def test_tables_can_be_sorted_by_numbers(text):
    read = Reader(text)
    cells = [a for a in read.all("td") if "data-v" in a]
    assert cells and all(float(a["data-v"]) is not None for a in cells)
    assert len(read.all("button")) == len(read.all("th"))


def test_it_says_what_was_run(text):
    read = Reader(text)
    said = " ".join(read.texts["dd"])
    for fact in ("0123456789ab", "fashion-classifier", "2.6.0", "DPSSampler", "num_steps", "0.05"):
        assert fact in said + " ".join(read.texts["dt"]), fact
    title = "LPIPS (AlexNet), observed pixels put back (restorations: as drawn and clipped), lower is better"
    assert title in read.texts["h3"]
    (command,) = [code for code in read.texts["code"] if code.startswith("vipaint evaluate --prior")]
    assert command.endswith(" --out FOLDER")
    assert f"of {ODD}" in read.texts["dt"] and "of rotated" not in read.texts["dt"]
    assert "4 of 18 items finished" not in text and "12 of 18 items finished, 2 failed." in read.texts["p"]


def test_settings_of_a_method_are_said_once_for_all_images(text):
    settings = text[text.index('<section id="settings">') :]
    assert settings.count("<dt>zeta</dt>") == 6  # three methods under two conditions that differ
    assert "<dt>label</dt>" not in settings


def test_a_study_of_failures(study):
    s = study(["dps"])
    s.add("rotated", "dps", 0, error={"type": "NonFiniteError", "message": "at t = 5"})
    found = read_study(s.folder)
    read = Reader(page(found, metrics_of(found), None, {}))
    assert "NonFiniteError: at t = 5" in read.texts["td"] and "No samples were kept." in read.texts["p"]


def test_results_come_before_what_was_run(text):
    ids = [attributes["id"] for tag, attributes in Reader(text).seen if tag == "section"]
    assert ids[0] == "quality" and ids.index("run") > ids.index("costs")


def test_samples_have_their_caption(text):
    captions = " ".join(Reader(text).texts["figcaption"])
    assert "observed pixels put back. Violet pixels were hidden" in captions
    assert "as drawn and clipped: nothing is put back" in captions and captions.count("crossed grey cell") == 2
