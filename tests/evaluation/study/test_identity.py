"""A study's numbers stand for the same pictures as before, or the command is refused before anything is computed."""

import hashlib
import json
import shutil

import numpy as np
import PIL.Image
import pytest
import torch

from tests.evaluation.study.conftest import evaluate, records
from vipaint_pyro.evaluation.study.identity import Picture, check_same, name_in, pixels_of, titled
from vipaint_pyro.images import from_bytes

MASK = ["--masks", "rotated"]


def small(images, *more, methods="dps:num_steps=2"):
    return evaluate("--samples", 1, *more, images=images, methods=methods, conditions=MASK)


def picture(path, seed):
    rng = np.random.default_rng(seed)
    PIL.Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)


def test_pixels_are_those_of_eight_bits_and_the_size():
    eight = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
    expected = hashlib.sha256(b"(1, 3, 4)" + bytes(range(12))).hexdigest()[:16]
    assert pixels_of(from_bytes(eight)) == expected
    assert pixels_of(from_bytes(eight.reshape(1, 4, 3))) != expected
    assert pixels_of(from_bytes(eight) + 1e-4) == expected  # less than half a step


def test_every_record_names_its_picture(here):
    assert small(2).exit_code == 0
    hashed = pixels_of(from_bytes(torch.from_numpy(np.asarray(PIL.Image.open("pictures/1.png")).copy())[None]))
    record = records()["records/rotated/dps-num_steps-2/00001.json"]
    assert record["picture"] == {"name": "1.png", "pixels": hashed}
    assert json.loads((here / "out" / "plan.json").read_text())["pictures"]["00001"] == record["picture"]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_new_picture_that_sorts_first_is_refused(here, dry):
    assert small(2).exit_code == 0
    before = {p: p.read_bytes() for p in (here / "out").rglob("*") if p.is_file()}
    picture("pictures/-new.png", 9)
    refused = small(3, *dry)
    assert refused.exit_code == 1 and len(refused.output.splitlines()) == 1
    assert "(image 0: 0.png -> -new.png; image 1: 1.png -> 0.png): put them back as they were" in refused.output
    assert {p: p.read_bytes() for p in (here / "out").rglob("*") if p.is_file()} == before
    shutil.move("pictures/-new.png", "pictures/9.png")  # as the error says
    assert small(5, *dry).exit_code == 0


@pytest.mark.parametrize("listed", [True, False])
def test_a_replaced_picture_is_refused_where_a_method_is_added(here, listed):
    assert small(2).exit_code == 0
    plan = here / "out" / "plan.json"
    if not listed:  # a study that was begun before plan.json had them: truth/ says what was there
        said = json.loads(plan.read_text())
        del said["pictures"]
        plan.write_text(json.dumps(said))
    shutil.copy("pictures/1.png", "kept.png")
    old = pixels_of(from_bytes(torch.from_numpy(np.asarray(PIL.Image.open("kept.png")).copy())[None]))
    picture("pictures/1.png", 9)
    both = "dps:num_steps=2,blended:num_steps=2"
    refused = small(2, methods=both)
    assert refused.exit_code == 1 and len(refused.output.splitlines()) == 1 and len(records()) == 2
    assert f"(image 1 (1.png): pixels {old} -> " in refused.output and "choose another --out" in refused.output
    shutil.copy("kept.png", "pictures/1.png")
    assert small(2, methods=both).exit_code == 0 and len(records()) == 4


def test_a_picture_that_can_no_longer_be_read_is_another_and_one_that_never_could_may_be_mended(here):
    whole = (here / "pictures" / "1.png").read_bytes()
    (here / "pictures" / "1.png").write_bytes(whole[:60])
    assert small(2).exit_code == 1
    (here / "pictures" / "1.png").write_bytes(whole)
    assert small(2, "--retry-failed").exit_code == 0
    (here / "pictures" / "1.png").write_bytes(whole[:60])
    refused = small(2)
    assert refused.exit_code == 1 and "-> cannot be read" in refused.output and "[" not in refused.output


def test_a_failure_names_its_picture_in_the_log_and_on_the_page(here):
    (here / "pictures" / "1.png").write_text("no picture")
    lines = small(2).output.splitlines()
    assert [line for line in lines if line.startswith("[2/2] image 1 (1.png) rotated dps:num_steps=2: failed: ")]
    assert ">1 (1.png)<" in (here / "out" / "report.html").read_text()


def test_only_the_first_differences_are_said():
    before, now = ({i: Picture(f"{side}{i}", "") for i in range(5)} for side in "ab")
    with pytest.raises(ValueError, match="image 2: a2 -> b2; 2 images more"):
        check_same(before, now, "out")
    check_same(before, {7: Picture("x", "")}, "out")


def test_a_name_that_says_no_more_than_the_number_is_left_out():
    assert titled(3, "fashion-mnist 3") == titled(3, None) == "image 3"
    for odd in ({}, {"picture": None}, {"picture": ["x"]}, {"picture": {"name": 3}}):
        assert name_in(odd) is None
    assert titled(3, "cat/c.png") == "image 3 (cat/c.png)"
