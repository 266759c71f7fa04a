"""``vipaint inpaint`` with --region, --resize and --expand."""

import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from tests.cli.calls import FEW, inpaint, vipaint
from tests.test_reading import in_srgb_by_hand, p3_profile
from vipaint_pyro.cli.run import draw
from vipaint_pyro.faults import NonFiniteError


def picture(mode, size=(24, 20), seed=1):
    """Noise in grey, as the tiny prior is of one channel, its hole with a soft edge."""
    grey = PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], dtype=np.uint8))
    result = grey.convert(mode)
    if mode == "RGBA":
        alpha = np.full(size[::-1], 255, np.uint8)
        alpha[8:14, 9:15], alpha[9:13, 10:14] = 200, 0  # as an eraser leaves it
        result.putalpha(PIL.Image.fromarray(alpha))
    result.save("large.png")
    return np.asarray(result)


def hide(*boxes, size=(24, 20)):
    hidden = np.zeros(size[::-1], bool)
    for left, top, right, bottom in boxes:
        hidden[top:bottom, left:right] = True
    PIL.Image.fromarray(hidden.astype(np.uint8) * 255).save("hole.png")
    return hidden


def read(*parts):
    return np.asarray(PIL.Image.open(Path(*parts)))


def test_a_region_of_the_priors_size_is_todays_run(here):
    for out, more in {"plain": [], "auto": ["auto"], "tiles": ["tiles"], "given": ["0,0,8,8"]}.items():
        done = inpaint("--out", out, *(["--region", *more] if more else []))
        assert done.exit_code == 0, done.output
    for out in ("auto", "tiles", "given"):
        for name in ("sample-00.png", "sample-01.png"):
            np.testing.assert_array_equal(read("plain", name), read(out, name))
            assert Path("plain", name).read_bytes() == Path(out, "region-1", name).read_bytes()
    assert inpaint("--out", "auto", "--region", "auto", "--overwrite").exit_code == 0
    Path("auto/region-1/mine.txt").write_text("mine")
    kept = inpaint("--out", "auto", "--region", "auto", "--overwrite")
    assert kept.exit_code == 1 and "region-1/mine.txt" in kept.output


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_known_pixels_keep_their_bytes(here, mode):
    before, hidden = picture(mode), hide((9, 8, 15, 14))
    ask = ("--mask-from-alpha",) if mode == "RGBA" else ("hole.png",)
    done = vipaint("inpaint", "large.png", *ask, "--prior", "prior", *FEW, "--region", "auto", "--out", "out")
    assert done.exit_code == 0, done.output
    assert "region 1 of 1: 12x12 at 6,5 of 24x20, resized to 8x8" in done.output
    assert "\n25.0 % of the square's 8x8 pixels will be filled\n" in done.output  # of the picture's it is 7.5 %
    after = PIL.Image.open("out/sample-00.png")
    assert after.mode == mode and after.size == (24, 20)
    np.testing.assert_array_equal(np.asarray(after)[~hidden], before[~hidden])
    assert (np.asarray(after)[hidden] != before[hidden]).any()
    if mode == "RGBA":
        assert (np.asarray(after)[hidden][:, 3] == 255).all()
    facts = json.loads(Path("out/run.json").read_text())
    assert facts["regions"] == [{"left": 6, "top": 5, "side": 12}] and facts["size"] == [24, 20]


@pytest.mark.drawn
def test_each_of_several_holes_has_its_own_fit(here):
    before, hidden = picture("L"), hide((1, 1, 4, 4), (20, 15, 23, 18))
    done = inpaint("--region", "auto", "--out", "out", image="large.png", mask="hole.png")
    assert done.exit_code == 0 and "region 2 of 2" in done.output, done.output
    after = read("out", "sample-01.png")
    np.testing.assert_array_equal(after[~hidden], before[~hidden])
    mean, spread = read("out", "mean.png"), read("out", "std.png")
    np.testing.assert_array_equal(mean[~hidden], before[~hidden])
    both = np.stack([read("out", f"sample-{i:02d}.png") for i in range(2)]).astype(float)
    np.testing.assert_allclose(mean, both.mean(0), atol=1)
    white = json.loads(Path("out/run.json").read_text())["std_white"]
    np.testing.assert_allclose(spread / 255 * white, (both / 255).std(0, ddof=1), atol=0.005)
    assert not spread[~hidden].any() and spread.max() == 255 and Path("out/spread.png").exists()
    assert "What they agree on" in Path("out/report.html").read_text()
    for k, (x, y) in enumerate([(0, 0), (16, 12)]):
        small = read("out", f"region-{k + 1}", "sample-01.png")
        np.testing.assert_array_equal(after[y : y + 8, x : x + 8], small)
        assert Path("out", f"region-{k + 1}", "guide.safetensors").exists()


