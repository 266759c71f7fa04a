"""Scratch folders are swept where their process is dead, and never where it lives or they are none of ours."""

import os

import pytest

from tests.files.common import killed, names, started
from vipaint_pyro.files import is_scratch, replacing, sweep, write_text
from vipaint_pyro.files.scratch import scratch_in

NAME = ".vipaint-0123456789ab.partial"


def test_what_a_killed_process_left_is_swept_by_the_next_that_writes(tmp_path):
    code = (
        "from vipaint_pyro.files import replacing\n"
        "with replacing(sys.argv[1]) as scratch:\n"
        "    (scratch / 'half').touch(); print('now', flush=True); time.sleep(60)"
    )
    killed(code, tmp_path / "run")
    assert len(names(tmp_path)) == 1 and is_scratch(tmp_path / names(tmp_path)[0])
    write_text(tmp_path / "another", "text")
    assert names(tmp_path) == ["another"]


def test_a_living_process_keeps_its_scratch(tmp_path):
    code = (
        "from vipaint_pyro.files import replacing\n"
        "with replacing(sys.argv[1]) as scratch:\n"
        "    (scratch / 'a').touch(); print('now', flush=True); sys.stdin.readline()"
    )
    import subprocess
    import sys

    command = [sys.executable, "-c", f"import os, sys, time\n{code}", str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "now\n"
        sweep(tmp_path)
        write_text(tmp_path / "b", "text")
        with replacing(tmp_path / "c"):
            pass
        assert [is_scratch(p) for p in sorted(tmp_path.iterdir())] == [True, False, False]
        process.stdin.write("\n")
    assert process.returncode == 0 and names(tmp_path) == ["b", "c", "run"] and names(tmp_path / "run") == ["a"]


def test_threads_of_one_process_keep_theirs(tmp_path):
    with scratch_in(tmp_path) as one, scratch_in(tmp_path) as other:
        sweep(tmp_path)
        assert one != other and names(one) == names(other) == ["lock", "new"]
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "name, inside",
    [
        (NAME, ["mine"]),  # no lock
        (NAME, ["lock", "mine"]),  # and more
        (".run.0123456789ab.partial", ["lock"]),
        (".vipaint-0123.partial", ["lock"]),
        (NAME + "~", ["lock"]),
    ],
)
def test_what_is_not_ours_is_left(tmp_path, name, inside):
    (tmp_path / name).mkdir()
    for file in inside:
        (tmp_path / name / file).touch()
    sweep(tmp_path)
    write_text(tmp_path / "a", "text")
    assert names(tmp_path / name) == sorted(inside)


def test_a_folder_with_anything_else_in_it_is_left_whole(tmp_path):
    (tmp_path / NAME / "new").mkdir(parents=True)
    for file in ("lock", "mine", "new/mine"):
        (tmp_path / NAME / file).touch()
    sweep(tmp_path)
    assert names(tmp_path / NAME) == ["lock", "mine", "new"] and names(tmp_path / NAME / "new") == ["mine"]


def test_links_and_files_of_that_name_are_left(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "lock").touch()
    (tmp_path / "far" / "new").mkdir()
    (tmp_path / NAME).symlink_to(tmp_path / "far")
    (tmp_path / NAME.replace("0", "1")).touch()
    sweep(tmp_path)
    assert names(tmp_path / "far") == ["lock", "new"] and len(names(tmp_path)) == 3
    sweep(tmp_path / "none")


def test_a_folder_without_locks_is_written_and_never_swept(tmp_path, monkeypatch):
    """Such as some network disks."""
    from vipaint_pyro.files import scratch

    def none(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(scratch.fcntl, "flock", none)
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "lock").touch()
    write_text(tmp_path / "a", "text")
    assert names(tmp_path) == [NAME, "a"]


def test_many_processes_that_sweep_and_write_lose_nothing(tmp_path):
    code = (
        "from vipaint_pyro.files import write_text\n"
        "for i in range(150): write_text(f'{sys.argv[1]}/{sys.argv[2]}-{i}', 'x')"
    )
    writers = [started(code, tmp_path, letter) for letter in "abc"]
    for writer in writers:
        writer.communicate()
    assert [w.returncode for w in writers] == [0, 0, 0]
    assert len(names(tmp_path)) == 450 and not any(is_scratch(p) for p in tmp_path.iterdir())
    assert all(os.path.getsize(p) == 1 for p in tmp_path.iterdir())
