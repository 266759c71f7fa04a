"""Folders are replaced whole or not at all, whatever happens in the middle."""

import errno
import os
import resource
import shutil
import signal
import subprocess

import pytest
import torch

from tests.files.common import names
from tests.kills import forked
from vipaint_pyro.files import folders, is_scratch, replacing, sweep, write_tensors, write_text


def test_links_are_followed(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "run").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "far" / "a")
    (tmp_path / "run").symlink_to(tmp_path / "far" / "run")
    write_text(tmp_path / "a", "text")
    with replacing(tmp_path / "run") as scratch:
        (scratch / "b").touch()
    assert (tmp_path / "a").is_symlink() and (tmp_path / "far" / "a").read_text() == "text"
    assert (tmp_path / "run").is_symlink() and names(tmp_path / "far" / "run") == ["b"]
    assert names(tmp_path) == ["a", "far", "run"] and names(tmp_path / "far") == ["a", "run"]


@pytest.fixture
def old(tmp_path):
    """A folder that is there already."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "old").write_text("old")
    return folder


def test_a_folder_replaces_the_old_one(tmp_path, old):
    with replacing(old) as scratch:
        (scratch / "new").touch()
        assert names(old) == ["old"]
    assert names(old) == ["new"] and names(tmp_path) == ["run"]
    with replacing(str(tmp_path / "made" / "run")) as scratch:
        (scratch / "new").touch()
    assert names(tmp_path / "made") == ["run"] and names(tmp_path / "made" / "run") == ["new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_folder_survives_an_exception(tmp_path, old, error):
    with pytest.raises(error), replacing(old) as scratch:
        (scratch / "new").touch()
        raise error
    assert names(old) == ["old"] and names(tmp_path) == ["run"]


@pytest.fixture(params=["exchanged", "refilled"])
def way(request, monkeypatch, old):
    """Both ways: in one step, and by its contents, as where a folder is mounted."""
    if request.param == "refilled":
        monkeypatch.setattr(folders.os.path, "ismount", lambda path: str(path) == str(old))
    return request.param


def fill(old, error=None):
    with replacing(old) as scratch:
        for name in ("a", "b"):
            (scratch / name).write_text("new")
        if error is not None:
            raise error


def state(folder):
    return {p.name: p.read_text() for p in folder.iterdir() if not is_scratch(p)}


OLD, NEW = {"c": "old", "old": "old"}, {"a": "new", "b": "new"}


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_folder_survives_a_signal_at_everything_it_does(tmp_path, old, way, by):
    """Old or new, whole; and no scratch, once another has looked."""
    (old / "c").write_text("old")
    status, count, _ = forked(lambda: fill(old))
    assert status == 0 and state(old) == NEW and names(tmp_path) == ["run"] and count > 20
    seen = set()
    for at in range(1, count + 1):
        shutil.rmtree(old)
        old.mkdir()
        for name in OLD:
            (old / name).write_text("old")
        ended, *_ = forked(lambda: fill(old), at, by)
        assert ended in (-signal.SIGKILL, 130), ended
        if way == "exchanged" or by == signal.SIGINT:
            assert state(old) in (OLD, NEW), at
        sweep(tmp_path)
        sweep(old)
        assert state(old) in (OLD, NEW) and not [p for p in tmp_path.rglob("*") if is_scratch(p)], at
        seen.add(len(state(old)) and "old" in state(old))
    assert seen == {True, False}


def test_contents_are_put_back_where_they_cannot_be_moved(tmp_path, old, monkeypatch):
    (old / "b").write_text("old")
    monkeypatch.setattr(folders.os.path, "ismount", lambda path: str(path) == str(old))
    move, calls = os.replace, []

    def failing(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.EIO, "no", str(source))
        move(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="no"):
        fill(old)
    assert names(tmp_path) == ["run"] and state(old) == {"b": "old", "old": "old"}


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.ENOSYS, errno.EROFS])
def test_a_folder_that_turns_out_immovable_is_refilled(tmp_path, old, monkeypatch, number):
    def refuse(one, other):
        raise OSError(number, "no")

    monkeypatch.setattr(folders, "_exchange", refuse)
    before = old.stat().st_ino
    fill(old)
    assert state(old) == NEW and old.stat().st_ino == before and names(tmp_path) == ["run"]
    with pytest.raises(FileExistsError), replacing(old, overwrite=lambda _: False):
        pass
    assert state(old) == NEW and names(tmp_path) == ["run"]


def mounted(folder, *options):
    """Mount a small disk there; skips where that is not allowed."""
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "none", folder], capture_output=True)
    if done.returncode:
        pytest.skip("disks cannot be mounted here")


def test_a_mounted_folder_is_refilled(tmp_path, old):
    mounted(old)
    try:
        (old / "old").write_text("old")
        fill(old)
        assert state(old) == NEW and names(tmp_path) == ["run"]
        with pytest.raises(ValueError):
            fill(old, ValueError())
        assert state(old) == NEW
    finally:
        subprocess.run(["umount", old], check=True)


def test_a_bound_folder_is_refilled(tmp_path, old):
    """Which the same disk holds, so that nothing tells it from another folder but that it cannot be moved."""
    (tmp_path / "far").mkdir()
    if subprocess.run(["mount", "--bind", tmp_path / "far", old], capture_output=True).returncode:
        pytest.skip("folders cannot be bound here")
    try:
        (old / "old").write_text("old")
        fill(old)
        assert state(tmp_path / "far") == NEW and names(tmp_path) == ["far", "run"]
    finally:
        subprocess.run(["umount", old], check=True)


def test_the_folder_one_is_in_is_refilled(tmp_path, old, monkeypatch):
    monkeypatch.chdir(old)
    fill(".")
    assert state(old) == NEW and os.path.samefile(os.getcwd(), old) and names(tmp_path) == ["run"]


@pytest.mark.parametrize("answers", [[False], [True, False]])
def test_the_folder_one_is_in_is_refilled_only_where_it_may_be(tmp_path, old, monkeypatch, answers):
    """Also where the second look, after its contents are moved, finds others."""
    monkeypatch.chdir(old)
    given = iter(answers)
    with pytest.raises(FileExistsError, match="run exists already, and is not overwritten"):
        with replacing(".", lambda _: next(given)) as scratch:
            (scratch / "new").touch()
    assert state(old) == {"old": "old"} and names(tmp_path) == ["run"] and not [*given]
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with replacing(".", overwrite=False) as scratch:
        (scratch / "new").touch()
    assert names(tmp_path / "empty") == ["new"]


def test_the_files_of_a_folder_reach_the_disk_before_its_name_does(tmp_path, monkeypatch):
    done, (sync, move) = [], (os.fsync, os.rename)
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.fstat(file).st_size), sync(file)))
    monkeypatch.setattr(os, "rename", lambda a, b: (done.append("moved"), move(a, b)))
    with replacing(tmp_path / "run") as scratch:
        (scratch / "new").write_text("four")
    assert done == [4, "moved"]


def test_a_full_disk_is_one_line_and_leaves_the_old(tmp_path, old):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # a file that may not grow
    try:
        for write in (
            lambda path: path.write_bytes(bytes(9999)),
            lambda path: write_tensors(path, {"a": torch.zeros(9999)}),
        ):
            with pytest.raises(OSError) as error, replacing(old) as scratch:
                write(scratch / "a")
            assert str(error.value) == f"{old} cannot be written: File too large. What was there is as it was"
        with pytest.raises(OSError, match="a.st cannot be written: File too large"):
            write_tensors(tmp_path / "a.st", {"a": torch.zeros(9999)})
        with pytest.raises(OSError, match="a.txt cannot be written: File too large"):
            write_text(tmp_path / "a.txt", "a" * 9999)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert state(old) == {"old": "old"} and names(tmp_path) == ["run"]


def test_a_really_full_disk(tmp_path, old):
    mounted(old, "-o", "size=64k")
    try:
        (old / "old").write_text("old")
        with pytest.raises(OSError, match="run cannot be written: No space left on device"), replacing(old) as scratch:
            (scratch / "a").write_bytes(bytes(10**6))
        assert state(old) == {"old": "old"}
        with pytest.raises(OSError, match="old cannot be written: No space left on device"):
            write_tensors(old / "old", {"a": torch.zeros(10**5)})
        assert state(old) == {"old": "old"}
    finally:
        subprocess.run(["umount", old], check=True)


def test_what_is_no_longer_what_was_to_be_replaced_is_kept(tmp_path, old):
    """Also where another process puts it there in the last moment."""
    looks = []

    def once(folder):  # the first look is before the two change places, the second after it
        looks.append(folder)
        return len(looks) == 1

    with pytest.raises(FileExistsError, match="run exists already, and is not overwritten"):
        with replacing(old, once) as scratch:
            (scratch / "new").touch()
    assert state(old) == {"old": "old"} and names(tmp_path) == ["run"] and len(looks) == 2


def test_a_folder_does_not_replace_a_file(tmp_path):
    (tmp_path / "run").write_text("a file")
    for overwrite in (True, False):
        with pytest.raises(OSError, match=r"exists"), replacing(tmp_path / "run", overwrite):
            pass
    assert (tmp_path / "run").read_text() == "a file" and names(tmp_path) == ["run"]


def test_without_overwrite_only_an_empty_folder_is_replaced(tmp_path, old):
    with pytest.raises(FileExistsError, match="run exists already, and is not overwritten"):
        with replacing(old, overwrite=False) as scratch:
            (scratch / "new").touch()
    assert names(old) == ["old"] and names(tmp_path) == ["run"]
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        with replacing(tmp_path / name, overwrite=False) as scratch:
            (scratch / "new").touch()
        assert names(tmp_path / name) == ["new"]
    with pytest.raises(FileExistsError), replacing(tmp_path / "late", overwrite=False):
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "old").touch()  # while the new one was being filled
    assert names(tmp_path / "late") == ["old"] and names(tmp_path) == ["empty", "late", "none", "run"]
