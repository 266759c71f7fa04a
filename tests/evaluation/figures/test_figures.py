"""Every figure by a tiny budget; and its numbers are those of the samplers, called directly."""

import json
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from tests.evaluation.figures.common import VIPAINT, plan_of, tiny_scene
from tests.samplers.test_registry import CHEAP
from vipaint_pyro.evaluation.figures import FIGURES, Drawing
from vipaint_pyro.evaluation.figures.courses import from_grey
from vipaint_pyro.evaluation.figures.drawing import write
from vipaint_pyro.evaluation.figures.record import facts_of
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.samplers import timesteps_for
from vipaint_pyro.samplers.registry import make_sampler
from vipaint_pyro.samplers.run import Stop


@pytest.fixture
def scene(network_prior):
    return lambda number: tiny_scene(network_prior, number)


def drawn(number, scene, tmp_path) -> tuple[Drawing, dict]:
    """A figure, and what its file says."""
    plan = plan_of(number)
    with Watch() as watch:
        drawing = FIGURES[number].draw(scene, plan, watch)
        assert watch._bar.n == watch._bar.total  # all steps, and no others, were foreseen
    write(tmp_path / "figure.png", drawing, facts_of(FIGURES[number], scene, plan, {"command": "vipaint figure"}))
    return drawing, json.loads((tmp_path / "figure.json").read_text())


