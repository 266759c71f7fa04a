"""``vipaint fit`` and ``vipaint draw``: fitted once, drawn from for ever; gone on with after any end."""

import json
import os
import shutil
import signal
from pathlib import Path

import PIL.Image
import pytest
import torch
from safetensors.torch import load_file

from tests.cli.calls import FEW, inpaint, vipaint
from tests.conftest import tiny_unet
from tests.kills import forked
from vipaint_pyro.cli.main import main
from vipaint_pyro.files import is_scratch
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.denoisers import EpsilonDenoiser

ASK = ["--prior", "prior", "--timesteps", "700,300", "--refinement-steps", "3", "--label", "dog", "--quiet"]
STEPS = 4


def fitted(*args, out="fit", image="image.png", mask="mask.png"):
    return vipaint("fit", image, mask, *ASK, "--fit-steps", STEPS, "--checkpoint-every", 1, "--out", out, *args)


def drawn(*args, folder="fit", out="drawn"):
    return vipaint("draw", folder, "--samples", 2, "--quiet", "--out", out, *args)


def good(result):
    assert result.exit_code == 0, result.output
    return result.output


def refused(result, words):
    assert result.exit_code == 1 and words in result.output, result.output
    assert sum(line.startswith("Error: ") for line in result.output.splitlines()) == 1
    assert "Traceback" not in result.output and result.output.splitlines()[-1].startswith("Error: ")


def pictures(folder):
    return [(Path(folder) / f"{kind}-{i:02d}.png").read_bytes() for kind in ("sample", "prediction") for i in range(2)]


def guide(folder):
    return (Path(folder) / "guide.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["hierarchical", "mixture"])
def test_draws_of_a_kept_guide_are_those_of_inpaint(here, name):
    """The fit's random numbers end where the draws' begin, so that both commands draw the same."""
    said = good(fitted("--guide", name, "--seed", 3))
    assert said == "18.8 % of the pixels will be filled\nwrote fit: vipaint draw fit draws from it\n"
    names = {"guide.json", "guide.safetensors", "measurement.safetensors", "observed.png", "run.json"}
    assert {p.name for p in (here / "fit").iterdir()} == names
    good(vipaint("inpaint", "image.png", "mask.png", *ASK, "--fit-steps", STEPS, "--guide", name, "--seed", 3,
                 "--samples", 2, "--out", "at-once"))  # fmt: skip
    for file in ("image.png", "mask.png"):  # what becomes of them is nothing to the guide
        PIL.Image.new("L", (8, 8), 99).save(file)
    assert good(drawn()) == "wrote drawn/: look at grid.png first\n"
    assert pictures("drawn") == pictures("at-once") and guide("fit") == guide("at-once")
    facts = json.loads((here / "drawn" / "run.json").read_text())
    assert facts["fit_seed"] == 3 and facts["seed"] is None and facts["label"] == 1 and facts["guide"] == "fit"
    assert set(facts["denoiser_calls"]) == {"refinement"} and not (here / "drawn" / "bound.png").exists()
    for folder in ("at-once", "drawn"):  # what draws is itself drawn from
        good(drawn(folder=folder, out=f"again-{folder}"))
        assert pictures(f"again-{folder}") == pictures("at-once")


def test_seeds_of_draws(here):
    good(fitted())
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        good(drawn("--seed", seed, out=out))
    assert pictures("a") == pictures("b") != pictures("c")
    good(vipaint("draw", "fit", "--quiet", "--samples", "1"))
    assert (here / "fit-draws" / "sample-00.png").exists() and not (here / "fit-draws" / "sample-01.png").exists()
    refused(vipaint("draw", "fit", "--quiet", "--samples", "1"), "holds an earlier run")
    refused(drawn("--overwrite", out="fit"), "holds the guide fit")


def at_call(monkeypatch, n, trouble):
    """The network, whose n-th call from here on raises."""
    network, calls = EpsilonDenoiser.output, []

    def output(self, z, time, condition):
        calls.append(1)
        if len(calls) == n:
            trouble()
        return network(self, z, time, condition)

    monkeypatch.setattr(EpsilonDenoiser, "output", output)


def stop():
    raise KeyboardInterrupt


def calls_of_a_fit(monkeypatch):
    count = []
    at_call(monkeypatch, 0, stop)
    network = EpsilonDenoiser.output
    monkeypatch.setattr(EpsilonDenoiser, "output", lambda *a: count.append(1) or network(*a))
    good(fitted(out="unbroken"))
    monkeypatch.undo()
    return len(count)


@pytest.mark.parametrize("name", ["hierarchical", "mixture"])
def test_ctrl_c_twice_and_the_fit_goes_on_to_the_same_guide(here, monkeypatch, name):
    good(fitted("--guide", name, out="unbroken"))
    at_call(monkeypatch, 6, stop)
    refused(fitted("--guide", name), "Error: stopped by Ctrl-C: ")
    kept = [json.loads(read_head("fit"))["step"]]
    at_call(monkeypatch, 6, stop)
    result = fitted("--guide", name, "--resume")
    kept.append(json.loads(read_head("fit"))["step"])
    assert 0 < kept[0] < kept[1] < STEPS
    refused(result, f"{kept[1]} of {STEPS} steps are kept in fit: the same command with --resume goes on")
    monkeypatch.undo()
    here = os.getcwd()
    os.chdir(here)
    refused(drawn(), "fit holds no fitted guide")
    refused(fitted("--guide", name), "holds a fit that was ended: go on with --resume")
    good(fitted("--guide", name, "--resume"))
    assert guide("fit") == guide("unbroken")
    for out, folder in (("one", "fit"), ("other", "unbroken")):
        good(drawn(folder=folder, out=out))
    assert pictures("one") == pictures("other")
    refused(fitted("--guide", name, "--resume"), "the fit in fit is finished: vipaint draw fit draws from it")


def read_head(folder):
    from safetensors import safe_open

    with safe_open(Path(folder) / "checkpoint.safetensors", "pt") as file:
        return file.metadata()["vipaint-pyro checkpoint"]
