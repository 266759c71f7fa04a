"""``vipaint inpaint`` without --prior: which is taken, and how it is said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from diffusers import DDPMScheduler

from tests.cli.calls import FEW, vipaint
from tests.cli.test_regions import hide, picture
from tests.conftest import tiny_unet
from vipaint_pyro.datasets.shares import SHARES
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN


def asked(*more):
    return vipaint("inpaint", "large.png", "hole.png", *FEW, "--out", "out", *more)


@pytest.fixture
def patches(here, monkeypatch):
    """A tiny prior in the place of the automatic one, with its classes."""
    network, scheduler = tiny_unet(classes=5), DDPMScheduler(clip_sample=False)
    VIPaintPipeline(network, scheduler, null_class=4, class_names=[*SHARES]).save_pretrained("patches")
    table = {**BUILT_IN, "patches": replace(BUILT_IN["photo-patches"], size=(8, 8))}
    monkeypatch.setattr("vipaint_pyro.priors.pretrained.automatic.AUTOMATIC", "patches")
    monkeypatch.setattr("vipaint_pyro.priors.pretrained.automatic.BUILT_IN", table)
    monkeypatch.setattr("vipaint_pyro.cli.whole.write_run", lambda out, *_: out.mkdir(parents=True))


def test_a_picture_of_another_size_is_filled_in_tiles_and_it_is_said(patches):
    picture("L")
    hide((9, 8, 13, 12))
    done = asked()
    assert done.exit_code == 0, done.output
    assert "no --prior is given: patches, a prior of photographs, fills it by --region tiles" in done.stderr
    assert "region 1 of 1: 8x8 at 7,6 of 24x20, the prior's size; label scene, by its share" in done.stdout
    facts = json.loads(Path("out/run.json").read_text())
    assert facts["automatic_prior"] is True and facts["prior"] == "patches" and "label" not in facts
    assert facts["regions"] == [
        {"left": 7, "top": 6, "side": 8, "filled": 16, "sees": [], "fits": 1, "label": 3}
    ]  # fmt: skip


def test_a_method_without_a_network_asks_the_prior_for_its_size_alone(patches):
    picture("L")
    hide((2, 8, 16, 10))
    done = vipaint("inpaint", "large.png", "hole.png", "--method", "estimate", "--quiet", "--out", "out")
    assert done.exit_code == 0, done.output
    said = "no --prior is given: estimate, which calls no network, fills it by --region tiles, at the size that patches"
    assert said in done.stderr and "a prior of photographs" not in done.stderr
    assert "the prior's size\n" in done.stdout and "label" not in done.stdout and " fit" not in done.stdout
    assert "; sees what regions 1, 2 filled\n" in done.stdout
    assert not {"label", "label_name"} & json.loads(Path("out/run.json").read_text())["regions"][0].keys()


def test_its_name_does_the_same(patches):
    picture("L")
    hide((9, 8, 13, 12))
    done = asked("--prior", "patches")
    assert done.exit_code == 0, done.output
    assert "region 1 of 1: 8x8 at 7,6 of 24x20, the prior's size; label scene, by its share" in done.stdout
    facts = json.loads(Path("out/run.json").read_text())
    assert "automatic_prior" not in facts and "label" not in facts
    assert facts["regions"] == [
        {"left": 7, "top": 6, "side": 8, "filled": 16, "sees": [], "fits": 1, "label": 3}
    ]  # fmt: skip


@pytest.mark.parametrize("name, warned", [("cartoon-faces", True), ("photo-patches", False), ("prior", False)])
def test_tiles_of_a_prior_that_knows_whole_pictures_are_warned_of(here, monkeypatch, name, warned):
    picture("L")
    hide((9, 8, 13, 12))
    monkeypatch.setattr("vipaint_pyro.cli.regions.run_in_regions", lambda *_, **__: None)
    done = asked("--prior", name, "--region", "tiles")
    text = "Warning: cartoon-faces knows whole cartoon faces alone, and --region tiles shows it pieces of a picture: "
    assert done.exit_code == 0 and (f"{text}--prior photo-patches is the one for pieces\n" in done.stderr) == warned
    assert "Warning" not in asked("--prior", name, "--region", "auto").stderr
    plain = vipaint("inpaint", "large.png", "hole.png", "--prior", name, "--region", "tiles", "--method", "estimate")
    assert plain.exit_code == 0 and "Warning" not in plain.stderr


@pytest.mark.parametrize(
    "method, more, said", [("fsr", [], True), ("fsr", ["--set", "fast=yes"], False), ("telea", [], False)]
)
def test_a_slow_fill_says_so_first(here, monkeypatch, method, more, said):
    picture("L")
    hide((9, 8, 13, 12))
    monkeypatch.setattr("vipaint_pyro.cli.regions.run_in_regions", lambda *_, **__: None)
    done = vipaint("inpaint", "large.png", "hole.png", "--method", method, *more, "--out", "out")
    assert done.exit_code == 0, done.output
    assert ("fsr may take minutes where holes are large: --set fast=true is ten times" in done.stderr) == said


def test_what_is_asked_for_is_done(patches):
    picture("L")
    hide((9, 8, 13, 12))
    done = asked("--region", "4,4,12,12", "--label", "part")
    assert done.exit_code == 0 and "resized to 8x8\n" in done.stdout and "fills it\n" in done.stderr, done.output
    facts = json.loads(Path("out/run.json").read_text())
    assert facts["regions"] == [{"left": 4, "top": 4, "side": 12, "label": 1}]


@pytest.mark.parametrize("more, called", [(["--resize", "fit"], "run_resized"), (["--expand", "1,1,1,1"], "auto")])
def test_another_way_is_kept(patches, monkeypatch, more, called):
    picture("L")
    hide((9, 8, 13, 12))
    ways = []
    monkeypatch.setattr("vipaint_pyro.cli.regions.run_resized", lambda *_, **__: ways.append("run_resized"))
    monkeypatch.setattr("vipaint_pyro.cli.regions.run_in_regions", lambda _, region, *__, **___: ways.append(region))
    assert asked(*more).exit_code == 0 and ways == [called]


@pytest.mark.parametrize("side, names", [(28, ["fashion-mnist"]), (64, ["photo-patches", "cartoon-faces"])])
def test_a_size_that_several_may_be_meant_for_asks_for_a_choice(here, monkeypatch, side, names):
    monkeypatch.setattr("vipaint_pyro.pipelines.vipaint.VIPaintPipeline.from_pretrained", None)
    picture("L", (side, side))
    hide((9, 8, 13, 12), size=(side, side))
    for more in ([], ["--region", "auto"], ["--expand", "1,1,1,1"]):
        done = asked(*more)
        assert done.exit_code == 1 and done.stderr.count("\n") == 1, done.output
        assert f"a picture of {side}x{side}" in done.stderr
        assert done.stderr.rstrip().endswith(" or ".join(f"--prior {name}" for name in names))
    assert not Path("out").exists()


def test_the_other_commands_want_a_prior(here):
    for command in (["fit", "image.png", "mask.png", "--out", "new"], ["restore", "image.png", "--task", "deblur"]):
        done = vipaint(*command)
        assert done.exit_code == 2 and "'--prior'" in done.stderr


def test_help_says_what_is_taken():
    text = " ".join(vipaint("inpaint", "--help").output.split())
    assert "Default: photo-patches, but for pictures of 28x28 and 64x64." in text
