"""``vipaint restore``: every task, what is written of it, and what is refused."""

import json

import numpy as np
import PIL.Image
import pytest

from tests.cli.calls import FEW, noise_heard, vipaint
from vipaint_pyro.cli.main import main
from vipaint_pyro.images import read_image


@pytest.fixture
def colour(here):
    """A tiny latent prior of 16x16 colour pictures, a picture, and a small one."""
    from tests.priors.pretrained.tiny import latent_kl

    latent_kl().save_pretrained("latent")
    rng = np.random.default_rng(0)
    for side in (16, 4):
        PIL.Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(f"{side}.png")
    PIL.Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save("grey.png")
    return here


def restore(image, task, *args):
    return vipaint("restore", image, "--task", task, "--prior", "latent", *FEW, "--out", "restored", *args)


@pytest.mark.drawn
def test_restores_a_small_picture(colour):
    result = restore("4.png", "super-resolution", "--scale", 4)
    assert result.exit_code == 0, result.output
    files = {p.name for p in (colour / "restored").iterdir()}
    assert {"observed.png", "sample-01.png", "grid.png", "levels.png", "run.json"} <= files
    assert "guide.safetensors" in files and "guide.json" not in files  # which vipaint draw would need
    page = (colour / "restored" / "report.html").read_text()
    assert "2 restorations of 4.png" in page and "ompletion" not in page and "vipaint draw" not in page
    assert read_image("restored/observed.png").size == (4, 4)
    assert read_image("restored/sample-00.png").size == (16, 16)
    facts = json.loads((colour / "restored" / "run.json").read_text())
    assert facts["task"] == {"name": "super-resolution", "sigma": None, "options": {"scale": 4, "method": "bicubic"}}
    assert facts["settings"]["noise_scale"] == 1 / 16 and facts["settings"]["refine"] == "mmps"
    assert facts["settings"]["measurement_scale"] == 0.03 and facts["hidden_fraction"] is None


@pytest.mark.battery
@pytest.mark.parametrize(
    "image, task, options",
    [
        ("16.png", "super-resolution", ["--scale", 2, "--reduction", "average", "--simulate"]),
        ("16.png", "deblur", ["--kernel-size", 5, "--std", 1.0, "--simulate"]),
        ("16.png", "motion-deblur", ["--length", 5, "--angle", 30]),
        ("16.png", "colorization", ["--sigma", 0.1, "--simulate"]),
        ("grey.png", "colorization", []),
    ],
)
def test_every_task(colour, image, task, options):
    result = restore(image, task, *options)
    assert result.exit_code == 0, result.output
    facts = json.loads((colour / "restored" / "run.json").read_text())
    assert ("to_the_truth" in facts) == ("--simulate" in options)


def test_smc_weighs_by_sigma(here):
    PIL.Image.new("L", (4, 4)).save("small.png")
    more = ["--scale", 2, "--correct", "smc", "--num-particles", 4, "--sigma", 0.3, "--out", "restored"]
    result = vipaint("restore", "small.png", "--task", "super-resolution", "--prior", "prior", *FEW, *more)
    assert result.exit_code == 0, result.output
    facts = json.loads((here / "restored" / "run.json").read_text())
    assert facts["settings"]["measurement_scale"] == facts["task"]["sigma"] == 0.3


@pytest.mark.parametrize(
    "image, task, options, words",
    [
        ("16.png", "super-resolution", [], "the image is 16x16 with 3 channels, but"),
        ("16.png", "super-resolution", [], "if it is a true picture, --simulate measures it first"),
        ("16.png", "colorization", [], "what colorization restores here is 16x16 in grey; if it is a true"),
        ("4.png", "super-resolution", ["--scale", 3], "2, 4, 8, 16 would"),
        (
            "4.png",
            "super-resolution",
            ["--std", 2.0],
            "--task super-resolution has no --std: it has --scale, --reduction",
        ),
        ("16.png", "deblur", ["--sigma", 0, "--simulate"], "in (0, 1]"),
        ("16.png", "deblur", ["--sigma", 2], "in (0, 1], but is 2.0"),
        (
            "16.png",
            "deblur",
            ["--sigma", 0.1, "--measurement-scale", 0.1],
            "--sigma and --measurement-scale both say how much noise is in the image: give one",
        ),
        ("16.png", "deblur", ["--sigma", 0], "0 is none: leave it out"),
        ("16.png", "deblur", ["--kernel-size", 4], "odd"),
        ("16.png", "deblur", ["--label", 1], "unconditional"),
        ("16.png", "deblur", ["--prompt", "a cat"], "takes no text"),
        ("none.png", "deblur", [], "no such file"),
    ],
)
def test_what_cannot_be_restored(colour, image, task, options, words):
    result = restore(image, task, *options)
    assert result.exit_code == 1 and words in result.output, result.output
    assert not (colour / "restored").exists()


