"""The folder of a study: ended at any moment nothing is lost and nothing done twice; changed settings are refused."""

import json
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from tests.evaluation.study.conftest import command, evaluate, records
from tests.kills import forked
from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.study import priors
from vipaint_pyro.evaluation.study.conditions import measured
from vipaint_pyro.evaluation.study.records import StudyFolder
from vipaint_pyro.files import is_scratch
from vipaint_pyro.images import read_image

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

#: A study of one item.
ONE = {"methods": "dps:num_steps=3", "conditions": ["--masks", "rotated"], "images": 1}


@pytest.mark.drawn
def test_what_is_in_the_folder(here):
    result = evaluate("--keep", "all")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[-1] == "8 of 8 items are done, in out: open out/report.html" and lines[0].startswith("[1/8] image 0 ")
    assert len([line for line in lines if line.startswith("[")]) == 8
    assert [line for line in lines if line.startswith("| condition")] and (here / "out" / "report.html").is_file()
    assert "left" in lines[0] and "left" not in lines[7]
    found = records()
    assert len(found) == 8 and all(r["error"] is None for r in found.values())
    assert "records/rotated/dps-num_steps-3/00001.json" in found
    mask, truth, given = (
        np.asarray(read_image(p))
        for p in ("out/masks/rotated/00001.png", "out/truth/00001.png", "pictures/1.png")
    )
    y = load_file("out/measured/super-resolution/00001.safetensors")["y"]
    assert mask.shape == (8, 8) and set(mask.flat) == {0, 255} and y.shape == (1, 1, 2, 2)
    hidden = ~measured("rotated", torch.zeros(1, 1, 8, 8), 0, 1).operator.observed[0, 0]
    assert ((mask == 255) == hidden.numpy()).all() and (truth == given).all()
    samples = load_file("out/samples/rotated/dps-num_steps-3/00001.safetensors")["samples"]
    assert samples.shape == (2, 1, 8, 8) and samples.dtype == torch.uint8
    features = load_file("out/features/rotated/dps-num_steps-3/00001.safetensors")["features"]
    of_truth = load_file("out/features/truth/00001.safetensors")["features"]
    assert features.shape == (2, 256) and of_truth.shape == (1, 256)
    assert all(r["features"] == "lpips-alex" for r in found.values())
    assert "KID on LPIPS-Alex features, lower is better" in (here / "out" / "report.html").read_text()
    head = json.loads((here / "out" / "plan.json").read_text())
    assert len(head["features_weights"]) == 12
    assert head["plan"]["images"] == 2 and head["weights"] == next(iter(found.values()))["weights"]


def test_more_is_added_and_what_is_there_stays(here):
    assert evaluate(images=1).exit_code == 0
    before = {p: p.read_bytes() for p in (here / "out" / "records").rglob("*.json")}
    more = evaluate(methods="dps:num_steps=3,blended:num_steps=3", conditions=["--masks", "rotated,random"])
    assert more.exit_code == 0, more.output
    assert "1 of 8 items are there" in more.output and len(records()) == 4 + 7
    assert all(p.read_bytes() == text for p, text in before.items())
    plan = StudyFolder("out").plan()
    assert plan.images == 2 and len(plan.methods) == 3 and plan.conditions == ("rotated", "super-resolution", "random")
    again = evaluate(images=1)
    assert again.exit_code == 0 and "4 of 4 items are there" in again.output and "[1/" not in again.output


def test_changed_settings_are_refused_with_the_difference(here):
    assert evaluate(images=1).exit_code == 0
    refused = evaluate("--seed", 3, "--guidance", "1.0", images=1)
    assert refused.exit_code == 1 and "(seed: 0 -> 3): choose another --out" in refused.output
    (here / "chosen.json").write_text('{"methods": {"dps:num_steps=3": {"zeta": 0.1}}}')
    refused = evaluate("--settings", "chosen.json", images=1)
    assert "zeta of dps:num_steps=3 under rotated: not given -> 0.1" in refused.output
    with open("prior/unet/diffusion_pytorch_model.safetensors", "r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\0\0\0\0")
    priors.load.cache_clear()
    refused = evaluate(images=1)
    assert refused.exit_code == 1 and "(weights: " in refused.output and len(refused.output.splitlines()) == 1


def test_other_prompts_and_labels_are_changes(here):
    shutil.move("pictures", "all")
    for label, name in enumerate(("cat", "dog")):
        os.makedirs(f"pictures/{name}")
        shutil.copy(f"all/{label}.png", f"pictures/{name}")
    told = command("--labels", "true", images=2)
    assert CliRunner().invoke(main, told).exit_code == 0
    assert {r["settings"]["label"] for r in records().values()} == {0, 1}
    index = here / "prior" / "model_index.json"  # the same picture, and classes in another order
    index.write_text(json.dumps(json.loads(index.read_text()) | {"class_names": ["dog", "cat"]}))
    priors.load.cache_clear()
    refused = CliRunner().invoke(main, told)
    assert refused.exit_code == 1 and "label of image 0: 0 -> 1 has changed" in refused.output


