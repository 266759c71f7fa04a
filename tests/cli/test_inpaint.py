"""``vipaint inpaint``: what it writes, what it says, and what it refuses."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from safetensors.torch import load_file

from tests.cli.calls import FEW, inpaint, vipaint


@pytest.mark.drawn
def test_writes_everything_it_promises(here):
    result = inpaint("--label", "dog", "--seed", "3", "--timesteps", "700,500,300", "--out", "result")
    assert result.exit_code == 0, result.output
    assert "18.8 % of the pixels will be filled" in result.output
    assert {p.name for p in (here / "result").iterdir()} == {
        "observed.png", "sample-00.png", "sample-01.png", "prediction-00.png", "prediction-01.png",
        "mean.png", "std.png", "grid.png", "levels.png", "spread.png", "directions.png", "bound.png",
        "guide.safetensors", "guide.json", "measurement.safetensors", "run.json", "report.html",
    }  # fmt: skip
    assert result.output.splitlines()[-1] == "wrote result/: open result/report.html to look at it"
    page = (here / "result" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 1 + 2 + 3 and "vipaint draw result --samples 16" in page
    assert "vipaint inpaint image.png mask.png --prior prior --fit-steps 2" in page  # how to repeat it
    facts = json.loads((here / "result" / "run.json").read_text())
    assert (facts["label"], facts["label_name"], facts["seed"]) == (1, "dog", 3)
    assert facts["settings"]["timesteps"] == [700, 500, 300] and facts["settings"]["fit_steps"] == 2
    assert facts["denoiser_calls"]["fit"] == 2 * facts["settings"]["num_chains"] * (
        facts["settings"]["num_levels"] + 3
    )
    assert len(facts["bound_terms_nats_per_dim"]["reconstruction"]) == 2
    assert set(facts["seconds"]) == {"fit", "refinement"} and facts["versions"]["torch"]
    assert "mu_700_unconstrained" in load_file(str(here / "result" / "guide.safetensors"))
    image, mask = (np.asarray(PIL.Image.open(n)) for n in ("image.png", "mask.png"))
    sample = np.asarray(PIL.Image.open("result/sample-00.png"))
    np.testing.assert_array_equal(sample[mask == 0], image[mask == 0])


def test_an_effort_is_said_and_recorded(here):
    result = inpaint("--effort", "draft", "--out", "draft")
    assert result.exit_code == 0, result.output
    assert "effort draft: --fit-steps 2 --num-chains 1 --refinement-steps 3\n" in result.output  # as it holds
    facts = json.loads((here / "draft" / "run.json").read_text())
    assert facts["effort"] == "draft"
    assert {k: facts["settings"][k] for k in ("fit_steps", "num_chains", "refinement_steps")} == {
        "fit_steps": 2, "num_chains": 1, "refinement_steps": 3,
    }  # fmt: skip
    assert facts["fit"] == {"steps": 2, "ended": "all steps"}


def test_a_fit_that_has_settled_says_so(here):
    result = inpaint("--fit-steps", "30", "--fit-patience", "1", "--out", "settled")
    assert result.exit_code == 0, result.output
    facts = json.loads((here / "settled" / "run.json").read_text())
    steps = facts["fit"]["steps"]
    assert facts["effort"] is None and facts["fit"]["ended"] == "settled" and 2 <= steps < 30
    assert len(facts["bound_terms_nats_per_dim"]["reconstruction"]) == steps
    refused = inpaint("--fit-steps", "30", "--fit-patience", "15", "--out", "never")
    assert refused.exit_code == 1 and "no fit of 30 ends early: give --fit-steps above 30" in refused.output


@pytest.mark.parametrize(
    "given, said",
    [
        (["--effort", "drft"], "is one of draft, standard, best, but is 'drft'. Did you mean 'draft'?"),
        (["--effort", "draft", "--method", "dps"], "is of the method 'vipaint', and 'dps' has none"),
        (["--set", "effort=draft"], "write --effort draft in place of --set"),
    ],
)
def test_efforts_that_cannot_be(here, given, said):
    result = vipaint("inpaint", "image.png", "mask.png", "--prior", "prior", *given)
    assert result.exit_code == 1 and said in result.output and result.output.count("\n") == 1


def test_shades_of_grey_in_a_mask_are_announced(here):
    mask = np.asarray(PIL.Image.open("mask.png")).copy()
    assert "shades of grey" not in inpaint("--out", "sharp").output
    mask[0, 0], mask[0, 1] = 100, 200
    PIL.Image.fromarray(mask).save("mask.png")
    result = inpaint("--out", "soft")
    assert result.exit_code == 0 and "20.3 % of the pixels will be filled; the mask has shades of grey" in result.output


@pytest.mark.drawn
def test_half_precision_gives_no_warnings(here, caplog):
    result = inpaint("--out", "half", "--dtype", "bfloat16")
    assert result.exit_code == 0 and "kept in float32" not in caplog.text + result.output
    assert json.loads((here / "half" / "run.json").read_text())["dtype"] == "bfloat16"


def test_same_seed_same_pictures(here):
    for out in ("a", "b"):
        assert inpaint("--out", out).exit_code == 0
    assert (here / "a" / "sample-01.png").read_bytes() == (here / "b" / "sample-01.png").read_bytes()


def test_an_earlier_run_is_only_replaced_when_asked(here):
    assert inpaint().exit_code == 0
    assert (here / "vipaint-image").is_dir()
    again = inpaint()
    assert again.exit_code == 1 and "holds an earlier run" in again.output
    assert inpaint("--overwrite", "--samples", "1").exit_code == 0
    assert not (here / "vipaint-image" / "sample-01.png").exists()


def spoil(what):
    if what == "text image":
        Path("image.png").write_text("hello")
        return {}
    if what == "animated":
        frames = [PIL.Image.new("L", (8, 8), k * 90) for k in range(3)]
        frames[0].save("moving.webp", save_all=True, append_images=frames[1:])
        return {"image": "moving.webp"}
    if what == "mask size":
        PIL.Image.new("L", (9, 8), 0).save("mask.png")
        return {}
    if what in ("white", "black"):
        PIL.Image.new("L", (8, 8), 255 if what == "white" else 0).save("mask.png")
        return {}
    if what == "image size":
        PIL.Image.new("L", (16, 8)).save("image.png")
        mask = PIL.Image.new("L", (16, 8))
        mask.paste(255, (0, 0, 4, 8))
        mask.save("mask.png")
        return {}
    if what == "colour":
        PIL.Image.new("RGB", (8, 8), (200, 0, 0)).save("image.png")
        return {}
    raise KeyError(what)


@pytest.mark.parametrize(
    "what, args, words",
    [
        ("text image", [], "no picture in one of the formats"),
        ("animated", [], "animated"),
        ("mask size", [], "mask is 9x8, but the image 8x8"),
        ("white", [], "white everywhere"),
        ("black", [], "black everywhere"),
        ("image size", [], "16x8 with 1 channel"),
        ("colour", [], "in colour"),
        (None, ["--label", "cow"], "unknown class label 'cow': give a number 0 ... 1, or one of cat, dog"),
        (None, ["--label", "2"], "leave --label out"),
        (None, ["--guidance", "3"], "needs a class label to guide towards"),
        (None, ["--guidance", "nan", "--label", "0"], "finite weight"),
        (None, ["--timesteps", "500,400", "--levels", "2"], "leave --levels out"),
        (None, ["--refinement-steps", "700"], "at most"),
        (None, ["--device", "meta"], "device 'meta' cannot be used"),
        (None, ["--out", "/proc/none"], "is not writable"),
        (None, ["--label", "7"], "unknown class label 7"),
        (None, ["--out", "image.png"], "is no folder"),
        (None, ["--out", "."], "has other content"),
        (None, ["--timesteps", "400,500"], "must fall"),
        (None, ["--timesteps", "5000,400"], "must lie in"),
        (None, ["--timesteps", "high,low"], "comma-separated"),
        (None, ["--num-levels", "4"], "--num-levels is --transitions, and how many levels the guide has is --levels"),
        (None, ["--transitions", "0"], "--transitions is a whole number of at least 1, but is 0"),
        (None, ["--prior", ""], "unknown prior ''"),
        (None, ["--out", "image.png/x"], "image.png is a file"),
        (None, ["--out", "a" * 300], "File name too long"),
        (None, ["--beta", "0"], "--beta is a finite number, above 0, but is 0.0"),
        (None, ["--eta", "2"], "--eta is a finite number, above 0 and at most 1, but is 2.0"),
        (None, ["--zeta", "-1"], "zeta"),
        (None, ["--fit-steps", "0"], "at least 1"),
        (None, ["--samples", "0"], "--samples"),
        (None, ["--loss", "renyi"], "--loss"),
        (None, ["--device", "warp"], "device 'warp' cannot be used"),
        (None, ["--device", "mps:9"], "leave --device out for the cpu"),
    ],
)
def test_wrong_inputs_are_one_clear_error_before_any_computing(here, monkeypatch, what, args, words):
    def no_network(*args, **kwargs):
        raise AssertionError("the network was called")

    monkeypatch.setattr("vipaint_pyro.priors.denoisers._NetworkDenoiser.__call__", no_network)
    before = set(here.rglob("*"))
    result = inpaint(*args, **(spoil(what) if what else {}))
    made = {p for p in set(here.rglob("*")) - before if p.name != "moving.webp"}
    assert result.exit_code in (1, 2) and words in result.output, result.output
    assert "Traceback" not in result.output and not made


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"image": "none.png"}, "none.png: no such file"),
        ({"mask": "none.png"}, "none.png: no such file"),
        ({"image": "."}, "is a folder"),
        ({"prior": "fashion"}, "unknown prior 'fashion'"),
        ({"prior": "Fashon_mnist"}, "unknown prior 'Fashon_mnist'. Did you mean 'fashion-mnist'? It is neither built"),
        ({"prior": "image.png"}, "is a file"),
    ],
)
def test_missing_things(here, arguments, words):
    result = inpaint(**arguments)
    assert result.exit_code == 1 and words in result.output


def test_what_is_put_there_meanwhile_is_kept_and_so_is_the_result(here, monkeypatch):
    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

    call = VIPaintPipeline.__call__

    def slow(self, *args, **kwargs):
        (here / "out").mkdir()
        (here / "out" / "theirs.txt").write_text("theirs")
        return call(self, *args, **kwargs)

    monkeypatch.setattr(VIPaintPipeline, "__call__", slow)
    result = inpaint("--out", "out")
    assert result.exit_code == 0 and "has other content" in result.output and "kept in out-2" in result.output
    assert [p.name for p in (here / "out").iterdir()] == ["theirs.txt"] and (here / "out-2" / "run.json").exists()


@pytest.mark.parametrize("by, status", [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_a_run_that_is_ended_while_it_writes_leaves_nothing(here, monkeypatch, by, status):
    def missed(*_):
        raise AssertionError("the signal was not the command's")

    monkeypatch.setattr("vipaint_pyro.cli.shown.bound_figure", lambda *_: os.kill(os.getpid(), by))
    before, outer = {p.name for p in here.iterdir()}, signal.signal(signal.SIGTERM, missed)
    # As Python has it from a terminal: what a shell starts in the background is told to ignore it.
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = inpaint("--out", "out")
        assert signal.getsignal(signal.SIGTERM) is missed
    finally:
        signal.signal(signal.SIGTERM, outer)
        signal.signal(signal.SIGINT, interrupted)
    assert done.exit_code == status and isinstance(done.exception, SystemExit), done.output
    assert {p.name for p in here.iterdir()} == before


@pytest.mark.filterwarnings("default:importance weights:RuntimeWarning")
def test_weights_that_mean_nothing_are_said_and_their_files_are_json(here):
    """Eight particles are too few to know: a line in words, and null where JSON has no NaN."""
    result = inpaint("--correct", "psis", "--num-particles", 8, "--out", "weighed")
    assert result.exit_code == 0, result.output
    assert "Warning: importance weights: unknown (too few draws in the tail); " in result.output

    def refuse(name):
        raise ValueError(name)

    facts = json.loads((here / "weighed" / "run.json").read_text(), parse_constant=refuse)
    assert facts["correction"]["k_hat"] == [None] and facts["correction"]["ess"][0] >= 1


def test_prompts(here):
    pytest.importorskip("transformers")
    from tests.priors.pretrained.tiny import stable_diffusion

    stable_diffusion().save_pretrained("text")
    rng = np.random.default_rng(0)
    PIL.Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save("image.png")
    PIL.Image.fromarray(np.kron([[255, 0]], np.ones((16, 8))).astype(np.uint8)).save("mask.png")
    result = inpaint("--prompt", "a cat", "--negative-prompt", "fog", "--guidance", 2, prior="text")
    assert result.exit_code == 0, result.output
    facts = json.loads((here / "vipaint-image" / "run.json").read_text())
    assert facts["prompt"] == "a cat" and facts["negative_prompt"] == "fog" and facts["guidance_scale"] == 2


def test_the_mask_may_be_the_pictures_transparency(here):
    image, mask = (PIL.Image.open(name) for name in ("image.png", "mask.png"))
    image.putalpha(PIL.ImageOps.invert(mask))
    image.save("cut-out.png")
    ask = ("--prior", "prior", *FEW)
    done = vipaint("inpaint", "cut-out.png", "--mask-from-alpha", *ask, "--out", "alpha")
    assert done.exit_code == 0, done.output
    assert inpaint("--out", "by-mask").exit_code == 0
    for name in ("sample-00.png", "prediction-01.png"):
        theirs, ours = (np.asarray(PIL.Image.open(Path(out) / name)) for out in ("alpha", "by-mask"))
        np.testing.assert_array_equal(theirs, ours)
    assert json.loads((here / "alpha" / "run.json").read_text())["mask"] == "alpha"
    for wrong in (("cut-out.png", "mask.png", "--mask-from-alpha"), ("cut-out.png",)):
        refused = vipaint("inpaint", *wrong, *ask, "--out", "none")
        assert refused.exit_code == 1 and "give either MASK" in refused.output
    unasked = vipaint("inpaint", "cut-out.png", "mask.png", *ask, "--out", "none")
    assert unasked.exit_code == 1 and "vipaint inpaint --mask-from-alpha" in unasked.output
    opaque = vipaint("inpaint", "image.png", "--mask-from-alpha", *ask, "--out", "none")
    assert opaque.exit_code == 1 and "has no alpha channel" in opaque.output


@pytest.mark.parametrize("hidden, asked", [(6, False), (7, True)])
def test_a_mask_that_hides_most_may_be_the_other_way_round(here, monkeypatch, hidden, asked):
    monkeypatch.setattr("vipaint_pyro.cli.main.run", lambda *_, **__: None)
    monkeypatch.setattr("vipaint_pyro.cli.regions.run_in_regions", lambda *_, **__: None)
    mask = PIL.Image.new("L", (8, 8))
    mask.paste(128, (0, 0, 8, hidden))  # of 64 pixels 48, 75 %, or 56
    mask.save("most.png")
    said = "Warning: the mask hides 88 % of the picture. White is what is filled: if it is the other way round, invert"
    done = inpaint(mask="most.png")
    assert done.exit_code == 0 and (said in done.stderr) == asked == bool(done.stderr), done.output
    assert "the mask hides" not in inpaint("--expand", "9,9,9,9", mask="most.png").stderr
