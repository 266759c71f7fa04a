"""Means, standard errors, paired differences and what is called a lead, against numbers worked out by hand."""

import math

import pytest

from vipaint_pyro.evaluation.means import Mean
from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.summary import (
    Comparison,
    best_baseline,
    compared,
    differences,
    is_baseline,
    metrics_of,
    per_image,
)
from vipaint_pyro.evaluation.study.titles import heading


def test_samples_first_then_images(study):
    s = study(["dps"])
    for image, scores in enumerate([[0.1, 0.3], [0.2, 0.4], [0.3, 0.5]]):  # 0.2, 0.3, 0.4
        s.add("rotated", "dps", image, lpips=scores)
    found = read_study(s.folder)
    assert per_image(found, "rotated", "dps", "lpips_composite") == pytest.approx({0: 0.2, 1: 0.3, 2: 0.4}, abs=1e-15)
    own = compared(found, "rotated", "lpips_composite").own["dps"]
    # Standard deviation 0.1 of three images; of the six samples it would be another.
    assert own.images == 3
    assert own.mean == pytest.approx(0.3, abs=1e-15) and own.error == pytest.approx(0.1 / math.sqrt(3), abs=1e-15)


def test_paired_differences_by_hand(study):
    s = study(["vipaint-4", "dps", "blended"], images=4)
    for image, (ours, dps) in enumerate([(0.2, 0.25), (0.3, 0.35), (0.4, 0.6)]):
        s.add("rotated", "vipaint-4", image, ours, psnr=20.0 + image)
        s.add("rotated", "dps", image, dps, psnr=18.0)
        s.add("rotated", "blended", image, 0.9, psnr=10.0)
    found = read_study(s.folder)
    ours, blended = differences(found, "lpips_composite")
    # -0.05, -0.05, -0.2: mean -0.1, variance 0.0075, standard error sqrt(0.0075 / 3).
    assert (ours.method, ours.baseline, ours.mean.images) == ("vipaint-4", "dps", 3)
    assert ours.mean.mean == pytest.approx(-0.1, abs=1e-15) and ours.mean.error == pytest.approx(0.05, abs=1e-15)
    assert blended.method == "blended" and blended.mean.mean == pytest.approx(0.5, abs=1e-15)
    # 2, 3, 4 dB more than the baseline that is best in them: 3 / 0.577 = 5.2 is beyond t_2 = 4.3.
    psnr = differences(found, "psnr")[0]
    assert (psnr.baseline, psnr.mean) == ("dps", Mean(3.0, math.sqrt(1 / 3), 3))
    assert psnr.verdict == "ahead so far (n = 3)"  # more is better


def lead(study, images, shift, metric="lpips_composite"):
    """What is said of a shift of the mean whose paired standard deviation is about 0.05."""
    s = study(["vipaint", "dps"], images=images)
    for image in range(images):
        value = shift + (0.05 if image % 2 else -0.05)
        s.add("rotated", "vipaint", image, **{"lpips": 0.5, metric: 0.5 + value})
        s.add("rotated", "dps", image, **{"lpips": 0.5, metric: 0.5})
    (difference,) = differences(read_study(s.folder), metric)
    return difference.verdict


@pytest.mark.parametrize(
    "images, shift, verdict",
    [
        (100, -0.0102, "better"),  # standard error 0.005025, times t_99 = 1.984 is 0.00997
        (100, -0.0099, "no lead"),
        (100, 0.0099, "no lead"),
        (100, 0.0102, "worse"),
        (98, -0.2, "ahead so far (n = 98)"),
        (98, -0.0099, "open so far (n = 98)"),
        (98, 0.2, "behind so far (n = 98)"),
        (2, 0.2, "open so far (n = 2)"),  # four standard errors, but t_1 = 12.7
        (2, 0.7, "behind so far (n = 2)"),
        (1, -0.2, "open so far (n = 1)"),
    ],
)
def test_a_lead_is_beyond_students_t_on_a_hundred_images(study, images, shift, verdict):
    assert lead(study, images, shift) == verdict


def test_a_lead_in_a_score_where_more_is_better_or_neither(study):
    assert lead(study, 100, 0.2, "psnr") == "better"
    assert lead(lambda m, **k: study(m, name="other", **k), 100, 0.2, "diversity") == "neither way is better"


def test_a_method_with_images_missing_is_compared_on_common_ones(study):
    s = study(["vipaint-4", "dps", "blended", "few"], images=11)
    for image in range(11):
        s.add("rotated", "vipaint-4", image, 0.3 + image)
        s.add("rotated", "dps", image, 0.4 + image)
        if image < 10:
            s.add("rotated", "blended", image, 0.2 + image)
    s.add("rotated", "few", 0, 0.0)  # the easiest image alone would win
    s.add("rotated", "few", 1, error={"type": "NonFiniteError", "message": "no"})
    found = read_study(s.folder)
    c = compared(found, "rotated", "lpips_composite")
    assert c.images == 10 and list(c.common) == ["vipaint-4", "dps", "blended"]
    assert c.common["vipaint-4"].mean == pytest.approx(4.8) and c.own["vipaint-4"].mean == pytest.approx(5.3)
    assert c.own["few"].images == 1
    assert c.marks(-1) == {"vipaint-4": "best", "dps": "second"}  # what is incomplete is not ranked, nor leads
    found_few = differences(found, "lpips_composite")[-1]
    assert (found_few.method, found_few.baseline, found_few.mean.images) == ("few", "blended", 1)