@pytest.mark.parametrize("more", [(), ("hole.png",)])
def test_outpainting(here, more):
    before = picture("L")
    hidden = np.pad(hide((9, 8, 15, 14)) if more else np.zeros((20, 24), bool), ((0, 4), (4, 0)), constant_values=True)
    done = vipaint("inpaint", "large.png", *more, "--prior", "prior", *FEW, "--expand", "4,0,0,4", "--out", "out")
    assert done.exit_code == 0, done.output
    after = read("out", "sample-00.png")
    assert after.shape == (24, 28)
    np.testing.assert_array_equal(after[~hidden], np.pad(before, ((0, 4), (4, 0)))[~hidden])
    assert json.loads(Path("out/run.json").read_text())["expanded"] == [4, 0, 0, 4]


@pytest.mark.parametrize(
    "how, place, said", [("fit", (0, -2, 24), "beyond the picture is filled"), ("crop", (2, 0, 20), "of 24x20")]
)
def test_resizing_is_said_and_recorded(here, how, place, said):
    picture("L")
    hide((9, 8, 15, 14))
    done = inpaint("--resize", how, "--out", "out", image="large.png", mask="hole.png")
    assert done.exit_code == 0 and f"--resize {how}: " in done.output and said in done.output, done.output
    assert read("out", "sample-00.png").shape == (8, 8)
    resized = json.loads(Path("out/run.json").read_text())["resized"]
    assert resized == {"how": how, **dict(zip(("left", "top", "side"), place, strict=True))}


@pytest.mark.parametrize(
    "more, words",
    [
        (["--region", "auto", "--resize", "fit"], "give one of them"),
        (["--region", "0,0,8,9"], "give W = H"),
        (["--region", "0,0,12,12"], "the hole leaves --region 0,0,12,12"),
        (["--region", "9,8,6,6"], "is all hole"),
        (["--region", "9,8,16,16"], "leaves the picture, which is 24x20"),
        (["--region", "0,8,16,16"], "leaves the picture, which is 24x20"),
        (["--expand", "0,0,0,0"], "leaves the picture as it is"),
        (["--expand", "1,2,3"], "four whole numbers LEFT,TOP,RIGHT,BOTTOM"),
        (["--region", "square"], "is not auto or tiles or four whole numbers X,Y,W,H"),
    ],
)
def test_what_contradicts_itself_is_refused_before_a_prior_is_loaded(here, monkeypatch, more, words):
    def loads(*_, **__):
        raise AssertionError("a prior was loaded")

    monkeypatch.setattr("vipaint_pyro.pipelines.vipaint.VIPaintPipeline.from_pretrained", loads)
    picture("L")
    hide((9, 8, 15, 14))
    done = inpaint(*more, "--out", "out", image="large.png", mask="hole.png")
    assert done.exit_code in (1, 2) and words in done.output and "Traceback" not in done.output, done.output
    assert not Path("out").exists()


def test_holes_as_large_as_the_picture_and_outside_of_the_middle(here):
    picture("L")
    hide((0, 0, 24, 20))
    done = inpaint("--region", "auto", image="large.png", mask="hole.png")
    assert done.exit_code == 1 and "white everywhere" in done.output
    hide((0, 0, 1, 1))
    done = inpaint("--resize", "crop", image="large.png", mask="hole.png")
    assert done.exit_code == 1 and "none of the hole lies in the middle square" in done.output


