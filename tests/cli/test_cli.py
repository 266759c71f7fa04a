"""The command line: what it writes, what it says, and that it answers at once."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from click.testing import CliRunner
from safetensors.torch import load_file

from vipaint_pyro.cli.main import main
from vipaint_pyro.images import read_image

FEW = ["--fit-steps", "2", "--refinement-steps", "3", "--samples", "2", "--quiet"]


def vipaint(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def inpaint(*args, image="image.png", mask="mask.png", prior="prior"):
    return vipaint("inpaint", image, mask, "--prior", prior, *FEW, *args)


def plain(*args):
    """Without VIPaint's own options, into ``out``."""
    return vipaint("inpaint", "image.png", "mask.png", "--prior", "prior", "--samples", 2, "--out", "out", *args)


def test_writes_everything_it_promises(here):
    result = inpaint("--label", "dog", "--seed", "3", "--timesteps", "700,500,300", "--out", "result")
    assert result.exit_code == 0, result.output
    assert "18.8 % of the pixels will be filled" in result.output
    assert {p.name for p in (here / "result").iterdir()} == {
        "observed.png", "sample-00.png", "sample-01.png", "prediction-00.png", "prediction-01.png",
        "mean.png", "std.png", "grid.png", "levels.png", "spread.png", "bound.png",
        "guide.safetensors", "run.json",
    }  # fmt: skip
    facts = json.loads((here / "result" / "run.json").read_text())
    assert facts["label"] == 1 and facts["seed"] == 3
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


def test_shades_of_grey_in_a_mask_are_announced(here):
    mask = np.asarray(PIL.Image.open("mask.png")).copy()
    assert "shades of grey" not in inpaint("--out", "sharp").output
    mask[0, 0], mask[0, 1] = 100, 200
    PIL.Image.fromarray(mask).save("mask.png")
    result = inpaint("--out", "soft")
    assert result.exit_code == 0 and "20.3 % of the pixels will be filled; the mask has shades of grey" in result.output


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


def test_priors_lists_what_is_built_in():
    result = vipaint("priors")
    assert result.exit_code == 0 and "fashion-mnist" in result.output and "UNet2DModel" in result.output


def test_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = vipaint("demo", *FEW)
    assert result.exit_code == 0, result.output
    assert "50.0 % of the pixels" in result.output
    facts = json.loads((tmp_path / "vipaint-demo" / "run.json").read_text())
    assert facts["prior"] == "cartoon-faces" and facts["label"] is None
    assert len(facts["to_the_truth"]["lpips_alex_composite"]) == 2


def test_help_states_the_true_defaults():
    from vipaint_pyro.cli.options import SETTINGS
    from vipaint_pyro.samplers import VIPaintSampler

    options = {o.name: o for o in main.commands["inpaint"].params}
    assert set(SETTINGS) == {f.name for f in dataclasses.fields(VIPaintSampler)}
    for name in SETTINGS:
        stated, true = options[name].help.rpartition("Default: ")[2], getattr(VIPaintSampler, name)
        if true is None:  # depends on the prior: in words
            assert stated.strip(".") and "None" not in stated, name
        else:
            assert stated == ("true." if true is True else f"{true}."), name


def test_errors_speak_of_options():
    from vipaint_pyro.cli.reporting import in_options

    told = [
        ("fit_steps is at least 1, but is 0", "--fit-steps is at least 1, but is 0"),
        ("std is a positive number of pixels", "std is a positive number of pixels"),  # inpaint has none
        ("beta is at least 0, but is -1", "--beta is at least 0, but is -1"),
        ("correct='smc' is for pixel priors", "--correct smc is for pixel priors"),
        ("the guide 'red-diff' has no refinement_steps", "the guide 'red-diff' has no --refinement-steps"),
        ("--fit-steps and the scale of beta", "--fit-steps and the scale of beta"),
        ("my_fit_steps.png: no such file", "my_fit_steps.png: no such file"),
        ("fit_steps.png: no such file", "fit_steps.png: no such file"),
        ("a/fit_steps/b.png: no such file", "a/fit_steps/b.png: no such file"),
        ("leave noise_scale out. Or raise num_particles", "leave --noise-scale out. Or raise --num-particles"),
    ]
    for said, heard in told:
        assert in_options(said, main.commands["inpaint"].params) == heard
    result = CliRunner().invoke(main, ["demo", "--fit-steps", "0", "--out", "nowhere-to-be-made"])
    assert result.exit_code == 1 and "Error: --fit-steps is a whole number of at least 1, but is 0" in result.output


