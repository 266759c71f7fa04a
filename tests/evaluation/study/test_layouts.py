"""The tables' layouts on small studies whose numbers are worked out by hand."""

import csv
import io
import math

import pytest

from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.grids import Cell, latex, markdown
from vipaint_pyro.evaluation.study.layouts import (
    costs_csv,
    costs_grid,
    done,
    long_csv,
    long_grid,
    paired_csv,
    paired_grid,
    quality_csv,
    quality_grid,
    quality_grids,
)
from vipaint_pyro.evaluation.study.summary import differences, metrics_of

LPIPS = "lpips_composite"
SO_FAR = (
    "So far: on fewer than 100 images; ahead or behind: clear at the 95 % level; open: not clear, so that more images "
    "would have to say"
)
FAILED = {"type": "NonFiniteError", "message": "not finite"}


@pytest.fixture
def found(study):
    """Two of three images done by all, one failed, one method begun, one condition not yet."""
    s = study(["vipaint-4", "dps", "blended", "daps"], conditions=("rotated", "box"), images=3)
    for image, (a, b, c) in enumerate([(0.1, 0.3, 0.2), (0.3, 0.5, 0.6)]):
        s.add("rotated", "vipaint-4", image, a, forward=100, seconds=2.0)
        s.add("rotated", "dps", image, b, forward=50, seconds=1.0)
        s.add("rotated", "blended", image, c)
    s.add("rotated", "vipaint-4", 2, 0.8, forward=100, seconds=5.0)
    s.add("rotated", "dps", 2, error=FAILED)
    return read_study(s.folder)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_papers_layout(found):
    assert markdown(quality_grid(found, LPIPS)) == (
        "## LPIPS (AlexNet), observed pixels put back, lower is better\n\n"
        "| condition | images | vipaint-4 | dps | blended | daps |\n|--|--:|--:|--:|--:|--|\n"
        "| rotated | 2 | 0.2000 ± 0.1000 | 0.4000 ± 0.1000 † | 0.4000 ± 0.2000 † | — |\n"
        "| box | 0 | — | — | — | — |\n\n"
        "- Means over samples, then over the images that the compared methods have in common, ± standard error over "
        "images\n"
        "- Best in bold, second underlined, of the methods that have all images, where 10 or more are in common\n"
        "- rotated: too few images to rank (n = 2)\n"
        "- rotated, image by image against dps, the best baseline: vipaint-4 ahead so far (n = 2), blended open so far "
        "(n = 2)\n"
        f"- {SO_FAR}\n"
        "- † rotated, dps: incomplete (n = 2 of 3, 1 failed), not ranked\n"
        "- † rotated, blended: incomplete (n = 2 of 3), not ranked\n"
        "- † rotated, daps: incomplete (n = 0 of 3), not ranked\n"
        + "".join(f"- † box, {m}: incomplete (n = 0 of 3), not ranked\n" for m in found.methods)
    )


@pytest.mark.parametrize(("images", "said"), [(99, True), (100, False)])
def test_so_far_is_explained_where_it_is_said(study, images, said):
    s = study(["vipaint-4", "dps"], images=images)
    for image in range(images):
        s.add("rotated", "vipaint-4", image, 0.3 + 0.001 * image)
        s.add("rotated", "dps", image, 0.4)
    assert (SO_FAR in quality_grid(read_study(s.folder), LPIPS).notes) is said


def test_ten_images_in_common_are_ranked_and_what_is_incomplete_is_not(study):
    s = study(["vipaint-4", "dps", "blended"], images=11)
    for image in range(11):
        s.add("rotated", "vipaint-4", image, 0.3)
        s.add("rotated", "dps", image, 0.4)
        if image < 10:
            s.add("rotated", "blended", image, 0.1)
    grid = quality_grid(read_study(s.folder), LPIPS)
    assert [c.mark for c in grid.rows[0]] == ["", "", "best", "second", ""]
    verdicts = "vipaint-4 behind so far (n = 10), dps behind so far (n = 10)"
    said = f"rotated, image by image against blended, the best baseline: {verdicts}"
    assert grid.notes[2:] == (said, SO_FAR, "† rotated, blended: incomplete (n = 10 of 11), not ranked")
    assert all(said in text for text in (markdown(grid), latex(grid)))