def test_the_tasks_are_those_of_the_library():
    from vipaint_pyro.cli.main import TASK_NAMES
    from vipaint_pyro.measurements.tasks import TASKS

    assert list(TASKS) == TASK_NAMES
    known = {name for task in TASKS.values() for name in task.options}
    assert known <= {o.name for o in main.commands["restore"].params}


STEPS = ("--method", "mmps", "--set", "num-steps=3", "--samples", 2)


@pytest.mark.battery
@pytest.mark.parametrize(
    "options, sigma, believed",
    [
        (["--simulate", "--sigma", 0.3], 0.3, 0.3),
        (["--simulate"], 0.05, 0.05),
        (["--simulate", "--sigma", 0.3, "--set", "measurement-scale=0.2"], 0.3, 0.2),
        (["--simulate", "--set", "measurement-scale=0.2"], 0.05, 0.2),
        (["--sigma", 0.3], 0.3, 0.3),
        ([], None, 0.03),
    ],
)
def test_every_method_is_told_of_the_noise(colour, monkeypatch, options, sigma, believed):
    heard = noise_heard(monkeypatch)
    known = ["--task", "deblur", "--kernel-size", 5, "--std", 1.0, "--prior", "latent", "--out", "restored"]
    result = vipaint("restore", "16.png", *known, *STEPS, *options)
    assert result.exit_code == 0, result.output
    facts = json.loads((colour / "restored" / "run.json").read_text())
    assert facts["task"]["sigma"] == sigma and facts["settings"]["measurement_scale"] == believed
    assert heard == [believed]


@pytest.mark.battery
@pytest.mark.parametrize(
    "method, more, hears",
    [
        ("dps", [], False), ("dps", ["--set", "limit=true"], True), ("dps", ["--set", "fraction=0.5"], True),
        ("copaint", [], False), ("red-diff", [], False), ("tds", [], True), ("pigdm", [], True),
        ("vipaint", ["--no-limit"], False), ("vipaint", [], True), ("vipaint", ["--refine", "mmps"], True),
    ],
)  # fmt: skip
def test_who_makes_nothing_of_noise_says_so(here, method, more, hears):
    few = FEW if method == "vipaint" else ["--set", "num-steps=3", "--samples", 2]
    steps = [*few, "--prior", "prior", "--method", method, *more, "--overwrite"]
    known = ["restore", "image.png", "--task", "deblur", "--kernel-size", 3, "--std", 1.0, *steps, "--out", "out"]
    result = vipaint(*known, "--sigma", 0.2)
    assert (result.exit_code == 0) == hears, result.output
    if not hears:
        assert f"the method '{method}' makes nothing of the noise in y: leave --sigma out, or" in result.output
        assert ("limit" in result.output) == (method in ("dps", "vipaint")) and not (here / "out").exists()
    assert vipaint(*known, "--sigma", 0.2, "--simulate").exit_code == 0  # it is what is added
    facts = json.loads((here / "out" / "run.json").read_text())
    assert facts["task"]["sigma"] == 0.2
    assert (facts["settings"].get("measurement_scale") == 0.2) == hears


def test_the_noise_of_a_task_is_what_set_correct_weighs_by_too(here):
    args = ("restore", "image.png", "--task", "super-resolution", "--scale", 2, "--simulate", "--prior", "prior", *FEW)
    args = (*args, "--timesteps", "700,300", "--num-particles", 2)
    for given in (["--correct", "smc"], ["--set", "correct=smc"]):
        result = vipaint(*args, "--sigma", 0.3, *given, "--out", "out", "--overwrite")
        assert result.exit_code == 0, result.output
        facts = json.loads((here / "out" / "run.json").read_text())
        assert facts["settings"]["measurement_scale"] == facts["task"]["sigma"] == 0.3
    result = vipaint(*args, "--correct", "smc", "--set", "measurement-scale=0.2", "--out", "out", "--overwrite")
    assert result.exit_code == 0, result.output
    assert json.loads((here / "out" / "run.json").read_text())["settings"]["measurement_scale"] == 0.2
