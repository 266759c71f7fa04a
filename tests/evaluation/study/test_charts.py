"""Quality against calls: what is drawn where."""

import pytest

from vipaint_pyro.evaluation.study.charts import family, quality_vs_calls
from vipaint_pyro.evaluation.study.found import read_study

METHODS = ["dps", "dps@1000", "dps@50", "vipaint-4@50:beta=2", "free"]


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("dps", ("dps", None)),
        ("dps@50", ("dps", 50)),
        ("vipaint-4@50:beta=2;x=a@b", ("vipaint-4:beta=2;x=a@b", 50)),
        ("x:y=@3", ("x:y=@3", None)),
        ("<b>@many", ("<b>", None)),
    ],
)
def test_families(spec, expected):
    assert family(spec) == expected


@pytest.fixture
def figure(study):
    s = study(METHODS, conditions=("rotated", "box"), images=2)
    for condition in ("rotated", "box"):
        for method, forward in zip(METHODS, (400, 1000, 50, 52, 0)):
            for image in range(2):
                s.add(condition, method, image, lpips=0.2 + 0.1 * image, forward=forward)
    return quality_vs_calls(read_study(s.folder), "lpips_composite")


def test_lines_join_the_calls_of_one_name(figure):
    axes = figure.axes[0]
    lines = [line.get_xydata().tolist() for line in axes.lines if line.get_linestyle() != "None"]
    joined = [line for line in lines if len(line) == 2 and line[0][0] < line[1][0]]
    ((low, high),) = joined  # dps@50 and dps@1000, by calls; dps itself stands alone
    assert high == pytest.approx([1999, 0.25]) and low == pytest.approx([99, 0.25])  # 1000 + 999, 50 + 49
    assert figure.axes[0].get_xlabel().startswith("calls per sample, forward + backward")


def test_a_panel_per_condition_with_error_bars(figure):
    first, second = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["rotated (n = 2)", "box (n = 2)"]
    assert first.get_xscale() == second.get_xscale() == "log"
    bars = [c for c in first.containers if c.has_yerr]
    assert len(bars) == 4
    ((below, above),) = bars[0].lines[2][0].get_segments()
    assert (below[1], above[1]) == pytest.approx((0.2, 0.3))  # 0.25 and a standard error of 0.05
    assert "not shown, without calls: free" in first.get_xlabel()


def test_every_method_has_its_own_look(figure, study):
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["dps", "vipaint-4:beta=2", "free", "larger: lies behind"]
    many = study([f"m{k}" for k in range(30)], name="many")
    for k in range(30):
        many.add("rotated", f"m{k}", 0, forward=k + 1)
    legend = quality_vs_calls(read_study(many.folder), "lpips_composite").legends[0]
    looks = {(h.get_color(), h.get_marker()) for h in legend.legend_handles[:30]}
    assert len(looks) == 30


def test_names_are_no_formulas(study):
    s = study(["a$b$", "x_1^2"], conditions=("rotated",))
    for method in ("a$b$", "x_1^2"):
        s.add("rotated", method, 0)
    figure = quality_vs_calls(read_study(s.folder), "lpips_composite")
    figure.canvas.draw()
    assert figure.legends[0].get_texts()[0].get_text() == r"a\$b\$"


def test_what_is_on_its_own_images_is_hollow_and_said(study):
    s = study(["dps", "daps"], images=3)
    for image in range(3):
        s.add("rotated", "dps", image)
    s.add("rotated", "daps", 0, forward=20)
    figure = quality_vs_calls(read_study(s.folder), "lpips_composite")
    fills = [c.lines[0].get_markerfacecolor() for c in figure.axes[0].containers]
    assert fills[1] == "white" != fills[0]
    assert figure.legends[0].get_texts()[-1].get_text() == "hollow: on its own images"


def figure_of(s):
    return quality_vs_calls(read_study(s.folder), "lpips_composite")


def test_equal_calls_stand_where_they_are_and_are_told_apart(study):
    methods = ["vipaint", "dps", "blended"]
    s = study(methods, images=2)
    for image in range(2):
        for method in methods:
            s.add("rotated", method, image, lpips=0.3 + 0.1 * image, forward=20)
    axes = figure_of(s).axes[0]
    marks = [c.lines[0] for c in axes.containers]
    assert [m.get_xydata().tolist() for m in marks] == [[[39, pytest.approx(0.35)]]] * 3
    sizes, heights = [m.get_markersize() for m in marks], [m.get_zorder() for m in marks]
    assert sizes == sorted(sizes, reverse=True) and heights == sorted(heights) and len({*sizes}) == 3
    assert len({m.get_marker() for m in marks}) == 3
    assert figure_of(s).legends[0].get_texts()[-1].get_text() == "larger: lies behind"


def test_marks_that_are_apart_are_of_one_size(study):
    s = study(["vipaint", "dps"], images=2)
    for image in range(2):
        s.add("rotated", "vipaint", image, lpips=0.1 + 0.01 * image, forward=20)
        s.add("rotated", "dps", image, lpips=0.3 + 0.01 * image, forward=20)
    figure = figure_of(s)
    assert len({c.lines[0].get_markersize() for c in figure.axes[0].containers}) == 1
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["vipaint", "dps"]


def test_one_method_of_one_image_has_marks_on_its_axis(study):
    s = study(["dps"], images=1)
    s.add("rotated", "dps", 0, forward=20)
    axes = figure_of(s).axes[0]
    low, high = axes.get_xlim()
    assert high / low == pytest.approx(4) and (low * high) ** 0.5 == pytest.approx(39)
    assert sum(low <= tick <= high for tick in axes.get_xticks()) >= 2
