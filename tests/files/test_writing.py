"""Files are written whole or not at all, whatever happens in the middle."""

import os
from pathlib import Path

import PIL.Image
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.files.common import killed, names, permissions, started, umask
from vipaint_pyro.files import is_scratch, replacing, replacing_file, write_picture, write_tensors, write_text
from vipaint_pyro.images import read_image


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
        assert tmp_path in scratch.parents and scratch != path
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
    assert len(left) == 1 and is_scratch(Path(left[0]))
    write_text(path, "new")  # which is in nobody's way, and swept
    assert path.read_text() == "new" and names(tmp_path) == ["a"]


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


def test_pictures_of_both_kinds_are_written_whole(tmp_path):
    from matplotlib.figure import Figure

    write_picture(tmp_path / "a.png", PIL.Image.new("L", (3, 2)))
    write_picture(tmp_path / "b.jpg", PIL.Image.new("L", (3, 2)), quality=90)
    write_picture(tmp_path / "c.png", Figure(figsize=(1, 1)), dpi=20)
    write_picture(tmp_path / "d.svg", Figure(figsize=(1, 1)))
    sizes = [read_image(tmp_path / name).size for name in ("a.png", "b.jpg", "c.png")]
    assert sizes == [(3, 2), (3, 2), (20, 20)] and "<svg" in (tmp_path / "d.svg").read_text()
    for picture in (PIL.Image.new("L", (3, 2)), Figure(figsize=(1, 1))):
        with pytest.raises(ValueError, match="a.unknown|unknown"):
            write_picture(tmp_path / "a.unknown", picture)
    assert names(tmp_path) == ["a.png", "b.jpg", "c.png", "d.svg"]


def test_a_folder_on_the_way_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file/x/a.txt cannot be written: Not a directory"):
        write_text(tmp_path / "file" / "x" / "a.txt", "text")
    with pytest.raises(OSError, match="file/a.txt cannot be written: File exists|Not a directory"):
        write_text(tmp_path / "file" / "a.txt", "text")
    with pytest.raises(OSError, match="cannot be written: File name too long"):
        write_text(tmp_path / ("a" * 300), "text")
    write_text(tmp_path / ("a" * 255), "text")  # as long as a name may be
    assert names(tmp_path) == ["a" * 255, "file"]


def test_errors_of_other_files_are_their_own(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.txt"), replacing_file(tmp_path / "a"):
        (tmp_path / "none.txt").read_text()
    assert names(tmp_path) == []
