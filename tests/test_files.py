"""Files and folders are written whole or not at all, whatever happens in the middle."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from vipaint_pyro import files
from vipaint_pyro.files import check_folder, replacing, replacing_file, write_tensors, write_text


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def permissions(path):
    return path.stat().st_mode & 0o777


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def started(code, *arguments):
    """Another Python that runs this, with its output to be read."""
    command = [sys.executable, "-c", f"import os, sys, time\n{code}", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed(code, *arguments):
    """Run this up to where it says "now", and kill it there."""
    with started(code, *arguments) as process:
        assert process.stdout.readline() == "now\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL


# -- a file ------------------------------------------------------------------------------------------


def test_a_file_is_written_in_a_folder_that_is_made(tmp_path):
    write_text(tmp_path / "made" / "a.txt", "grün\n")
    assert (tmp_path / "made" / "a.txt").read_bytes() == "grün\n".encode()
    write_text(str(tmp_path / "made" / "a.txt"), "new")
    assert (tmp_path / "made" / "a.txt").read_text() == "new"
    assert names(tmp_path / "made") == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_file_survives_an_exception(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error), replacing_file(path) as scratch:
        assert scratch.parent == tmp_path and scratch != path
        assert not [*tmp_path.glob("*.json")][1:]  # a pattern finds no half of a file
        scratch.write_text("half")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["a.json"]


def test_nothing_is_left_where_there_was_nothing(tmp_path):
    with pytest.raises(ValueError), replacing_file(tmp_path / "a"):
        raise ValueError
    with pytest.raises(ValueError), replacing_file(tmp_path / "a") as scratch:
        scratch.unlink()
        raise ValueError
    assert names(tmp_path) == []


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    killed(
        "from vipaint_pyro.files import replacing_file\n"
        "with replacing_file(sys.argv[1]) as scratch:\n"
        "    scratch.write_text('half'); print('now', flush=True); time.sleep(60)",
        path,
    )
    assert path.read_text() == "old"
    left = [name for name in names(tmp_path) if name != "a"]
    assert len(left) == 1 and left[0].startswith(".a.") and left[0].endswith(".partial")
    write_text(path, "new")  # which is in nobody's way
    assert path.read_text() == "new"


def test_two_processes_leave_one_whole_file(tmp_path):
    path = tmp_path / "a"
    code = (
        "from vipaint_pyro.files import replacing_file\n"
        "for _ in range(60):\n"
        "    with replacing_file(sys.argv[1]) as scratch, open(scratch, 'w') as file:\n"
        "        for _ in range(20): file.write(sys.argv[2] * 10_000); file.flush()"
    )
    writers = [started(code, path, letter) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    for writer in writers:
        writer.stdout.close()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen | {path.read_text()} <= {"a" * 200_000, "b" * 200_000}
    assert names(tmp_path) == ["a"]


def test_a_scratch_file_is_nobody_elses(tmp_path):
    with replacing_file(tmp_path / "a") as one, replacing_file(tmp_path / "a") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one" and names(tmp_path) == ["a"]  # which ended last


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_are_those_of_a_new_file(tmp_path, mask, mode):
    with umask(mask):
        write_text(tmp_path / "text", "a")
        write_tensors(tmp_path / "tensors", {"a": torch.zeros(1)})
        with replacing(tmp_path / "folder") as scratch:
            (scratch / "inner").mkdir()
            (scratch / "inner" / "kept").touch(0o600)
    for name in ("text", "tensors", "folder/inner/kept"):
        assert permissions(tmp_path / name) == mode, name
    assert permissions(tmp_path / "folder") == 0o777 & ~mask


def test_what_is_written_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    done, (sync, move) = [], (os.fsync, os.replace)
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.fstat(file).st_size), sync(file)))
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("moved"), move(a, b)))
    write_text(tmp_path / "a", "four")
    assert done == [4, "moved"]


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        write_text(tmp_path / "a", "text")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").is_dir()


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


def test_tensors_of_every_kind_come_back_with_their_metadata(tmp_path):
    tensors = {
        "learnt": torch.nn.Parameter(torch.randn(2, 3)),
        "turned": torch.arange(6).reshape(2, 3).T,
        "part": torch.arange(6.0).half()[2:4],
        "empty": torch.zeros(0, dtype=torch.bool),
    }
    write_tensors(tmp_path / "a", tensors, {"step": "3"})
    kept = load_file(tmp_path / "a")
    assert kept.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(kept[name], tensor) and kept[name].dtype == tensor.dtype
    with safe_open(tmp_path / "a", "pt") as file:
        assert file.metadata() == {"step": "3"}
    with pytest.raises(RuntimeError, match="share memory"):
        write_tensors(tmp_path / "a", {"one": tensors["part"], "other": tensors["part"]})
    assert torch.equal(load_file(tmp_path / "a")["part"], tensors["part"]) and names(tmp_path) == ["a"]


# -- a folder ----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("nth", [1, 2])
def test_the_old_folder_is_put_back_where_a_rename_fails(tmp_path, old, monkeypatch, nth):
    calls, move = [], os.replace

    def failing(source, target):
        calls.append(target)
        if len(calls) == nth:
            raise OSError("no")
        move(source, target)

    monkeypatch.setattr(files.os, "replace", failing)
    with pytest.raises(OSError, match="no"), replacing(old) as scratch:
        (scratch / "new").touch()
    assert len(calls) == 2 * nth - 1
    assert names(old) == ["old"] and (old / "old").read_text() == "old" and names(tmp_path) == ["run"]


@pytest.mark.parametrize("nth, in_place", [(0, ["old"]), (1, None), (2, ["new"])])
def test_a_kill_leaves_a_whole_folder(tmp_path, old, nth, in_place):
    """Before the first rename, between the two, and before the old folder is deleted."""
    killed(
        "from vipaint_pyro.files import replacing\n"
        "def stop(*_, **__): print('now', flush=True); time.sleep(60)\n"
        "move, moved, nth = os.replace, [], int(sys.argv[2])\n"
        "def counted(a, b):\n"
        "    if len(moved) == nth: stop()\n"
        "    moved.append(b); move(a, b)\n"
        "os.replace = counted\n"
        "import shutil; shutil.rmtree = stop\n"
        "with replacing(sys.argv[1]) as scratch:\n"
        "    (scratch / 'new').touch()",
        old,
        nth,
    )
    found = {p.name: names(p) for p in tmp_path.iterdir()}
    assert found.get("run") == in_place
    assert sorted(found.values()) == [["new"], ["old"]]  # both whole
    assert all(name == "run" or (name.startswith(".run.") and name.endswith(".partial")) for name in found)


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


# -- where a run may be written ----------------------------------------------------------------------


def test_only_an_earlier_run_may_be_replaced_and_only_when_asked(tmp_path, old):
    with pytest.raises(ValueError, match="has other content"):
        check_folder(old, overwrite=True)
    (old / "run.json").touch()
    with pytest.raises(ValueError, match="holds an earlier run"):
        check_folder(old, overwrite=False)
    check_folder(old, overwrite=True)
    check_folder(tmp_path / "deep" / "down", overwrite=False)
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty", overwrite=False)
    with pytest.raises(ValueError, match="is no folder"):
        check_folder(old / "run.json", overwrite=True)
    assert names(tmp_path) == ["empty", "run"]


def test_a_parent_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError("no")

    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)  # permissions do not stop root
    with pytest.raises(ValueError, match=f"cannot be made: {tmp_path} is not writable"):
        check_folder(tmp_path / "run", overwrite=False)
