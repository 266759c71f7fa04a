"""Debian's chromium before a server of the page with a tiny prior; skips with a reason where either is missing."""

import os
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
import pytest

from tests.app.conftest import FEW

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run"
).split()
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium():
    """A browser."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: extra [test]")
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(pipes, write):
    """The URL of a page over some priors."""
    pytest.importorskip("gradio", reason="gradio is not installed: extra [app]")
    from vipaint_pyro.app.house import House
    from vipaint_pyro.app.serving import Address, serve
    from vipaint_pyro.app.shelf import Shelf

    house = House(Shelf(list(pipes), pipes.__getitem__), write)
    blocks, url = serve(house, Address(), wait=False)
    try:
        yield url, house
    finally:
        blocks.close(verbose=False)


class Visitor:
    """One tab of the browser, what it asked other machines for, and what it complained of."""

    def __init__(self, browser, url, size=DESKTOP):
        self.page = browser.new_page(viewport=size)
        self.page.set_default_timeout(40_000)
        self.asked, self.failed = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.failed.append(str(error)))
        self.page.goto(url)
        self.page.wait_for_selector("#fill-go")

    def upload(self, path: Path):
        with self.page.expect_file_chooser() as chooser:
            self.page.click("#fill-upload")
        chooser.value.set_files(path)

    def open(self, path: Path):
        """Upload a picture, and wait for the canvas."""
        self.upload(path)
        self.says("#said", "")

    def says(self, place, text):
        """Wait until a place says something."""
        there = "e && e.innerText.trim() && e.innerText.includes(t)"
        wait = f"([p, t]) => {{ const e = document.querySelector(p); return {there} }}"
        self.page.wait_for_function(wait, arg=[place, text])
        return self.page.inner_text(place)

    def paint(self, across=0.5):
        """A stroke over the middle of the canvas, with the mouse."""
        self.page.wait_for_timeout(800)  # the canvas is drawn after its picture has come
        box = self.page.locator("#editor canvas").first.bounding_box()
        x, y = box["x"] + box["width"] * (1 - across) / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for k in range(1, 13):
            self.page.mouse.move(x + box["width"] * across * k / 12, y + k % 2)
        self.page.mouse.up()
        self.says("#said", "given to the model")

    def samples(self, count):
        slider = self.page.locator("input[aria-label*='Samples']").first
        slider.fill(str(count))
        slider.press("Enter")

    def run(self, more=FEW):
        """Fill the hole, in few steps."""
        settings = self.page.get_by_label("Other settings").first
        if not settings.is_visible():
            self.page.get_by_text("Method, guide, seed and more").first.click()
        settings.fill(more)
        settings.blur()
        self.page.click("#fill-go")

    def sees(self, count):
        """Wait until so many completions are shown."""
        self.page.wait_for_function(
            "n => document.querySelectorAll('#fill-gallery img').length == n", arg=count
        )

    def width(self):
        """How much wider the page is than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def saved(folder: Path, picture) -> Path:
    path = folder / "a.png"
    image: PIL.Image.Image = picture.image
    image.save(path)
    return path