def test_something_else_is_not_added_to(here):
    (here / "out").mkdir()
    (here / "out" / "letters.txt").write_text("mine")
    refused = evaluate()
    assert refused.exit_code == 1 and "out holds something else than a study" in refused.output
    assert [p.name for p in (here / "out").iterdir() if p.name != ".lock"] == ["letters.txt"]


def test_two_runs_of_one_study_are_refused(here):
    with StudyFolder("out").alone():
        refused = evaluate()
    assert refused.exit_code == 1 and "another run is at work in out" in refused.output
    assert evaluate(**ONE).exit_code == 0


def test_a_damaged_record_is_named(here):
    assert evaluate(**ONE).exit_code == 0
    path = here / "out" / "records" / "rotated" / "dps-num_steps-3" / "00000.json"
    for text in ("{", "[]", "{}"):
        path.write_text(text)
        refused = evaluate(**ONE)
        assert refused.exit_code == 1 and "00000.json is" in refused.output and len(refused.output.splitlines()) == 1
    path.unlink()
    assert evaluate(**ONE).exit_code == 0


def test_other_versions_are_warned_of(here):
    assert evaluate(**ONE).exit_code == 0
    path = here / "out" / "plan.json"
    said = json.loads(path.read_text())
    said["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(said))
    result = evaluate(**ONE)
    assert result.exit_code == 0 and "Warning: the study was begun with another version: torch 1.0 -> " in result.output


def killed_after(action, seconds):
    """The exit status of a process that gets SIGKILL after so long."""
    child = os.fork()
    if not child:
        try:
            silent = os.open(os.devnull, os.O_RDWR)
            for stream in (1, 2):
                os.dup2(silent, stream)
            action()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def battery(kills, seed, images):
    """Kill a study at random moments, of the disk and of the clock, and let it go on until it is done."""
    rng, whole, own = random.Random(seed), command(images=images, out="whole"), command(images=images)
    start = time.perf_counter()
    status, *counts = forked(lambda: main(whole))
    seconds = time.perf_counter() - start
    assert status == 0 and counts[0] > counts[1] > 20, (status, counts)
    unbroken, ended = records("whole"), 0
    for k in range(kills):
        if k % 4 == 3:
            status = killed_after(lambda: main(own), rng.uniform(0, seconds))
        else:
            writing = k % 4 != 2
            status, *_ = forked(lambda: main(own), rng.randint(1, counts[writing]), signal.SIGKILL, writing)
        assert status in (0, -9), (k, status)
        ended += status == -9
        left = {p: p.read_bytes() for p in StudyFolder("out").path.rglob("records/*/*/*.json")}
        there = records("out")
        assert all(there[p] == unbroken[p] for p in there), k
        if rng.random() < 0.5:  # else the next kill meets a study that is begun
            assert forked(lambda: main(own))[0] == 0, k
            assert records("out") == unbroken, k
            assert all(p.read_bytes() == text for p, text in left.items()), k  # seconds and all: not done again
            assert not [p for p in StudyFolder("out").path.rglob("*") if is_scratch(p)], k
            shutil.rmtree("out")
    assert ended > kills / 2
    assert forked(lambda: main(own))[0] == 0 and records("out") == unbroken


@pytest.mark.slow
def test_killed_at_a_few_moments_nothing_is_lost_and_nothing_done_twice(here):
    assert evaluate(out="warm", images=1).exit_code == 0  # what it imports is there for all others
    battery(3, seed=0, images=1)


@pytest.mark.slow
@pytest.mark.long
def test_killed_at_fifty_moments_nothing_is_lost_and_nothing_done_twice(here):
    assert evaluate(out="warm", images=1).exit_code == 0
    battery(50, seed=1, images=2)


def test_a_signal_leaves_everything_in_order(here):
    assert evaluate(out="warm", images=1).exit_code == 0
    own, whole = command(images=1), command(images=1, out="whole")
    _, _, writing = forked(lambda: main(whole))
    for by, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        assert forked(lambda: main(own), writing // 3, by, True)[0] == status
        left = records("out")
        assert 0 < len(left) < 4 and all(left[p] == r for p, r in records("whole").items() if p in left)
        assert forked(lambda: main(own))[0] == 0 and records("out") == records("whole")
        shutil.rmtree("out")