@pytest.mark.parametrize(
    "name, given, calls",
    [
        ("dps", ["--set", "num_steps=3", "--zeta", "1"], {"refinement": 6}),
        ("blended", ["--set", "num-steps=3"], {"refinement": 6}),
        ("red-diff", ["--set", "num_steps=3", "--set", "lr=0.5"], {"fit": 6}),
        ("red-diff-v", ["--set", "num_steps=3"], {"fit": 6}),
    ],
)
def test_every_method_writes_its_run(here, name, given, calls):
    result = plain("--method", name, *given)
    assert result.exit_code == 0, result.output
    facts = json.loads((here / "out" / "run.json").read_text())
    assert facts["method"] == name and facts["settings"]["num_steps"] == 3 and facts["denoiser_calls"] == calls
    assert (here / "out" / "sample-01.png").exists()
    assert (here / "out" / "guide.safetensors").exists() == name.startswith("red")


@pytest.mark.parametrize(
    "given, words",
    [
        (["--method", "dsp"], "no method is called 'dsp'. Did you mean 'dps'?"),
        (["--method", "dps", "--fit-steps", 3], "the method 'dps' has no --fit-steps: leave it out"),
        (["--method", "dps", "--levels", 2], "has no levels: leave --levels out"),
        (
            ["--method", "dps", "--set", "steps=3"],
            "dps has no setting 'steps'. Did you mean 'num-steps'? It has chunk, eta, fraction, limit,",
        ),
        (["--method", "dps", "--set", "num_steps=x"], "num_steps is a whole number of at least 1"),
        (["--method", "dps", "--set", "num_steps=0"], "num_steps is a whole number of at least 1, but is 0"),
        (["--method", "red-diff-v", "--set", "random_times=false"], "red-diff-v has no setting 'random_times'"),
        (["--method", "dps", "--set", "num_steps"], "--set takes NAME=VALUE, not 'num_steps'; dps has chunk, eta,"),
        (["--method", "dps", "--beta", 2], "'dps' has no --beta: leave it out. Its settings (--set) are chunk, eta,"),
        (["--fit-steps", 3, "--set", "fit-steps=4"], "--fit-steps and --set fit-steps are the same: give one"),
        (["--set", "zeta=1", "--set", "zeta=2"], "--set zeta is given twice"),
        (["--set", "timesteps=5,6"], "must fall from each to the next"),
        (["--correct", "psis", "--num-particles", 2, "--samples", 3], "3 samples cannot be drawn from 2 particles"),
        (["--guide", "red-diff"], "'red-diff' is a method of its own"),
        (["--perceptual-weights", "a.safetensors"], "--perceptual-weights is of LPIPS, which has no weight here: give"),
    ],
)
def test_what_a_method_does_not_have_is_refused(here, given, words):
    result = plain(*given)
    assert result.exit_code == 1 and words in result.output, result.output
    assert not (here / "out").exists()


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


@pytest.mark.parametrize("name, status", [("SIGTERM", 143), ("SIGINT", 1)])
def test_a_run_that_is_ended_while_it_writes_leaves_nothing(here, name, status):
    code = (
        "import os, signal, vipaint_pyro.cli.results as r;"
        f"r.bound_figure = lambda *a: os.kill(os.getpid(), signal.{name});"
        "from vipaint_pyro.cli.main import main; main()"
    )
    given = ["inpaint", "image.png", "mask.png", "--prior", "prior", *FEW, "--out", "out"]
    before = {p.name for p in here.iterdir()}
    done = subprocess.run([sys.executable, "-c", code, *given], cwd=here, capture_output=True, text=True)
    assert done.returncode == status and "Traceback" not in done.stderr
    assert {p.name for p in here.iterdir()} == before


def test_settings_of_vipaint_may_be_set_by_name_too(here):
    given = ["--set", "timesteps=700,300", "--set", "fit-steps=2", "--set", "refinement_steps=3", "--overwrite"]
    assert plain(*given).exit_code == 0
    facts = json.loads((here / "out" / "run.json").read_text())
    assert facts["settings"]["timesteps"] == [700, 300] and facts["settings"]["fit_steps"] == 2
    given = ["--set", "guide_name=gaussian", "--fit-steps", 2, "--refinement-steps", 3, "--overwrite"]
    assert plain(*given).exit_code == 0  # which has one level


