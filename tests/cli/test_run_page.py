"""A run's page: all that was asked, nothing from outside, words beside every picture."""

import re
from html.parser import HTMLParser
from pathlib import Path

import click
import PIL.Image
import pytest
import torch

from vipaint_pyro.cli.command import keep_command
from vipaint_pyro.cli.run_page import run_page
from vipaint_pyro.cli.shown import shown_bound, shown_levels, shown_samples

pytestmark = pytest.mark.drawn

FACTS = {
    "image": "folder/photo.png", "prior": "cartoon-faces", "method": "vipaint", "label": 1, "label_name": "a <b>",
    "prompt": None,
    "hidden_fraction": 0.25, "fit": {"steps": 20, "ended": "settled"}, "seconds": {"fit": 3.25},
    "settings": {"fit_steps": 50, "timesteps": [9, 5]}, "versions": {"torch": "2"},
    "to_the_truth": {"lpips_alex_composite": [0.1234, 0.2, 0.3], "psnr_db_raw": [1.0, 2.0, 3.0]},
}  # fmt: skip


class Read(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture
def place(tmp_path):
    for name in ("observed", "sample-00", "sample-01", "sample-02"):
        PIL.Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_page_says_what_was_asked_and_shows_every_picture_with_words(place):
    x = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    observed = PIL.Image.new("RGB", (4, 4))
    shown = {
        **shown_samples(x, observed, None, torch.ones(1, 4, 4, dtype=torch.bool)),
        **shown_levels({9: x, 5: x}, x, observed),
        **shown_bound({"y": torch.tensor([3.0, 2.0]), "z_5": torch.tensor([1.0, 0.5])}, (9, 5)),
    }
    assert [*shown] == ["grid", "spread", "directions", "levels", "bound"]
    for name, one in shown.items():
        one.figure.savefig(place / f"{name}.png", dpi=20)
    context = click.Context(click.Command("vipaint"))
    keep_command(context, ["inpaint", "a photo.png", "--seed", "1"])
    with context:
        page = run_page(place, Path("some where"), FACTS, shown=shown, order=[2, 0, 1], drawn_from=True)
    read = Read(page)
    assert "25.0 % of photo.png was hidden." in read.words and "in 20 steps" in read.words and "a <b>" in read.words
    images = read.all("img")
    assert len(images) == 1 + 3 + 4  # the grid is left out: its samples are there
    assert all(i["alt"] and i["src"].startswith("data:image/png;base64,") for i in images)
    assert [i["alt"] for i in images][1:4] == ["Sample 2", "Sample 0", "Sample 1"]
    assert "Sample 0: LPIPS 0.123" in read.words and "PSNR 1" not in read.words  # raw ones are not what is shown
    assert "at its end, in nats per dimension: reconstruction 2, KL at 5 0.5" in page
    assert "vipaint draw 'some where' --samples 16" in read.words
    assert "vipaint inpaint 'a photo.png' --seed 1" in read.words
    assert "timesteps" in read.words and "3.25" not in page  # no two runs share their seconds
    assert not read.all("script") and not read.all("link") and not re.search(r"https?://|file:", page)


@pytest.mark.parametrize(
    "correction, said, unsaid",
    [
        ({}, ["The first two are those that differ most"], "Weights"),
        (
            {"log_evidence": [-3.25], "ess": [5.5], "ancestors": [4], "collapsed": [0]},
            ["differ most", "log p(y) -3.25; particles that count, where they are fewest 5.5; draws that the samples"],
            "not to be relied on",
        ),
        (
            {"ancestors": [1], "collapsed": [1], "ess": [1.0]},
            ["All go back to one weighed draw", "take more."],
            "that differ",
        ),
        ({"ancestors": [3], "collapsed": [2], "ess": [1.0]}, ["differ most", "not to be relied on"], "All go"),
        ({"k_hat": [0.8125]}, ["Weights: Pareto k 0.812."], "relied"),
        ({"k_hat": [None], "ess": [2.0]}, ["where they are fewest 2; Pareto k not known."], "relied"),
    ],
)
def test_what_weights_say_is_on_the_page(place, correction, said, unsaid):
    words = Read(run_page(place, place, {**FACTS, "correction": correction}, order=[0, 1, 2])).words
    assert all(text in words for text in said) and unsaid not in words


def test_a_method_without_settings_has_none(place):
    page = run_page(place, place, {**FACTS, "settings": {}, "method": "estimate"}, order=[0])
    assert "There are none." in page and "Not known" not in page


def test_a_fit_has_no_samples_and_is_drawn_from(place):
    page = run_page(place, place / "fit", {**FACTS, "to_the_truth": None}, drawn_from=True)
    assert "A guide fitted to photo.png" in page and "Completions, drawn from this fit" in page
    assert len(Read(page).all("img")) == 1 and "were drawn" not in page


def test_a_square_says_that_it_is_a_part_of_the_picture(place):
    page = run_page(place, place, {**FACTS, "region": {"left": 8}}, order=[0])
    assert "25.0 % of a square of photo.png was hidden." in page and "likely, given that, was drawn" in page
    assert "1 completion of a square of photo.png" in page


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"prompt": "a hat"}, "Asked for was: a hat."),
        ({}, "Asked for was: a &lt;b&gt;."),
        ({"label_name": None}, "Asked for was: class 1."),
        ({"label": None, "label_name": None}, ""),
    ],
)
def test_what_was_asked_for_is_named(place, asked, said):
    page = run_page(place, place, {**FACTS, **asked}, order=[0])
    assert said in page and ("Asked for" in page) == bool(said)


