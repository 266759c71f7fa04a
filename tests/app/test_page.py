"""The page in a real browser, with a mouse."""

import os
import re

import pytest

from tests.app.browser import DESKTOP, PHONE, Visitor, chromium, saved, served
from tests.app.conftest import picture_of, tiny_pipe
from vipaint_pyro.cli.app import write_filling

#: The server's threads are other packages'.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server():
    with served({"tiny": tiny_pipe()}, write_filling) as found:
        yield found


@pytest.fixture
def visitor(browser, server):
    found = Visitor(browser, server[0])
    yield found
    found.page.close()


@pytest.fixture
def file(tmp_path):
    return saved(tmp_path, picture_of(8, 8))


def test_paint_fill_and_ask_for_more(visitor, file):
    visitor.open(file)
    visitor.paint()
    visitor.run()
    visitor.says("#fill-status", "Done: 4 completions.")
    visitor.sees(4)
    page = visitor.page
    page.click("#fill-more")
    visitor.says("#fill-status", "Done: 4 more, 8 in all.")
    visitor.sees(8)
    assert {url.split("/")[2] for url in visitor.asked if url.startswith("http")} == {page.url.split("/")[2]}
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False" and not visitor.failed


def test_a_wrong_file_is_told_in_a_sentence(visitor, tmp_path, file):
    wrong = tmp_path / "wrong.png"
    wrong.write_text("no picture at all")
    visitor.upload(wrong)
    said = visitor.says(".toast-body", "wrong.png is no picture")
    assert "Traceback" not in said
    visitor.open(file)  # and the page goes on


def test_nothing_is_wider_than_a_phone(browser, server):
    visitor = Visitor(browser, server[0], PHONE)
    page = visitor.page
    assert visitor.width() <= 0
    for name in ("Restore", "Known answers"):
        tab = page.get_by_role("tab", name=name).first
        if not tab.is_visible():
            page.locator(".overflow-menu > button").click()
            tab = page.locator(".overflow-dropdown").get_by_text(name)
        tab.click()
        page.wait_for_timeout(500)
        assert visitor.width() <= 0, name
    page.close()


@pytest.mark.slow
@pytest.mark.long
def test_cancel_keeps_what_was_drawn(visitor, file):
    visitor.open(file)
    visitor.paint()
    visitor.samples(32)
    visitor.run("timesteps=700,400 fit_steps=3 refinement_steps=80")
    visitor.page.wait_for_function("document.querySelectorAll('#fill-gallery img').length >= 2")
    visitor.page.click("#fill-cancel")
    said = visitor.says("#fill-status", "Cancelled: ")
    assert "kept" in said, said
    kept = int(re.search(r"Cancelled: (\d+) sample", said)[1])
    assert 2 <= kept < 32
    visitor.sees(kept)
    visitor.page.wait_for_selector("#fill-go:enabled")
    assert visitor.page.locator("#fill-cancel").is_disabled()


@pytest.mark.slow
@pytest.mark.long
def test_two_visitors_at_once(browser, server, tmp_path):
    """One waits for the other, sees so, and has a picture of its own."""
    first, second = (Visitor(browser, server[0], DESKTOP) for _ in range(2))
    for k, visitor in enumerate((first, second)):
        (tmp_path / str(k)).mkdir()
        visitor.open(saved(tmp_path / str(k), picture_of(8, 8, seed=k)))
        visitor.paint()
    first.samples(16)
    first.run("timesteps=700,400 fit_steps=30 refinement_steps=20")
    first.says("#fill-status", "Fitting")
    second.run()
    second.says("#fill-status", "Waiting: 1 run before yours.")
    first.says("#fill-status", "Done: 16 completions.")
    second.says("#fill-status", "Done: 4 completions.")
    rooms = [room for room in server[1].sessions.all() if room.filling is not None and room.filling.count in (4, 16)]
    seen = {room.filling.count: room.filling.scene.base.tobytes() for room in rooms[-2:]}
    assert seen == {16: picture_of(8, 8, seed=0).image.tobytes(), 4: picture_of(8, 8, seed=1).image.tobytes()}
    first.page.close()
    second.page.close()