def test_a_method_that_has_begun_stands_on_its_own_images(study):
    s = study(["dps", "daps"], images=4)
    for image in range(4):
        s.add("rotated", "dps", image, 0.5)
    s.add("rotated", "daps", 0, 0.1)
    grid = quality_grid(read_study(s.folder), LPIPS)
    assert grid.rows[0][1:] == (Cell("4", 4), Cell("0.5000 ± 0.0000", 0.5), Cell("0.1000 (n = 1) †", 0.1))
    assert grid.notes[-1] == "† rotated, daps: incomplete (n = 1 of 4), not ranked; on its own images, and not compared"


def test_where_neither_way_is_better_nothing_is_marked(study):
    s = study(["dps", "blended"], images=2)
    for image in range(2):
        s.add("rotated", "dps", image, diversity=0.2)
        s.add("rotated", "blended", image, diversity=0.1)
    grid = quality_grid(read_study(s.folder), "diversity")
    assert [c.mark for c in grid.rows[0]] == ["", "", "", ""] and "bold" not in grid.notes[0]


def test_numbers_in_full(found):
    (rotated, box) = rows(quality_csv(found, [LPIPS]))
    assert (rotated["condition"], rotated["images"]) == ("rotated", "2")
    assert float(rotated["vipaint-4"]) == pytest.approx(0.2, abs=1e-15)
    assert float(rotated["vipaint-4 standard error"]) == pytest.approx(0.1, abs=1e-15)
    assert rotated["vipaint-4 images"] == "2" and rotated["daps"] == "" and rotated["daps images"] == "0"
    assert box["dps"] == ""


def test_the_long_table_has_all_images(found):
    first, second, _ = rows(long_csv(found, [LPIPS]))
    assert (first["method"], first["images"], first["failed"], first["planned"]) == ("vipaint-4", "3", "0", "3")
    # 0.1, 0.3, 0.8: mean 0.4, squares 0.09 + 0.01 + 0.16 = 0.26.
    assert float(first["mean"]) == pytest.approx(0.4, abs=1e-15)
    assert float(first["standard_error"]) == pytest.approx(math.sqrt(0.26 / 2 / 3), abs=1e-15)
    assert (second["method"], second["images"], second["failed"]) == ("dps", "2", "1")
    assert [c.text for c in long_grid(found, LPIPS).rows[1]] == ["rotated", "dps", "0.4000 ± 0.1000", "2", "1", "3"]


def test_the_paired_table(found):
    grid = paired_grid(found, LPIPS)
    # dps and blended are both at 0.4: the first of them is the baseline.
    assert [[c.text for c in row] for row in grid.rows] == [
        ["rotated", "vipaint-4", "dps", "-0.2000 ± 0.0000", "2", "ahead so far (n = 2)"],
        ["rotated", "blended", "dps", "+0.0000 ± 0.1000", "2", "open so far (n = 2)"],
    ]
    first, _ = rows(paired_csv(found, [LPIPS]))
    assert first["best_baseline"] == "dps" and float(first["difference"]) == pytest.approx(-0.2, abs=1e-15)


def test_the_paired_table_says_what_its_baseline_is_best_in_and_why_there_is_no_verdict(study):
    s = study(["vipaint-4", "dps"], images=2)
    for image in range(2):
        for method in ("vipaint-4", "dps"):
            s.add("rotated", method, image, psnr=20.0, diversity=0.1)
    grids = {m: paired_grid(read_study(s.folder), m) for m in (LPIPS, "psnr", "diversity")}
    assert "(lowest mean of this score of the methods" in grids[LPIPS].notes[0]
    assert "(highest mean of this score of the methods" in grids["psnr"].notes[0]
    assert "(lowest mean LPIPS of the methods" in grids["diversity"].notes[0]
    assert grids["diversity"].notes[0].endswith("neither way is better, so that there is no verdict")
    assert grids["diversity"].rows[0][-1].text == "neither way is better"


