"""KID and FID of a study, from features written by hand: exact numbers, and the rules of all other tables."""

import csv
import io
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from vipaint_pyro.evaluation.study.feature_names import FEATURES, Kind
from vipaint_pyro.evaluation.study.fid import fid
from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.kid import kid
from vipaint_pyro.evaluation.study.layouts import long_csv, long_grid, paired_grid, quality_csv, quality_grid
from vipaint_pyro.evaluation.study.report import write_report
from vipaint_pyro.evaluation.study.summary import compared, metrics_of
from vipaint_pyro.evaluation.study.titles import heading

F = 4


@pytest.fixture
def few(monkeypatch):
    """Features of four numbers, so that six images are enough for FID."""
    monkeypatch.setitem(FEATURES, "faces-classifier", Kind("face-classifier", F, ""))


def add(s, method, image, features, name="faces-classifier"):
    path = s.add("rotated", method, image)
    text = path.read_text().replace("fashion-classifier", name)
    path.write_text(text)
    file = s.path("features", "rotated", method, image, "safetensors")
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"features": features}, file)
    return file


def add_truth(s, image, features):
    file = s.folder / "features" / "truth" / f"{image:05d}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"features": features}, file)


@pytest.fixture
def filled(study, few):
    """dps has six images, vipaint-4 five of them; and their features (N, S, F), (N, F)."""
    g = torch.Generator().manual_seed(0)
    s, truth = study(["vipaint-4", "dps"], images=6), torch.randn(6, F, generator=g)
    ours, dps = torch.randn(5, 2, F, generator=g), torch.randn(6, 2, F, generator=g) + 1
    for image in range(6):
        add_truth(s, image, truth[image : image + 1])
        add(s, "dps", image, dps[image])
        if image < 5:
            add(s, "vipaint-4", image, ours[image])
    return s, ours, dps, truth


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_kid_by_hand(study, monkeypatch):
    """One feature; x_1 = y_1 = 0, x_2 = 1, y_2 = 2: k = (x y + 1)^3, h_12 = k(0, 1) + k(0, 2) - k(0, 2) - k(1, 0)."""
    monkeypatch.setitem(FEATURES, "faces-classifier", Kind("face-classifier", 1, ""))
    s = study(["dps"], images=3, samples=1)
    for image, (x, y) in enumerate([(0.0, 1.0), (1.0, 2.0), (2.0, 0.0)]):
        add_truth(s, image, torch.tensor([[y]]))
        add(s, "dps", image, torch.tensor([[x]]))
    # h_01 = k(0,1) + k(1,2) - k(0,2) - k(1,1) = 1 + 27 - 1 - 8 = 19; h_02 = 1 + 1 - 1 - 27 = -26;
    # h_12 = k(1,2) + k(2,0) - k(1,0) - k(2,2) = 27 + 1 - 1 - 125 = -98: mean -35.
    (own,) = compared(read_study(s.folder), "rotated", "kid").own.values()
    assert own.mean == pytest.approx(-35, abs=1e-12) and own.images == 3


def test_they_are_those_of_the_images_in_common(filled):
    s, ours, dps, truth = filled
    found = read_study(s.folder)
    assert metrics_of(found) == ["lpips_composite", "kid", "fid"]
    c = compared(found, "rotated", "kid")
    assert c.images == 5
    for method, x in (("vipaint-4", ours), ("dps", dps[:5])):
        assert (c.common[method].mean, c.common[method].error) == kid(x, truth[:5])
    assert (c.own["dps"].mean, c.own["dps"].error) == kid(dps, truth) and c.own["dps"].images == 6
    far = compared(found, "rotated", "fid")
    assert far.common["vipaint-4"].mean == fid(ours, truth[:5]) and far.own["dps"].mean == fid(dps, truth)
    assert rows(quality_csv(found, ["kid"]))[0]["dps"] == repr(c.common["dps"].mean)
    assert [r["images"] for r in rows(long_csv(found, ["kid", "fid"]))] == ["5", "6", "5", "6"]


def test_they_are_called_by_their_features(filled):
    found = read_study(filled[0].folder)
    grid = quality_grid(found, "kid")
    assert heading(found, "kid") == grid.title == "KID on face-classifier features, lower is better"
    assert quality_grid(found, "fid").title == "FID on face-classifier features, lower is better"
    assert "±" in grid.rows[0][2].text and "unbiased" in grid.notes[1]
    assert "±" not in quality_grid(found, "fid").rows[0][2].text
    assert "biased upwards" in long_grid(found, "fid").notes[1]
    assert paired_grid(found, "kid").notes[0].startswith("Sets of images have a distance")


def test_fid_takes_more_images_than_features(study, few):
    s, g = study(["dps"], images=4), torch.Generator().manual_seed(1)
    for image in range(4):
        add_truth(s, image, torch.randn(1, F, generator=g))
        add(s, "dps", image, torch.randn(2, F, generator=g))
    assert metrics_of(read_study(s.folder)) == ["lpips_composite", "kid"]


@pytest.mark.parametrize("kind", ["no files", "no truths", "one image", "one picture", "unknown features"])
def test_where_there_are_none_there_is_no_row(study, few, kind):
    s, g = study(["dps"], images=6), torch.Generator().manual_seed(1)
    for image in range(1 if kind == "one image" else 6):
        if kind == "no files":
            s.add("rotated", "dps", image)
            continue
        name = "another" if kind == "unknown features" else "faces-classifier"
        add(s, "dps", image, torch.randn(2, F, generator=g), name)
        if kind != "no truths":
            add_truth(s, image, torch.ones(1, F) if kind == "one picture" else torch.randn(1, F, generator=g))
    assert metrics_of(read_study(s.folder)) == ["lpips_composite"]
    write_report(s.folder)


@pytest.mark.parametrize("what", ["bytes", "shape", "not finite"])
def test_damaged_features_are_named(filled, what):
    s = filled[0]
    bad = {"shape": torch.ones(3, F), "not finite": torch.full((2, F), torch.nan)}
    file = add(s, "dps", 2, bad.get(what, torch.ones(2, F)))
    if what == "bytes":
        file.write_bytes(b"no")
    with pytest.raises(ValueError, match=f"{file} .*: delete it, and the report does without it"):
        write_report(s.folder)


def test_the_report_has_them_bit_for_bit_and_no_network(filled):
    s = filled[0]
    text = write_report(s.folder)
    assert "## KID on face-classifier features, lower is better" in text
    before = {p: p.read_bytes() for p in (s.folder / "report").iterdir()}
    assert "KID on face-classifier features" in (s.folder / "report.html").read_text()
    write_report(s.folder)
    assert before == {p: p.read_bytes() for p in (s.folder / "report").iterdir()}
    code = (
        "import sys; from pathlib import Path; from vipaint_pyro.evaluation.study.report import write_report; "
        "from vipaint_pyro.evaluation.study.feature_names import FEATURES, Kind; "
        f"FEATURES['faces-classifier'] = Kind('face-classifier', {F}, ''); "
        f"assert 'KID on' in write_report(Path({str(s.folder)!r})); "
        "print([m for m in ('diffusers', 'lpips', 'pyro', 'torchvision') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