@pytest.mark.slow
@pytest.mark.long
def test_keep_one_go_on_from_it_and_download(visitor, file):
    visitor.open(file)
    visitor.paint()
    visitor.run()
    visitor.says("#fill-status", "Done: 4")
    visitor.sees(4)
    page = visitor.page
    page.click("#fill-pack")
    page.wait_for_selector("#fill-file a[href*='vipaint-a.zip']")
    page.click("#fill-keep")
    visitor.says(".toast-body", "Click on a completion first")
    page.locator("#fill-gallery button:has(img)").first.click()
    visitor.says("#fill-status", "is chosen")
    page.click("#fill-keep")
    visitor.says("#fill-status", "is the picture now")
    visitor.says("#said", "There is no hole yet")


@pytest.mark.slow
@pytest.mark.long
def test_another_size_is_shown_before_it_is_filled(visitor, tmp_path):
    visitor.open(saved(tmp_path, picture_of(40, 24, "RGB")))
    visitor.says("#said", "no hole yet")
    page = visitor.page
    page.get_by_label("Turn it grey").check()
    page.locator("#source").get_by_label("A box").check()
    for name, value in (("From the left", 10), ("From the top", 8), ("Width", 6), ("Height", 6)):
        page.get_by_label(name, exact=True).fill(str(value))
        page.get_by_label(name, exact=True).press("Enter")
    visitor.says("#said", "choose what is to be done")
    page.locator("#how").get_by_label("Take the square in its middle").check()
    visitor.says("#said", "The square in the middle is turned grey, and made 8x8")
    page.locator("#how").get_by_label("Keep its size: fill only").check()
    visitor.says("#said", "only the hole is put back")
    visitor.run()
    visitor.says("#fill-status", "Done: 4")


@pytest.mark.slow
@pytest.mark.long
def test_a_hole_that_is_missing_is_asked_for(visitor, file):
    visitor.open(file)
    visitor.run()
    visitor.says("#fill-status", "There is no hole yet")
    assert visitor.page.locator("#fill-go").is_enabled()


@pytest.mark.slow
@pytest.mark.long
def test_the_lesson_answers(visitor):
    page = visitor.page
    page.get_by_role("tab", name="Known answers").click()
    page.wait_for_selector("#lesson-figure img")
    before = visitor.says("#lesson-said", "overlap")
    page.locator("#lesson-guide").get_by_label("one Gaussian at T_s").check()
    said = "document.querySelector('#lesson-said').innerText"
    page.wait_for_function(f"before => {said}.includes('overlap') && {said} != before", arg=before)


@pytest.mark.slow
@pytest.mark.long
def test_a_photograph_is_filled_square_by_square(browser, tmp_path):
    """The model is chosen and said; which square is at work; of a phone nothing is wider."""
    with served({"tiny": tiny_pipe(), "photo-patches": tiny_pipe(3)}, write_filling) as (url, house):
        visitor = Visitor(browser, url, PHONE)
        visitor.open(saved(tmp_path, picture_of(40, 24, "RGB")))
        visitor.says("#said", "photo-patches, a model of photographs, is chosen for this picture")
        page = visitor.page
        assert page.get_by_label("Model (the prior)").first.input_value() == "photo-patches"
        page.locator("#source").get_by_label("A box").check()
        for name, value in (("From the left", 3), ("From the top", 9), ("Width", 17), ("Height", 1)):
            page.get_by_label(name, exact=True).fill(str(value))
            page.get_by_label(name, exact=True).press("Enter")
        assert "is chosen" in visitor.says("#said", "3 squares along the hole")
        assert visitor.width() <= 0
        visitor.samples(2)
        visitor.run("timesteps=700,400 fit_steps=3 refinement_steps=80")
        visitor.says("#fill-status", "(square 1 of 3)")
        visitor.says("#fill-status", "Done: 2 completions.")
        visitor.sees(2)
        (filling,) = [room.filling for room in house.sessions.all() if room.filling is not None]
        assert filling.facts["automatic_prior"] and filling.picture(0).size == (40, 24)
        assert visitor.width() <= 0 and not visitor.failed
        page.close()
