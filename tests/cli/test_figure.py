"""``vipaint figure``: the registry and the command agree; bad input is one line, before anything is computed."""

import json
import re
from dataclasses import fields, replace

import PIL.Image
import pytest
from click.testing import CliRunner

from tests.evaluation.figures.common import plan_of, tiny_scene
from tests.files.common import names
from vipaint_pyro.cli import figure as command
from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.figures import FIGURES, Plan
from vipaint_pyro.evaluation.figures import scene as scenes
from vipaint_pyro.evaluation.figures.registry import LATENT
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.priors import DiffusionPrior
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN

pytestmark = pytest.mark.drawn


def vipaint(*words):
    return CliRunner().invoke(main, ["figure", *map(str, words)])


@pytest.fixture
def tiny(tmp_path, monkeypatch, network_prior):
    """An empty folder, and tiny figures in place of the real ones."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def scene_of(*arguments):
        asked.append(arguments)
        return tiny_scene(network_prior, 4)

    monkeypatch.setattr(scenes, "scene_of", scene_of)
    monkeypatch.setitem(FIGURES, 4, replace(FIGURES[4], quick=plan_of(4)))
    return asked


@pytest.fixture
def nothing_is_computed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "scene_of", lambda *_: pytest.fail("pictures were read"))


def test_the_command_has_an_option_for_all_that_a_plan_holds():
    options = {p.name: p for p in command.figure.params}
    open_ = {f.name for f in fields(Plan)} - {"num_labels", "settings"}
    assert open_ == set(command._OF_THE_PLAN) <= options.keys()
    assert set(options["prior"].type.choices) == {name for known in FIGURES.values() for name in known.priors}
    assert options["first"].default == 200


@pytest.mark.parametrize(
    "words, said",
    [((5, "--methods", "blended,psld"), "psld needs a latent prior, but fashion-mnist is a pixel prior"),
     ((7, "--baseline", "resample", "--prior", "fashion-mnist"), "resample needs a latent prior"),
     ((6, "--methods", "pigdm"), "pigdm needs a pixel prior, but cartoon-faces is a latent prior")],
)  # fmt: skip
def test_a_method_for_other_priors_is_refused_before_anything_is_read(nothing_is_computed, words, said):
    done = vipaint(*words, "--out", "f.png")
    assert done.exit_code == 1 and said in done.output and done.output.count("\n") == 1, done.output


@pytest.mark.parametrize("name", BUILT_IN)
def test_which_priors_are_latent(name):
    assert DiffusionPrior.from_pretrained(name).is_latent == (name in LATENT)


def test_the_list_is_the_registry():
    listed = vipaint("--list")
    assert listed.exit_code == 0
    assert [int(n) for n in re.findall(r"^  (\d+) ", listed.output, re.MULTILINE)] == [2, 4, 5, 6, 7, 9, 10, 24]
    for number, known in FIGURES.items():
        assert known.number == number and known.title in listed.output and callable(known.draw)
        assert ", ".join(f"--{name}" for name in known.quick.options()) in listed.output
        assert known.quick.options() == known.full.options() and set(known.priors) <= set(BUILT_IN)
        assert known.masks in (*MASKS, "upper half")


def test_picture_and_numbers_are_written(tiny, tmp_path):
    done = vipaint(4, "--out", "new/a b.png", "--seed", 3, "--data", "else where", "--quiet")
    assert done.exit_code == 0 and done.output == "wrote new/a b.png and new/a b.json\n"
    assert [str(a) for a in tiny[0]] == ["fashion-mnist", "rotated", "1", "200", "3", "else where"]
    assert names(tmp_path / "new") == ["a b.json", "a b.png"]
    said = json.loads((tmp_path / "new" / "a b.json").read_text())
    assert said["command"] == "vipaint figure 4 --out 'new/a b.png' --seed 3 --data 'else where' --quiet"
    assert said["prior"] == "fashion-mnist" and said["plan"]["iterations"] == [1, 3]
    with PIL.Image.open(tmp_path / "new" / "a b.png") as picture:
        assert picture.format == "PNG"
    again = vipaint(4, "--out", "new/a b.png", "--quiet")
    assert again.exit_code == 1
    assert "is there already; choose another --out, or replace it with --overwrite" in again.output
    (tmp_path / "new" / "a b.png").unlink()
    assert "a b.json is there already" in vipaint(4, "--out", "new/a b.png", "--quiet").output
    other = vipaint(4, "--out", "new/a b.pdf", "--quiet", "--overwrite", "--iterations", "2", "--samples", 1)
    assert other.exit_code == 0, other.output
    assert (tmp_path / "new" / "a b.pdf").read_bytes().startswith(b"%PDF")
    said = json.loads((tmp_path / "new" / "a b.json").read_text())
    assert said["plan"]["iterations"] == [2] and said["plan"]["samples"] == 1


def test_nothing_is_left_of_a_figure_that_was_stopped(tiny, tmp_path, monkeypatch):
    from vipaint_pyro.evaluation.figures.watch import Watch

    def of(self, name):
        def on_step(progress):
            if progress.phase == "refinement":
                raise KeyboardInterrupt

        return on_step

    monkeypatch.setattr(Watch, "of", of)
    done = vipaint(4, "--out", "x.png")
    assert done.exit_code == 1 and "stopped by Ctrl-C: nothing was written" in done.output and names(tmp_path) == []


def test_neither_is_written_where_one_cannot_be(tiny, tmp_path, monkeypatch):
    import vipaint_pyro.evaluation.figures.drawing as drawing

    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "x.png").write_text("old")
    (tmp_path / "x.json").write_text("old")
    monkeypatch.setattr(drawing, "write_picture", full)
    done = vipaint(4, "--out", "x.png", "--overwrite", "--quiet")
    assert done.exit_code == 1 and "No space left" in done.output and names(tmp_path) == ["x.json", "x.png"]
    assert {(tmp_path / name).read_text() for name in names(tmp_path)} == {"old"}


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "give either the NUMBER of a figure, or --list"),
        ((4, "--list"), "give either the NUMBER of a figure, or --list"),
        ((3, "--out", "x.png"), "there is no figure 3: there are 2, 4, 5, 6, 7, 9, 10, 24"),
        ((4,), "--out is missing"),
        ((4, "--out", "x.gif"), "--out is a picture, NAME.png or NAME.pdf, but is 'x.gif'"),
        ((4, "--out", "x.png", "--images", 3), "--images is of other figures: leave it out, this one has samples, "),
        ((5, "--out", "x.png", "--samples", 3), "--samples is of other figures"),
        ((4, "--out", "x.png", "--samples", 0), "--samples is a whole number of at least 1, but is 0"),
        ((4, "--out", "x.png", "--iterations", "50,10"), "--iterations is a list of ascending whole numbers"),
        ((4, "--out", "x.png", "--iterations", "0,10"), "--iterations is a list of ascending whole numbers"),
        ((5, "--out", "x.png", "--methods", "dps,dbs"), "no method is called 'dbs'. Did you mean 'dps'?"),
        ((5, "--out", "x.png", "--methods", ","), "--methods is a list of at least one, but is empty"),
        ((5, "--out", "x.png", "--methods", "dps,dps"), "--methods is a list of different ones, but is dps, dps"),
        ((5, "--out", "x.png", "--prior", "cartoon-faces"), "figure 5 is of fashion-mnist, not of cartoon-faces"),
        ((7, "--out", "x.png", "--baseline", "vipaint"), "--baseline is a method other than vipaint"),
        ((4, "--out", "/proc/none/x.png"), "is not writable"),
    ],
)
def test_bad_input_is_one_line(nothing_is_computed, tmp_path, words, said):
    done = vipaint(*words)
    assert done.exit_code == 1 and done.output.startswith("Error: ") and said in done.output, done.output
    assert done.output.count("\n") == 1 and names(tmp_path) == []


@pytest.mark.parametrize("words", [(4, "--out", ""), (4, "--iterations", "x"), (4, "--first", -1), ("four",)])
def test_what_is_no_value_is_a_usage_error(nothing_is_computed, words):
    assert vipaint(*words).exit_code == 2