def test_methods_and_their_settings_are_listed():
    from vipaint_pyro.samplers.registry import METHODS

    listed = CliRunner().invoke(main, ["methods"]).output
    assert all(f"{m.summary} ({m.paper})" in listed for m in METHODS.values())
    told = CliRunner().invoke(main, ["methods", "dps", "red-diff-v"]).output
    assert "zeta                     DPS step size. Default: 0.5." in told and "random_times" not in told
    assert "lambda                   Weight of the regulariser. Default: 0.25." in told


def test_priors_lists_the_labels():
    result = CliRunner().invoke(main, ["priors"])
    assert "--label: bob, bun, " in result.output and "ankle boot" in result.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from vipaint_pyro.cli.main import main;"
        "r = CliRunner().invoke(main, ['inpaint', '--help']); assert r.exit_code == 0, r.output;"
        "heavy = {'torch', 'pyro', 'diffusers', 'lpips', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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


def test_restores_a_small_picture(colour):
    result = restore("4.png", "super-resolution", "--scale", 4)
    assert result.exit_code == 0, result.output
    files = {p.name for p in (colour / "restored").iterdir()}
    assert {"observed.png", "sample-01.png", "grid.png", "levels.png", "run.json"} <= files
    assert read_image("restored/observed.png").size == (4, 4)
    assert read_image("restored/sample-00.png").size == (16, 16)
    facts = json.loads((colour / "restored" / "run.json").read_text())
    assert facts["task"] == {"name": "super-resolution", "sigma": None, "options": {"scale": 4, "method": "bicubic"}}
    assert facts["settings"]["noise_scale"] == 1 / 16 and facts["settings"]["fraction"] == 0.3
    assert facts["settings"]["measurement_scale"] == 0 and facts["hidden_fraction"] is None


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
        ("16.png", "deblur", ["--sigma", 0.1], "noise that --simulate adds"),
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


def test_convert(here):
    (here / "broken.pt").write_bytes(b"nothing")
    result = vipaint("convert", "broken.pt", "out", "--kind", "churches-kl-f8")
    assert result.exit_code == 1 and "broken.pt" in result.output and not (here / "out").exists()


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


@pytest.mark.parametrize("given", [["--set", "steps=3"], ["--method", "dps", "--levels", 2], ["--method", "dsp"]])
def test_settings_that_there_are_not_are_said_before_the_prior_is_loaded(here, monkeypatch, given):
    monkeypatch.setattr("vipaint_pyro.pipelines.vipaint.VIPaintPipeline.from_pretrained", None)
    result = plain(*given)
    assert result.exit_code == 1 and ("has no" in result.output or "no method" in result.output), result.output


@pytest.mark.parametrize(
    "spec, said",
    [("vipaint-4", "vipaint with 4 levels, at VIPaint's noise-to-signal ratios"),
     ("vipaint-1", "vipaint with 1 level, at"),
     ("dps@20", "dps at about 20 forward calls of the network a sample"),
     ("dps@20:zeta=2;limit=yes", "dps at about 20 forward calls of the network a sample, with zeta 2.0, with limit")],
)  # fmt: skip
def test_methods_say_what_a_spec_means(spec, said):
    told = CliRunner().invoke(main, ["methods", spec])
    first, rest = told.output.split("\n", 1)
    assert told.exit_code == 0 and first.startswith(f"{spec}, as vipaint evaluate takes it: {said}")
    assert rest == CliRunner().invoke(main, ["methods", said.split()[0]]).output


@pytest.mark.parametrize(
    "spec, said",
    [("vipaint-3", "there are vipaint-1, vipaint-2, vipaint-4, not vipaint-3: for other levels write vipaint:"),
     ("dsp@20", "no method is called 'dsp'. Did you mean 'dps'?"), ("dps@", "a method is NAME, NAME@CALLS or")],
)  # fmt: skip
def test_methods_refuse_what_is_no_spec(spec, said):
    told = CliRunner().invoke(main, ["methods", spec])
    assert told.exit_code == 1 and told.output.startswith(f"Error: {said}") and told.output.count("\n") == 1


def test_no_default_is_said_to_be_none():
    from vipaint_pyro.samplers.registry import METHODS

    told = CliRunner().invoke(main, ["methods", *METHODS]).output
    assert told.count("Default: ") > 50 and "Default: None" not in told and "Default: ." not in told
