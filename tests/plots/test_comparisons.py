"""Figures of methods: quality by calls, frequencies, calibration."""

import numpy as np
import pytest
import torch

from tests.plots.looks import check_whole
from vipaint_pyro.calibration import coverage, interval_coverage, sbc, tarp
from vipaint_pyro.plots import (
    FrequencyQuestion,
    QualityPanel,
    QualityPoint,
    calibration_figure,
    coverage_figure,
    frequencies_figure,
    quality_by_calls_figure,
    sbc_figure,
    tarp_figure,
)


def test_quality_is_where_its_numbers_are():
    points = [QualityPoint("a", 10, 0.5, 0.1, said="5"), QualityPoint("a", 100, 0.3, 0.1), QualityPoint("b", 50, 0.9)]
    figure = quality_by_calls_figure([QualityPanel("one", points, "seconds"), QualityPanel("two", points[:1])], "LPIPS")
    check_whole(figure)
    first, second = figure.axes
    assert (first.get_title(), first.get_xlabel(), first.get_ylabel()) == ("one", "seconds", "LPIPS")
    assert second.get_xlabel() == "calls per sample, forward + backward"
    joined = [line.get_xydata().tolist() for line in first.lines if len(line.get_xdata()) == 2]
    assert [[10, 0.5], [100, 0.3]] in joined
    assert [t.get_text() for t in first.texts] == ["5"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b"]


def test_points_of_no_method_and_no_panels_are_refused():
    with pytest.raises(ValueError, match="none"):
        quality_by_calls_figure([], "LPIPS")
    with pytest.raises(ValueError, match="leaves out 'a'"):
        quality_by_calls_figure([QualityPanel("", [QualityPoint("a", 1, 1)])], "LPIPS", methods=["b"])


def asked(drawn):
    return FrequencyQuestion("mouth", {"smile": 0.75, "sad": 0.25}, drawn, {m: 20 for m in drawn})


def test_frequencies_and_probabilities_are_the_true_ones():
    question = asked({"right": {"smile": 15, "sad": 5}, "wrong": {"smile": 10, "hat": 10}})
    figure = frequencies_figure([question, question], title="Under the mask")
    check_whole(figure)
    right, wrong = figure.axes[:2]
    assert [t.get_text() for t in right.get_yticklabels()] == ["smile", "sad", "hat"]
    assert right.get_ylabel() == "mouth"
    for axes, shares, distance in ((right, [0.75, 0.25, 0], 0.0), (wrong, [0.5, 0, 0.5], 0.5)):
        spread, bars = axes.containers
        np.testing.assert_allclose([bar.get_width() for bar in bars], shares)
        np.testing.assert_allclose([s[0][0] for s in axes.collections[0].get_segments()], [0.75, 0.25, 0])
        half = (0.75 * 0.25 / 20) ** 0.5
        np.testing.assert_allclose([bar.get_x() for bar in spread], [0.75 - half, 0.25 - half, 0])
        np.testing.assert_allclose([bar.get_width() for bar in spread], [2 * half, 2 * half, 0], atol=1e-12)
        assert axes.get_title("right") == f"TV {distance:.2f}"
    heads = [t.get_text() for axes in figure.axes[:2] for t in axes.texts]
    assert heads == ["right", "wrong"]


def test_questions_have_the_same_methods():
    one, other = asked({"a": {"smile": 20}}), asked({"b": {"smile": 20}})
    for questions in ([], [one, other]):
        with pytest.raises(ValueError, match="none|same methods"):
            frequencies_figure(questions)


@pytest.fixture(scope="module")
def results():
    generator = torch.Generator().manual_seed(0)
    truths, samples = (torch.randn(*shape, generator=generator) for shape in ((60, 2), (60, 19, 2)))
    return sbc(truths, samples, names=("a$", "b")), interval_coverage(truths, samples), tarp(truths, samples)


def test_calibration_has_a_row_per_method_and_says_its_verdict(results):
    figure = calibration_figure({"exact": results, "guide_1": results})
    check_whole(figure)
    assert len(figure.axes) == 6
    for k, result in enumerate(results):
        for axes in (figure.axes[k], figure.axes[3 + k]):
            said = " ".join(text.get_text() for text in axes.texts).replace("\n", " ")
            assert result.verdict.replace("$", r"\$") in said
    share = results[1].coverage.numpy()
    np.testing.assert_allclose(figure.axes[1].containers[0].lines[0].get_ydata(), share[0])
    np.testing.assert_allclose(figure.axes[2].lines[1].get_ydata(), results[2].ecp.numpy())
    with pytest.raises(ValueError, match="same tests"):
        calibration_figure({"exact": results, "guide": results[:2]})
    with pytest.raises(ValueError, match="same tests"):
        calibration_figure({})


def test_each_test_alone(results):
    ranks, intervals, points = results
    figure = sbc_figure(ranks)
    check_whole(figure)
    heads = [axes.get_title("left") for axes in figure.axes if axes.get_visible()]
    assert heads == ["Ranks of the truth", r"a\$", "b"]
    for figure in (coverage_figure(intervals, ["a", "b"]), tarp_figure(points)):
        check_whole(figure)
    with pytest.raises(ValueError, match="1 names for 2"):
        coverage_figure(intervals, ["a"])
    regions = coverage(torch.zeros(9), torch.randn(9, 19, generator=torch.Generator().manual_seed(1)))
    assert coverage_figure(regions).axes[0].get_legend() is None