def test_a_picture_of_another_size_is_told_of_the_options(here):
    picture("L")
    hide((9, 8, 15, 14))
    done = inpaint(image="large.png", mask="hole.png")
    assert done.exit_code == 1 and "24x20 with 1 channel" in done.output
    assert all(option in done.output for option in ("--region auto", "--resize fit", "--resize crop"))


@pytest.mark.parametrize("mode, words", [("P", "kept as RGB in place of a palette"), ("1", "kept as RGB")])
def test_a_mode_without_other_colours_is_converted_and_said(here, mode, words):
    picture("L")
    PIL.Image.open("large.png").convert(mode).save("other.png")
    before, hidden = np.asarray(PIL.Image.open("other.png").convert("RGB")), hide((9, 8, 15, 14))
    done = inpaint("--region", "auto", "--out", "out", image="other.png", mask="hole.png")
    assert done.exit_code == 0 and f"the picture is converted: it is {words}" in done.stdout, done.output
    np.testing.assert_array_equal(read("out", "sample-00.png")[~hidden], before[~hidden])
    assert words in json.loads(Path("out/run.json").read_text())["converted"]


def test_a_wide_gamut_picture_is_kept_in_srgb_and_grows(here):
    """Grey in Display P3 is grey; the border around it is filled."""
    grey = np.repeat(picture("L")[..., None], 3, -1)
    PIL.Image.fromarray(grey).save("wide.png", icc_profile=p3_profile(gamma=1.8))
    done = vipaint("inpaint", "wide.png", "--prior", "prior", *FEW, "--expand", "4,0,0,4", "--out", "out")
    assert done.exit_code == 0 and "from the profile 'Some P3' to sRGB" in done.stdout, done.output
    after = PIL.Image.open("out/sample-00.png")
    assert "srgb" in PIL.ImageCms.getProfileDescription(PIL.ImageCms.ImageCmsProfile(
        io.BytesIO(after.info["icc_profile"]))).lower()  # fmt: skip
    assert np.abs(np.asarray(after)[:20, 4:] - in_srgb_by_hand(grey, 1.8)).max() < 1.6


@pytest.mark.parametrize(
    "trouble, words",
    [(NonFiniteError("a number"), "a number is not finite"), (KeyboardInterrupt(), "stopped by Ctrl-C: kept are")],
)
def test_a_hole_whose_region_fails_is_said_to_stay_and_the_others_are_kept(here, monkeypatch, trouble, words):
    before, hidden = picture("L"), hide((1, 1, 4, 4), (20, 15, 23, 18))
    calls = []

    def failing(*args, **options):
        calls.append(1)
        if len(calls) > 1:
            raise trouble
        return draw(*args, **options)

    monkeypatch.setattr("vipaint_pyro.cli.turns.draw", failing)
    done = inpaint("--region", "auto", "--out", "out", image="large.png", mask="hole.png")
    assert done.exit_code == 1 and words in done.stderr.splitlines()[-1], done.output
    said = "Warning: 1 hole of 2 stays as in the picture, in the region 8x8 at 16,12"
    assert said in done.stderr and "2 of 2 samples in 1 of 2 regions" in done.output
    after, second = read("out", "sample-00.png"), np.zeros_like(hidden)
    second[15:18, 20:23] = True
    np.testing.assert_array_equal(after[second | ~hidden], before[second | ~hidden])
    assert (after[1:4, 1:4] != before[1:4, 1:4]).any() and not Path("out/region-2").exists()
    facts = json.loads(Path("out/run.json").read_text())
    assert facts["unfilled"] == [{"left": 16, "top": 12, "side": 8}] and len(facts["regions"]) == 1


def test_a_hole_too_small_for_its_region_is_refused_before_any_other_is_filled(here, monkeypatch):
    picture("L", (40, 40))
    hide((1, 1, 4, 4), (37, 37, 38, 38), size=(40, 40))
    monkeypatch.setattr("vipaint_pyro.regions.placement.CONTEXT", 30.0)
    monkeypatch.setattr("vipaint_pyro.cli.turns.draw", None)
    done = inpaint("--region", "auto", "--out", "out", image="large.png", mask="hole.png")
    assert done.exit_code == 1 and "smaller than half a pixel" in done.output, done.output
