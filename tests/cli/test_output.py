"""The output folder: what is refused at once, what may be replaced, and what two runs at once leave."""

import json
import os
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.files.common import names
from vipaint_pyro.cli.main import main
from vipaint_pyro.cli.output import NamedPath, NameOrPath, check_output, other_names
from vipaint_pyro.files import is_scratch, replacing


def run_in(folder, **more):
    """An earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"settings": {}, "versions": {"vipaint-pyro": "0"}}))
    (folder / "sample-00.png").write_text("old")
    for name, text in more.items():
        (folder / name).write_text(text)
    return folder


def check(folder, overwrite=False, **inputs):
    return check_output(Path(folder), overwrite, inputs)


def test_only_an_earlier_run_may_be_replaced_and_only_when_asked(tmp_path):
    run = run_in(tmp_path / "run")
    with pytest.raises(ValueError, match="holds an earlier run; choose another --out, or replace it with --overwrite"):
        check(run)
    assert check(run, True)(run)
    for name, text in {"run.json": "{}", "other": "mine"}.items():
        folder = tmp_path / f"with-{name}"
        folder.mkdir()
        (folder / name).write_text(text)  # another program's run.json, too
        for overwrite in (True, False):
            with pytest.raises(ValueError, match="has other content; choose another --out"):
                check(folder, overwrite)
    (tmp_path / "empty").mkdir()
    check(tmp_path / "empty")
    check(tmp_path / "deep" / "down")
    assert "deep" not in names(tmp_path) and names(tmp_path / "empty") == []


def test_what_no_run_wrote_is_not_replaced_with_it(tmp_path):
    run = run_in(tmp_path / "run", **{"notes.txt": "mine", "zebra.txt": "mine"})
    with pytest.raises(ValueError, match="holds notes.txt and 1 more, which no run wrote: move it, or choose another"):
        check(run, True)


def test_every_file_of_a_run_is_known_as_one(tmp_path, here):
    from tests.cli.calls import inpaint

    assert inpaint("--out", "out").exit_code == 0
    assert check(here / "out", True)(here / "out")


def test_a_run_that_took_the_earlier_ones_place_is_another(tmp_path):
    run = run_in(tmp_path / "run")
    replaceable = check(run, True)
    with replacing(run) as new:
        run_in(new)
    assert not replaceable(run)
    replaceable = check(run, True)
    (run / "notes.txt").write_text("mine")
    assert not replaceable(run)
    replaceable = check(tmp_path / "none", True)
    run_in(tmp_path / "none")
    assert not replaceable(tmp_path / "none")


@pytest.mark.parametrize("name", ["image", "mask", "prior"])
def test_a_folder_that_holds_what_is_read_is_not_replaced(tmp_path, name):
    run = run_in(tmp_path / "run")
    (tmp_path / "link.png").symlink_to(run / "sample-00.png")
    (tmp_path / "to-run").symlink_to(run)
    for read in (run / "sample-00.png", tmp_path / "link.png", run):
        for out in (run, tmp_path / "to-run"):
            with pytest.raises(ValueError, match=f"holds the {name} .*; choose another --out"):
                check(out, True, **{name: read})
    check(run, True, **{name: tmp_path / "elsewhere.png"})


def test_places_that_cannot_be_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    Path("loop").symlink_to("loop")
    told = {
        "file": "file exists and is no folder",
        "file/x": "cannot be made: .*file is a file",
        "file/x/y": "cannot be made: .*file is a file",
        "a" * 300: "cannot be made: .*File name too long",
        f"new/{'ä' * 200}": "cannot be made: .*File name too long",
        "loop": "leads to itself",
        "loop/x": "cannot be made: .*loop is a link that leads to itself",
        "/": "has other content",
        ".": "has other content",
        "/proc/none": "is not writable",
        "/dev/null": "is no folder",
    }
    for name, words in told.items():
        with pytest.raises(ValueError, match=words):
            check(name)
    assert names(tmp_path) == ["file", "loop"]


def test_a_folder_whose_parent_is_only_read_is_refilled(tmp_path, monkeypatch):
    run = run_in(tmp_path / "run")
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != tmp_path and access(p, mode))
    mkdir = os.mkdir

    def refuse(path, *args, **kwargs):
        if Path(path).parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(os, "mkdir", refuse)
    with replacing(run, check(run, True)) as new:
        run_in(new)
    assert names(run) == ["run.json", "sample-00.png"]
    with pytest.raises(ValueError, match=f"cannot be made: {tmp_path} is not writable .Permission denied"):
        check(tmp_path / "other")


def test_links_lead_to_their_folder(tmp_path):
    run = run_in(tmp_path / "far" / "run")
    (tmp_path / "link").symlink_to(run)
    (tmp_path / "dangling").symlink_to(tmp_path / "far" / "new")
    for link, target in (("link", run), ("dangling", tmp_path / "far" / "new")):
        with replacing(tmp_path / link, check(tmp_path / link, True)) as new:
            run_in(new, **{"grid.png": "new"})
        assert (tmp_path / link).is_symlink() and "grid.png" in names(target)
    assert names(tmp_path) == ["dangling", "far", "link"] and names(tmp_path / "far") == ["new", "run"]


def test_other_names(tmp_path):
    for taken in ("run", "run-2"):
        (tmp_path / taken).mkdir()
    (tmp_path / "run-3").symlink_to("none")
    assert next(other_names(tmp_path / "run")) == tmp_path / "run-4"
    long = next(other_names(tmp_path / ("ä" * 127)))
    assert long.name.endswith("-2") and len(long.name.encode()) < 255


@pytest.mark.parametrize(
    "command",
    [["inpaint", "image.png", "mask.png", "--prior", "prior", "--out", ""],
     ["restore", "image.png", "--task", "deblur", "--prior", "prior", "--out", " "],
     ["demo", "--out", ""], ["exact", "exact", "--out", ""], ["convert", "model.ckpt", "", "--kind", "edm-imagenet64"],
     ["inpaint", "", "mask.png", "--prior", "prior"]],
)  # fmt: skip
def test_an_empty_name_is_no_name(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2 and "the name is empty: name a file or a folder" in done.output, done.output
    assert names(tmp_path) == []


def test_an_empty_folder_one_is_in_takes_the_result(here, tmp_path_factory, monkeypatch):
    from tests.cli.calls import FEW, vipaint

    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(empty)
    given = [here / "image.png", here / "mask.png", "--prior", here / "prior", *FEW, "--out", "."]
    assert vipaint("inpaint", *given).exit_code == 0
    assert "grid.png" in os.listdir() and os.path.samefile(os.getcwd(), empty)
    done = vipaint("inpaint", *given, "--overwrite")
    assert done.exit_code == 0 and not any(is_scratch(p) for p in empty.iterdir())


def test_two_runs_into_one_new_folder_are_both_kept(here, monkeypatch):
    """The other ends in the last moment, while this one writes its files."""
    from tests.cli.calls import inpaint
    from vipaint_pyro.cli import shown

    figure = shown.bound_figure

    def slow(*args):
        run_in(here / "out")
        return figure(*args)

    monkeypatch.setattr(shown, "bound_figure", slow)
    for given in ([], ["--overwrite"]):
        done = inpaint("--out", "out", *given)
        assert done.exit_code == 0, done.output
        assert "Warning: out has other content by now, which stays. The result is kept in out-2" in done.output
        assert names(here / "out") == ["run.json", "sample-00.png"]
        other = here / "out-2"
        assert "wrote " in done.output and (other / "grid.png").exists()
        for folder in (here / "out", other):
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "a home"))
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "a home")


@pytest.mark.parametrize(
    "kind, given, taken",
    [
        (NamedPath(), "~/x y", "{}/x y"),
        (NamedPath(), "~", "{}"),
        (NamedPath(), "a/~/x", "a/~/x"),
        (NameOrPath(), "~/x", "{}/x"),
        (NameOrPath(), "vgg:~/x", "vgg:{}/x"),
        (NameOrPath(), "owner/name", "owner/name"),
        (NameOrPath(), "~nobody-of-this-name/x", "~nobody-of-this-name/x"),
    ],
)
def test_a_tilde_that_the_shell_left_is_ones_home(home, kind, given, taken):
    assert str(kind.convert(given, None, None)) == taken.format(home)


def paths():
    """Options and arguments of all commands that take a path, or a name in its place."""
    words = re.compile(r"[Ff]older|\bfile\b|FILE|Output|Where|hub id|JSON of|The picture,")
    for name, command in main.commands.items():
        for p in command.params:
            if isinstance(p, click.Argument) and isinstance(p.type, click.Path):
                yield name, p
            if isinstance(p, click.Option) and p.name not in NO_PATHS and not p.hidden and words.search(p.help or ""):
                yield name, p


#: That speak of a file, or of a hub id, and are none.
NO_PATHS = {"revision"}


def test_every_path_of_every_command_takes_a_tilde(home):
    texts = (click.types.StringParamType, click.Path, NameOrPath)  # numbers and choices are no paths
    found = [(name, p) for name, p in paths() if isinstance(p.type, texts)]
    assert len(found) > 30
    for name, p in found:
        assert isinstance(p.type, (NamedPath, NameOrPath)), (name, p.name, p.help)


def test_an_output_folder_behind_an_equals_sign_lies_at_home(home, monkeypatch):
    seen = []
    monkeypatch.setattr("vipaint_pyro.cli.main.pictures_of", lambda *given: seen.extend(given))
    monkeypatch.setattr("vipaint_pyro.cli.main.ready", lambda *_: None)
    CliRunner().invoke(main, ["inpaint", "~/a b.png", "~/m.png", "--prior", "x", "--out=~/out"])
    assert seen[:2] == [Path(home) / "a b.png", Path(home) / "m.png"]