def seeded(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def direct(scene, name, samples=2, stop=None, **settings):
    """What a sampler gives on the scene, by its public call."""
    prior = scene.prior.conditioned(scene.labels)

    def on_step(progress):
        return Stop() if progress.step + 1 == stop else None

    return make_sampler(name, **settings)(prior, scene.measurement, samples, seeded(*scene.seeds), on_step)


def expected(scene, x) -> dict[str, list[float]]:
    observed = scene.measurement.operator.observed
    composite = torch.where(observed, scene.truth, x.clamp(-1, 1))
    return {
        "observed_error": observed_error(x, scene.truth, observed).mean(0).tolist(),
        "psnr": psnr(composite, scene.truth).mean(0).tolist(),
        "diversity": diversity(x, observed).tolist(),
        "lpips_composite": shared_lpips("alex", None, torch.device("cpu"))(composite, scene.truth).mean(0).tolist(),
    }


def check(found: dict, scene, x) -> None:
    for column, values in expected(scene, x).items():
        assert found[column] == pytest.approx(values, rel=1e-6, abs=1e-9), column


#: Columns and rows of pictures; None where a figure is of curves.
SHAPES = {2: (4, 7), 4: (4, 2), 5: (12, 2), 6: (10, 2), 7: (6, 2), 9: (6, 2), 10: None, 24: (6, 2)}


@pytest.mark.battery
@pytest.mark.parametrize("number", FIGURES)
def test_a_figure_is_drawn_and_says_how(number, scene, tmp_path):
    here = scene(number)
    drawing, said = drawn(number, here, tmp_path)
    if SHAPES[number] is not None:
        columns, rows = SHAPES[number]
        side = {2: 84, 5: 84, 6: 84, 7: 84}.get(number, 98)
        assert (drawing.picture.width - 12) // (side + 6) >= columns - 1
        assert (drawing.picture.height - 6) // (side + 6) == rows
    assert said["figure"] == number and said["title"] == FIGURES[number].title and said["paper"] == "arXiv:2411.18929"
    assert said["images"] == [200, 201][: len(here)] and said["seeds"] == [205, 206][: len(here)]
    assert set(said["numbers"]) >= {"vipaint"} or number in (9, 10, 24)
    assert said["versions"].keys() >= {"vipaint-pyro", "torch", "python"} and len(said["weights"]) == 12
    assert said["samplers"] and all("class" in settings for settings in said["samplers"].values())


class Titles:
    """A stand-in for the sheet, which keeps the words."""

    def __init__(self, rows, columns, side, names=(), title=""):
        self.columns, self.names, self.title, self.size = columns, names, title, (len(rows), len(columns))


@pytest.mark.battery
@pytest.mark.parametrize("number", [n for n, shape in SHAPES.items() if shape is not None])
def test_a_sheet_says_what_it_shows(number, scene, monkeypatch):
    here = replace(scene(number), name="some-prior")
    monkeypatch.setattr(import_module(f"vipaint_pyro.evaluation.figures.{FIGURES[number].place}"), "grid", Titles)
    with Watch(quiet=True) as watch:
        drawing = FIGURES[number].draw(here, plan_of(number), watch)
    sheet, numbers = drawing.picture, drawing.numbers
    images = "test image 200" if len(here) == 1 else "test images 200 ... 201"
    assert sheet.title.startswith(f"some-prior, {images}; lilac: hidden\n") and len(sheet.names) == sheet.size[0]
    if number in (2, 4):
        assert [c.split("LPIPS")[0].split() for c in sheet.columns[2:]] == [["iteration", "1"], ["iteration", "3"]]
    if number == 4:
        for column, found in zip(sheet.columns[2:], numbers["vipaint"], strict=True):
            assert column.endswith(f"\nLPIPS {found['lpips_composite'][0]:.4f}")
    elif number != 2:
        said = [c.rpartition("\n")[2] for c in sheet.columns if "\nLPIPS " in c]
        of = "lpips_raw" if number in (5, 6) else "lpips_composite"
        means = [sum(q[of]) / len(q[of]) for q in numbers.values() if of in q and isinstance(q[of], list)]
        assert said == [f"LPIPS {mean:.4f}" for mean in means]
    assert number == 2 or "lower is better" in sheet.title


def test_figure_2_begins_everywhere_at_the_published_start_of_red_diff(scene):
    here = scene(2)
    grey, y = from_grey(here), here.measurement.y
    start, own = grey.measurement.operator.estimate(y), here.measurement.operator.estimate(y)
    assert torch.equal(start, y) and torch.equal(grey.measurement.y, y) and not torch.equal(own, y)
    assert isinstance(here.measurement.operator, type(grey.measurement.operator).__base__)  # and else the same


def test_figure_2_is_the_samplers_after_so_many_steps(scene, tmp_path):
    here = scene(2)
    _, said = drawn(2, here, tmp_path)
    here = from_grey(here)
    for name in ("red-diff", "red-diff-v"):
        for k, found in zip((1, 3), said["numbers"][name], strict=True):
            x = direct(here, name, num_steps=3, stop=k).images
            assert found["iterations"] == k and found["calls"] == k
            check(found, here, x)
            mean = x.clamp(-1, 1).mean(0)
            assert found["psnr_of_mean"] == pytest.approx(psnr(mean, here.truth).tolist())
    assert said["samplers"]["red-diff"]["num_steps"] == 3


def of_guide(scene, guide, k):
    """What is drawn from a guide, with noise that its fit has not seen."""
    sampler = make_sampler("vipaint", **VIPAINT, fit_steps=k).from_guide(guide)
    prior = scene.prior.conditioned(scene.labels)
    return sampler(prior, scene.measurement, 2, seeded(*(10**6 + s for s in scene.seeds))).images


@pytest.mark.parametrize("number", [2, 4])
def test_figures_2_and_4_draw_from_the_guide_of_so_many_steps(number, scene, tmp_path):
    here = scene(number)
    _, said = drawn(number, here, tmp_path)
    here = from_grey(here) if number == 2 else here
    for k, found in zip((1, 3), said["numbers"]["vipaint"], strict=True):
        fitted = direct(here, "vipaint", **VIPAINT, fit_steps=k)
        check(found, here, of_guide(here, fitted.guide, k))
        fit, draws = fitted.calls["fit"], fitted.calls["refinement"]
        assert found["iterations"] == k and found["calls"] == (fit + draws) / 2


def test_figure_10_is_a_run_of_its_own_at_every_point(scene, tmp_path):
    here = scene(10)
    drawing, said = drawn(10, here, tmp_path)
    for levels in (2, 4):
        for k, found in zip((1, 3), said["numbers"][f"VIPaint-{levels}"], strict=True):
            times = timesteps_for(here.prior, levels)
            samples = direct(here, "vipaint", **VIPAINT, fit_steps=k, timesteps=times)
            check(found, here, samples.images)
            lpips = torch.tensor(found["lpips_composite"], dtype=torch.float64)
            assert found["lpips"]["mean"] == pytest.approx(lpips.mean().item())
            assert found["lpips"]["standard_error"] == pytest.approx(lpips.std().item() / 2**0.5)
            assert found["calls"] == sum(samples.calls.values()) / 2
    for axes, cost in zip(drawing.picture.axes, ("seconds", "calls"), strict=True):
        lines = [line for line in axes.lines if len(line.get_xdata()) > 1]  # the others are marks and their bars
        for line, points in zip(lines, said["numbers"].values(), strict=True):
            assert list(line.get_xdata()) == pytest.approx([p[cost] for p in points])


def test_figure_5_is_one_sample_by_each_method(scene, tmp_path):
    here = scene(5)
    _, said = drawn(5, here, tmp_path)
    x = direct(here, "dps", samples=1, **CHEAP["dps"]).images
    assert said["numbers"]["dps"]["observed_error"] == pytest.approx(
        observed_error(x, here.truth, here.measurement.operator.observed).mean(0).tolist()
    )


def test_figure_9_compares_image_by_image(scene, tmp_path):
    _, said = drawn(9, scene(9), tmp_path)
    numbers = said["numbers"]
    a, b = (torch.tensor(numbers[n]["lpips_raw"]) for n in ("with LPIPS", "without LPIPS"))
    difference = numbers["with minus without, image by image"]["lpips_raw"]
    assert difference["mean"] == pytest.approx((a - b).mean().item(), abs=1e-7)
    assert said["samplers"]["with LPIPS"]["perceptual"] == 64 and said["samplers"]["without LPIPS"]["perceptual"] == 0


def test_figure_24_changes_the_label_alone(scene, tmp_path):
    here = scene(24)
    _, said = drawn(24, here, tmp_path)
    assert {name: n["label"] for name, n in said["numbers"].items()} == {"0": 0, "1": 1, "2": 2, "3": 3}
    assert [n["own"] for n in said["numbers"].values()] == [False, True, False, False]
    for label in (0, 3):
        other = here.of_labels(label)
        check(said["numbers"][str(label)], other, direct(other, "vipaint", **VIPAINT, fit_steps=2).images)