def test_no_baseline(study):
    s = study(["vipaint-4", "vipaint-2@100"])
    for image in range(3):
        for method in ("vipaint-4", "vipaint-2@100"):
            s.add("rotated", method, image)
    assert differences(read_study(s.folder), "lpips_composite") == []


def test_marks():
    m = {name: Mean(value, 0, 10) for name, value in {"a": 0.1, "b": 0.3, "c": 0.1, "d": 0.2}.items()}
    every = frozenset(m)
    assert Comparison(m, m, every).marks(-1) == {"a": "best", "c": "best", "d": "second"}
    assert Comparison(m, m, every).marks(1) == {"b": "best", "d": "second"}
    assert Comparison(m, m, every).marks(0) == {} == Comparison(m, {"a": m["a"]}, every).marks(-1)
    assert Comparison(m, m, frozenset("bd")).marks(-1) == {"d": "best", "b": "second"}
    assert Comparison(m, m, frozenset("d")).marks(-1) == {}  # alone
    few = {name: Mean(v.mean, 0, 9) for name, v in m.items()}
    assert Comparison(few, few, every).marks(-1) == {}


def test_every_metric_has_its_own_best_baseline(study):
    s = study(["vipaint", "dps", "blended"], images=2)
    for image in range(2):
        s.add("rotated", "vipaint", image, 0.1, psnr=20.0, ssim=0.5, diversity=0.3)
        s.add("rotated", "dps", image, 0.2, psnr=15.0, ssim=0.6, diversity=0.1)
        s.add("rotated", "blended", image, 0.3, psnr=18.0, ssim=0.4, diversity=0.4)
    found = read_study(s.folder)
    best = {m: best_baseline(found, "rotated", m) for m in ("lpips_composite", "psnr", "ssim", "diversity")}
    assert best == {"lpips_composite": "dps", "psnr": "blended", "ssim": "dps", "diversity": "dps"}
    assert [d.mean.mean for d in differences(found, "psnr")] == [2.0, -3.0]


def test_one_sample_has_no_diversity(study):
    s = study(["dps"], images=2, samples=1)
    for image in range(2):
        s.add("rotated", "dps", image, diversity=0.0)
    found = read_study(s.folder)
    assert metrics_of(found) == ["lpips_composite"] and found.records[0].said["scores"]["diversity"] == 0


@pytest.mark.parametrize("spec", ["vipaint", "vipaint-4", "vipaint-2@100", "vipaint:beta=2", "vipaint-4@50:beta=2"])
def test_vipaint_is_no_baseline_whatever_its_spec(spec):
    assert not is_baseline(spec)


@pytest.mark.parametrize("spec", ["dps", "red-diff:init=vipaint-4", "vipainter"])
def test_others_are_baselines(spec):
    assert is_baseline(spec)


@pytest.mark.parametrize("others, best", [(["dps"], "dps"), ([], "mine:Own@20:by=1")])
def test_a_method_of_your_own_is_the_best_baseline_where_there_is_no_other(study, others, best):
    s = study(["vipaint-4", "mine:Own@20:by=1", *others], images=2)
    for image in range(2):
        for method, lpips in zip(["vipaint-4", "mine:Own@20:by=1", *others], (0.1, 0.2, 0.3)):
            s.add("rotated", method, image, lpips=lpips)
    assert best_baseline(read_study(s.folder), "rotated", "lpips_composite") == best


def test_what_stands_there_for_scale_is_no_baseline(study):
    """The estimate of an inpainting holds what is seen itself: no method has a lower error on it."""
    s = study(["vipaint-4", "dps", "estimate"])
    for image in range(2):
        for method, error in {"vipaint-4": 0.02, "dps": 0.01, "estimate": 0.0}.items():
            s.add("rotated", method, image, observed_error=error)
    found = differences(read_study(s.folder), "observed_error")
    assert [(d.method, d.baseline) for d in found] == [("vipaint-4", "dps"), ("estimate", "dps")]


def test_scores_without_values_are_left_out(study):
    s = study(["dps"])
    s.add("rotated", "dps", 0, psnr=10.0, energy_distance=None, new_score=0.5)
    s.add("rotated", "dps", 1, psnr=11.0, energy_distance=None, new_score=None)
    found = read_study(s.folder)
    assert metrics_of(found) == ["lpips_composite", "psnr", "new_score"]
    assert per_image(found, "rotated", "dps", "new_score") == {0: 0.5}
    assert heading(found, "lpips_composite") == "LPIPS (AlexNet), observed pixels put back, lower is better"
    assert heading(found, "psnr") == "PSNR (dB), higher is better" and heading(found, "new_score") == "new_score"