def test_costs_stand_apart(found):
    vipaint, dps, _ = rows(costs_csv(found))
    assert (vipaint["method"], float(vipaint["seconds_per_image"])) == ("vipaint-4", 3.0)
    assert (float(vipaint["forward_calls_per_sample"]), float(vipaint["backward_calls_per_sample"])) == (100, 99)
    assert (dps["images"], dps["samples"], dps["peak_memory_mib"]) == ("2", "2", "")
    assert [c.text for c in costs_grid(found).rows[0][1:]] == ["vipaint-4", "100.0", "99.0", "3.0", "—", "3", "2"]


def test_how_far_it_has_come(found):
    assert done(found) == "7 of 24 items finished, 1 failed"


def test_quality_without_end(study):
    """A PSNR of an exact answer."""
    s = study(["dps", "blended"], images=2)
    for image in range(2):
        s.add("rotated", "dps", image, psnr=["inf", 20.0 + image] if image else "inf")
        s.add("rotated", "blended", image, psnr=20.0)
    found = read_study(s.folder)
    assert [c.text for c in quality_grid(found, "psnr").rows[0][2:]] == ["∞", "20.00 ± 0.00"]
    assert quality_grid(found, "psnr").notes[-1] == "∞ rotated, dps: a sample is the truth itself in 2 of 2 images"
    assert paired_grid(found, "psnr").rows[0][3].text == "-∞"
    assert rows(quality_csv(found, ["psnr"]))[0]["dps"] == "inf"


def test_a_distance_stands_above_that_of_exact_draws(study):
    s = study(["dps", "blended"], images=2)
    for image in range(2):
        s.add("rotated", "dps", image, energy_distance=0.4, energy_distance_of_exact=0.01 * image)
        s.add("rotated", "blended", image, energy_distance=0.2, energy_distance_of_exact=0.01 * image)
    (grid,) = quality_grids(read_study(s.folder), ["energy_distance", "energy_distance_of_exact"])
    assert [[c.text for c in row] for row in grid.rows] == [
        ["rotated", "2", "0.4000 ± 0.0000", "0.2000 ± 0.0000"],
        ["rotated: exact draws", "2", "0.0050 ± 0.0050", "0.0050 ± 0.0050"],
    ]
    assert [c.mark for c in grid.rows[1]] == ["", "", "", ""] and grid.notes[1].startswith("Exact draws: ")
    (alone,) = quality_grids(read_study(s.folder), ["energy_distance_of_exact"])
    assert len(alone.rows) == 1


def test_records_of_before_have_a_dash_for_a_score_that_is_new(study):
    s = study(["dps", "blended", "pigdm"], images=2)
    for image in range(2):
        s.add("rotated", "dps", image, psnr=20.0)
        s.add("rotated", "blended", image, psnr=21.0, psnr_mean="inf" if image else 22.0, psnr_mean_hole=10.0 + image)
        s.add("rotated", "pigdm", image, psnr=21.0, psnr_mean=23.0, psnr_mean_hole=9.0)
    found = read_study(s.folder)
    assert metrics_of(found) == ["lpips_composite", "psnr", "psnr_mean", "psnr_mean_hole"]
    assert [c.text for c in quality_grid(found, "psnr_mean").rows[0][2:]] == ["—", "∞", "23.00 ± 0.00"]
    assert quality_grid(found, "psnr_mean").notes[-1] == (
        "∞ rotated, blended: the samples' mean is the truth itself in 1 of 2 images"
    )
    assert [c.text for c in quality_grid(found, "psnr_mean_hole").rows[0][2:]] == ["—", "10.50 ± 0.50", "9.00 ± 0.00"]
    assert rows(quality_csv(found, ["psnr_mean"]))[0]["dps"] == ""
    assert [d.method for d in differences(found, "psnr_mean_hole")] == ["pigdm"]
