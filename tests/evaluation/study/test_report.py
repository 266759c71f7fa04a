"""``vipaint report``: what it writes, what it refuses, and that its quality files know nothing of time."""

import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.study.report import FILES, write_report

QUALITY = ("table.md", "table.csv", "table.tex", "long.md", "long.csv", "paired.md", "paired.csv")


def report(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def filled(s, seconds=1.0, samples=True):
    """Two methods on three images."""
    for image in range(3):
        for k, method in enumerate(("vipaint-4", "dps")):
            lpips, took = 0.1 * (k + 1) + 0.01 * image, seconds * (image + k)
            s.add("rotated", method, image, lpips, seconds=took, psnr=20.0 + image)
            if samples:
                s.drawn("rotated", method, image, np.full((2, 1, 4, 4), 9))
        if samples:
            s.truth(image, np.full((4, 4), 50, np.uint8))
            s.mask("rotated", image, np.eye(4) > 0)
    return s


@pytest.fixture
def done(study):
    return filled(study(["vipaint-4", "dps"])).folder


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_all_files_are_written_and_said(done):
    result = report(done)
    assert result.exit_code == 0, result.output
    assert (done / "report/table.md").read_text() in result.output
    assert f"wrote {done / 'report.html'} and {done / 'report'}/" in result.output
    for name, head in FILES.items():
        if name.endswith(".png"):
            with PIL.Image.open(done / name) as picture:
                assert picture.info["Title"] == head
        else:
            assert (done / name).read_text().startswith(head)


def test_the_text_is_that_of_the_tables(done):
    assert write_report(done) == (done / "report/table.md").read_text()


def test_quality_is_the_same_bytes_whatever_the_load(study):
    one, two = filled(study(["vipaint-4", "dps"])), filled(study(["vipaint-4", "dps"], name="two"), seconds=7.3)
    for s in (one, two):
        write_report(s.folder)
    for name in (*QUALITY, "quality-vs-calls.png", "samples.png"):
        assert (one.folder / "report" / name).read_bytes() == (two.folder / "report" / name).read_bytes(), name
    for name in ("costs.md", "costs.csv"):
        assert (one.folder / "report" / name).read_bytes() != (two.folder / "report" / name).read_bytes()


def test_again_is_the_same(done):
    write_report(done)
    before = contents(done)
    write_report(done)
    assert contents(done) == before


def test_another_folder(done, tmp_path):
    before = contents(done)
    assert report(done, "--out", tmp_path / "new/out").exit_code == 0
    assert contents(done) == before
    assert {str(p) for p in contents(tmp_path / "new/out")} == {*FILES}


def test_metrics_that_are_asked_for(done):
    assert report(done, "--metric", "psnr").exit_code == 0
    table = (done / "report/table.md").read_text()
    assert "## PSNR (dB), higher is better" in table and "LPIPS" not in table
    assert (done / "report/paired.csv").read_text().count("psnr") == 1
    result = report(done, "--metric", "fid")
    assert result.exit_code == 1 and "--metric is one of lpips_composite, psnr, but is 'fid'" in result.output


def test_what_is_no_more_is_taken_away(done):
    write_report(done)
    for path in (done / "samples").rglob("*.safetensors"):
        path.unlink()
    write_report(done)
    assert not (done / "report/samples.png").exists()


def test_a_study_of_failures_is_reported(study):
    s = study(["dps"])
    s.add("rotated", "dps", 0, error={"type": "NonFiniteError", "message": "at t = 5"})
    write_report(s.folder)
    assert "at t = 5" in (s.folder / "report.html").read_text()
    assert not (s.folder / "report/quality-vs-calls.png").exists()


@pytest.mark.parametrize("kind", ["no study", "no record", "damaged record", "damaged plan", "damaged samples"])
def test_what_is_wrong_is_one_line_and_nothing_is_written(study, tmp_path, kind):
    folder = tmp_path / "none" if kind == "no study" else study(["vipaint-4", "dps"]).folder
    if "damaged" in kind:
        filled(study(["vipaint-4", "dps"]))
        name = {"damaged record": "records/rotated/dps/00001.json", "damaged plan": "plan.json",
                "damaged samples": "samples/rotated/dps/00000.safetensors"}[kind]  # fmt: skip
        (folder / name).write_text("{")
    before = contents(folder)
    result = report(folder)
    assert result.exit_code == 1 and result.output.startswith("Error: ") and result.output.count("\n") == 1
    assert contents(folder) == before
    said = {"no study": "holds no study", "no record": "nothing of the study"}.get(kind)
    assert (said or str(folder / name)) in result.output


FOREIGN = [(name, "file") for name in FILES] + [
    (name, how)
    for name in ("report/table.csv", "report/samples.png", "report.html")
    for how in ("bytes", "folder", "dangling link")
]


@pytest.mark.parametrize("name, how", FOREIGN)
def test_files_that_are_not_its_own_are_kept(done, tmp_path, name, how):
    path = done / name
    path.parent.mkdir(exist_ok=True)
    if how == "folder":
        path.mkdir()
    elif how == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif how == "bytes":
        path.write_bytes(b"\xff\xfe mine")
    elif name.endswith("png"):
        PIL.Image.new("L", (2, 2)).save(path)
    else:
        path.write_text("mine")
    before = contents(done)
    result = report(done)
    assert result.exit_code == 1 and f"Error: {path} was not written by vipaint report: move it" in result.output
    assert contents(done) == before and not (tmp_path / "nowhere").exists()


def test_other_files_beside_it_are_kept(done):
    (done / "report").mkdir()
    (done / "report/notes.md").write_text("mine")
    write_report(done)
    assert (done / "report/notes.md").read_text() == "mine"


def test_a_file_in_the_way(done):
    (done / "report").write_text("mine")
    result = report(done)
    assert result.exit_code == 1 and "exists and is no folder" in result.output


def test_no_network_is_loaded(done):
    code = (
        "import sys; from pathlib import Path; from vipaint_pyro.evaluation.study.report import write_report; "
        f"write_report(Path({str(done)!r})); "
        "print([m for m in ('diffusers', 'lpips', 'pyro', 'torchvision') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_name_of_the_folder_is_in_no_file(done, study):
    """So that a study that is moved has the same report."""
    write_report(done)
    assert not any(str(done).encode() in content for content in contents(done).values())
    assert json.loads((done / "plan.json").read_text())["plan"]["images"] == 3
