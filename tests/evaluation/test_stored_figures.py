"""The figures in examples/figures still come from the settings of now: a run there computes nothing anew."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.evaluation.benchmarks import completion, pictures, restoration
from vipaint_pyro.evaluation.engines import compare, kept_results, samplers
from vipaint_pyro.evaluation.records import Kept, file_name
from vipaint_pyro.evaluation.tables import HEADINGS, table
from vipaint_pyro.measurements.perceptual import published_weight
from vipaint_pyro.samplers.estimate import Estimate

FIGURES = Path(__file__).parent.parent.parent / "examples" / "figures"
IMAGES = 100


@pytest.fixture(scope="module")
def faces():
    return DiffusionPrior.from_pretrained("cartoon-faces")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder with the hundred faces, which take a while to draw."""
    folder = tmp_path_factory.mktemp("faces")
    pictures("cartoon-faces", "test", IMAGES, "", folder)
    return folder


def stored(folder, prior):
    """The samplers of the examples whose figures are there, by name."""
    every = {**samplers(prior, 5), "the estimate alone": Estimate()}
    return {n: s for n, s in every.items() if (FIGURES / folder / f"{file_name(n)}.json").exists()}


def check(folder, benchmark, prior):
    methods = stored(folder, prior)
    assert {"VIPaint-4", "VIPaint-2", "DPS, equal calls"} <= methods.keys()
    for kept in kept_results(FIGURES / folder, methods, benchmark, prior, 5).values():
        assert kept.missing(IMAGES) == [] and kept.missing(IMAGES + 1) == [IMAGES]
    # As 02_completion_quality.py and 12_restoration.py do it: all is complete at once.
    found = compare(FIGURES / folder, methods, benchmark, prior, 5, 4, log=lambda text: pytest.fail(text))
    assert found.keys() == methods.keys()
    return {name: kept.quality(IMAGES) for name, kept in found.items()}


def written(folder):
    return (FIGURES / folder / "table.md").read_text()


@pytest.mark.parametrize("masks", ["rotated", "random", "small"])
def test_completions(masks, faces, cache):
    benchmark = completion("cartoon-faces", masks, IMAGES, True, "test", "", cache)
    results = check(f"faces-{masks}", benchmark, faces)
    assert written(f"faces-{masks}") == table(results, list(HEADINGS)) + "\n"


@pytest.mark.parametrize("task", ["super-resolution", "deblur"])
def test_restorations(task, faces, cache):
    benchmark = restoration("cartoon-faces", task, IMAGES, True, "test", "", cache)
    results = check(f"faces-{task}", benchmark, faces)
    columns = ["lpips_raw", "psnr", "observed_error", "diversity"]
    assert written(f"faces-{task}").endswith(table(results, columns, deviation=True) + "\n")


def test_the_perceptual_ablation(faces, cache):
    """As 11_perceptual_ablation.py does it."""
    four = samplers(faces, 5)["VIPaint-4"]
    weight = published_weight(faces)
    methods = {
        "LPIPS in both": replace(four, perceptual=weight, perceptual_refinement=2.0),
        "LPIPS in the fit": replace(four, perceptual=weight),
        "LPIPS in the refinement": replace(four, perceptual_refinement=2.0),
    }
    benchmark = completion("cartoon-faces", "rotated", IMAGES, True, "test", "", cache)
    for kept in kept_results(FIGURES / "faces-rotated", methods, benchmark, faces, 5).values():
        assert kept.missing(IMAGES) == []


@pytest.mark.parametrize("path", sorted(FIGURES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_read_is_written_byte_by_byte(path):
    kept = Kept(path.with_suffix(""), json.loads(path.read_text())["facts"])
    assert kept._text(kept._read()) == path.read_text()