@pytest.mark.parametrize(
    "shown, said",
    [
        ([[5, 6, 105, 56]], "Shown is what lies around it, 100x50 at 5, 6. The files"),
        ([[0, 0, 9, 9], [20, 30, 24, 34]], "around it, side by side: 9x9 at 0, 0; 4x4 at 20, 30. The files"),
    ],
)
def test_of_a_large_picture_the_page_says_what_of_it_is_shown(place, shown, said):
    page = run_page(place, place, {**FACTS, "shown": shown}, order=[0])
    assert said in page and page.count('class="pictures wide"') == (2 if len(shown) > 1 else 0)


def test_regions_have_pages_of_their_own(place):
    page = run_page(place, place, FACTS, order=[0, 1, 2], regions=["region-1", "region-2/sample-00"])
    assert [a["href"] for a in Read(page).all("a") if "region" in a["href"]][1:] == [
        "region-1/report.html", "region-2/sample-00/report.html",
    ]  # fmt: skip
    assert "region 1</a>" in page and "region 2, sample 0</a>" in page and "goes on from sample 0" in page
    assert "vipaint draw" not in page


def test_large_pictures_are_made_smaller_in_the_page_alone(place):
    PIL.Image.new("RGB", (1300, 650)).save(place / "sample-00.png")
    first, *_ = [i for i in Read(run_page(place, place, FACTS, order=[0])).all("img") if i["alt"] == "Sample 0"]
    assert (first["width"], first["height"]) == ("640", "320")


def test_one_sample_has_no_spread_on_the_page_and_equal_ones_no_directions():
    observed = PIL.Image.new("L", (2, 2))
    assert not any(s.head for s in shown_samples(torch.zeros(1, 1, 2, 2), observed, None, None).values())
    assert "directions" not in shown_samples(torch.zeros(2, 1, 2, 2), observed, None, None)


def words_of(place, facts, count, **more):
    """What a page says, in one line."""
    return " ".join(Read(run_page(place, place, facts, order=[*range(count)], **more)).words.split())


@pytest.mark.parametrize(
    "count, head, said",
    [
        (1, "The completion", "It is one draw from the posterior: another one"),
        (2, "The completions", "Each is a draw from one and the same posterior"),
        (3, "The most different first", "The first two are those that differ most; each one after them"),
    ],
)
def test_of_few_samples_no_order_is_told(place, count, head, said):
    words = words_of(place, FACTS, count)
    assert head in words and said in words and ("first two" in words) == (count > 2) == ("most different" in words)


def test_the_directions_of_two_are_no_news_on_the_page():
    x = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    observed = PIL.Image.new("L", (4, 4))
    two, three = (shown_samples(x[:n], observed, None, None)["directions"] for n in (2, 3))
    assert not two.head and not two.words and "2 directions" in three.alt


def test_a_restoration_is_called_one(place):
    x = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    observed = PIL.Image.new("L", (4, 4))
    shown = shown_samples(x, observed, None, None, "restoration") | shown_levels({9: x}, x, observed, "restoration")
    for name, one in shown.items():
        one.figure.savefig(place / f"{name}.png", dpi=20)
    facts = {**FACTS, "task": {"name": "deblur"}, "hidden_fraction": None}
    words = words_of(place, facts, 3, shown=shown)
    assert "3 restorations of photo.png" in words and "how the restorations differ" in words
    assert "completion" not in words.lower() and "A restoration is drawn from the most noise" in words


@pytest.mark.parametrize("task, seen", [(None, "is seen"), ({"name": "deblur"}, "was measured")])
def test_of_a_method_without_a_network_no_posterior_is_told(place, task, seen):
    facts = {"image": "photo.png", "prior": "photo-patches", "automatic_prior": True, "method": "telea",
             "guidance_scale": 1.0, "hidden_fraction": 0.25, "label": 1, "label_name": "scene",
             "task": task}  # fmt: skip
    words = words_of(place, facts, 1, regions=["region-1", "region-2/sample-00"])
    assert f"One picture was made of what {seen}, by telea: without a network and without chance" in words
    assert "What telea makes of it is the same every time." in words
    for untrue in ("likely", "drawn", "posterior", "photo-patches", "Asked for", "scene", "guid", "fitted"):
        assert untrue not in words


@pytest.mark.parametrize(
    "more, said",
    [
        ({"ended_early": {"by": "Ctrl-C", "samples": 8}}, "This run was ended early, by Ctrl-C: 2 of 8 samples are"),
        ({"unfilled": [{}], "regions": [{}, {}]}, "1 square of the hole stays unfilled, of 3: there the pictures are"),
        ({"unfilled": [{}, {}], "regions": [{}]}, "2 squares of the hole stay unfilled, of 3: there"),
    ],
)
def test_what_is_missing_is_said_first(place, more, said):
    page = run_page(place, place, {**FACTS, **more}, order=[0, 1])
    assert f"</h1>\n<p>{said}" in page and "25.0 % of photo.png was hidden." in page
