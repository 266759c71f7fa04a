"""``vipaint fit`` and ``vipaint draw``: fitted once, drawn from for ever; gone on with after any end."""

import contextlib
import json
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
import pytest
import torch
from safetensors.torch import load_file

import vipaint_pyro
from tests.blank import leave_white
from tests.cli.calls import FEW, inpaint, vipaint
from tests.cli.conftest import furnish
from tests.kills import forked
from vipaint_pyro.cli.main import main
from vipaint_pyro.files import is_scratch
from vipaint_pyro.inference.checkpoint import read
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
    assert said == (
        "18.8 % of the pixels will be filled\n"
        "wrote fit: vipaint draw fit draws from it; open fit/report.html to see how it went\n"
    )
    kept = {"guide.json", "guide.safetensors", "measurement.safetensors"}
    names = {"observed.png", "bound.png", "report.html", "run.json", *kept}
    assert {p.name for p in (here / "fit").iterdir()} == names
    good(vipaint("inpaint", "image.png", "mask.png", *ASK, "--fit-steps", STEPS, "--guide", name, "--seed", 3,
                 "--samples", 2, "--out", "at-once"))  # fmt: skip
    for file in ("image.png", "mask.png"):  # what becomes of them is nothing to the guide
        PIL.Image.new("L", (8, 8), 99).save(file)
    assert good(drawn()) == "wrote drawn/: open drawn/report.html to look at it\n"
    assert pictures("drawn") == pictures("at-once") and guide("fit") == guide("at-once")
    facts = json.loads((here / "drawn" / "run.json").read_text())
    assert facts["fit_seed"] == 3 and facts["seed"] is None and facts["guide"] == "fit"
    assert facts["label"] == 1 and facts["label_name"] == "dog"
    assert set(facts["denoiser_calls"]) == {"refinement"} and not (here / "drawn" / "bound.png").exists()
    for folder in ("at-once", "drawn"):  # what draws is itself drawn from
        good(drawn(folder=folder, out=f"again-{folder}"))
        assert pictures(f"again-{folder}") == pictures("at-once")


def test_seeds_of_draws(kept):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        good(drawn("--seed", seed, out=out))
    assert pictures("a") == pictures("b") != pictures("c")
    good(vipaint("draw", "fit", "--quiet", "--samples", "1"))
    assert [p.name for p in Path("fit-draws").glob("sample-*.png")] == ["sample-00.png"]
    refused(vipaint("draw", "fit", "--quiet", "--samples", "1"), "holds an earlier run")
    refused(drawn("--overwrite", out="fit"), "holds the guide fit")
    said = json.loads((kept / "run.json").read_text())
    assert said["fit"] == {"steps": STEPS, "ended": "all steps"} and said["asked"]["fit_steps"] == STEPS


@contextmanager
def stopping(n, trouble=KeyboardInterrupt):
    """The network, whose n-th call raises."""
    network, calls = EpsilonDenoiser.output, []

    def output(self, z, time, condition):
        calls.append(1)
        if len(calls) == n:
            raise trouble
        return network(self, z, time, condition)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpsilonDenoiser, "output", output)
        yield


def kept_steps():
    return read(Path("fit") / "checkpoint.safetensors")[1]["step"]


@pytest.mark.parametrize("name", ["hierarchical", "mixture"])
def test_ctrl_c_twice_and_the_fit_goes_on_to_the_same_guide(here, name):
    good(fitted("--guide", name, out="unbroken"))
    before = 0
    for again in ([], ["--resume"]):
        with stopping(6):
            ended = fitted("--guide", name, *again)
        words = f"stopped by Ctrl-C: {kept_steps()} of {STEPS} steps are kept in fit: the same command with --resume"
        refused(ended, words)
        assert before < kept_steps() < STEPS
        before = kept_steps()
    refused(drawn(), "fit holds a fit that was ended: vipaint fit --resume goes on with it")
    refused(fitted("--guide", name), "holds a fit that was ended: go on with --resume")
    good(fitted("--guide", name, "--resume"))
    assert guide("fit") == guide("unbroken") and not (here / "fit" / "checkpoint.safetensors").exists()
    refused(fitted("--guide", name, "--resume"), "the fit in fit is finished: vipaint draw fit draws from it")
    refused(fitted("--guide", name), "holds an earlier run")
    good(fitted("--guide", name, "--overwrite", "--seed", 1))
    assert guide("fit") != guide("unbroken")


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A folder with a fit that was broken off, and finished ones, all done once; and a copy of it."""
    folder = tmp_path_factory.mktemp("once") / "here"
    folder.mkdir()
    furnish(folder)
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        leave_white(patch)
        with stopping(6):
            assert fitted(out="broken-off").exit_code == 1
        good(fitted(out="unbroken"))
        good(fitted("--seed", 5, out="another"))
    return folder, Path(shutil.copytree(folder, folder.parent / "copy"))


@pytest.fixture
def place(once, monkeypatch):
    """That folder as it was: a fit knows where its prior lies."""
    folder, copy = once
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def broken_off(place):
    Path("broken-off").rename("fit")
    return place


@pytest.mark.battery
@pytest.mark.parametrize(
    "args, words",
    [
        (["--fit-steps", 9], "begun with other settings (--fit-steps: 4 -> 9): give those"),
        (["--seed", 1], "(seed: 0 -> 1)"),
        (["--label", "cat"], "(label: 1 -> 0)"),
        (["--beta", 2, "--zeta", 1], "(beta: 1.0 -> 2.0; zeta: 2.0 -> 1.0)"),
        (["--timesteps", "700,200"], "(timesteps: [700, 300] -> [700, 200])"),
        (["--guide", "mean-field"], "-> 'mean-field'"),
        (["--dtype", "bfloat16"], "'float32' -> 'bfloat16'"),
        (["--overwrite"], "--resume goes on with a fit, and --overwrite begins anew: give one"),
    ],
)
def test_another_setting_is_refused_with_the_difference(broken_off, args, words):
    before = {p: p.read_bytes() for p in Path("fit").iterdir()}
    refused(fitted("--resume", *args), words)
    assert {p: p.read_bytes() for p in Path("fit").iterdir()} == before


def test_other_pictures_and_weights_are_refused(broken_off):
    for file, name in (("image.png", "image"), ("mask.png", "mask")):
        kept = Path(file).read_bytes()
        PIL.Image.open(file).transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT).save(file)
        refused(fitted("--resume"), f"begun with other settings ({name}")
        Path(file).write_bytes(kept)
    other_weights()
    refused(fitted("--resume"), "(weights: '")


def other_weights():
    pipe = VIPaintPipeline.from_pretrained("prior")
    with torch.no_grad():
        pipe.unet.conv_out.bias.add_(1)
    pipe.save_pretrained("prior")


def test_a_checkpoint_that_is_damaged_or_gone(broken_off):
    path = broken_off / "fit" / "checkpoint.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    refused(fitted("--resume"), "checkpoint.safetensors is damaged")
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    refused(fitted("--resume"), "checkpoint.safetensors is damaged")
    path.unlink()  # killed before the first one
    good(fitted("--resume"))
    assert guide("fit") == guide("unbroken")


def test_nothing_to_go_on_with(here):
    refused(fitted("--resume"), "fit holds no fit that was begun: leave --resume out")
    good(inpaint("--out", "fit"))
    refused(fitted("--resume"), "fit holds no fit that was begun")
    assert fitted("--samples", 3).exit_code == 2 and fitted("--method", "dps").exit_code == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    "by, status, shares",
    [
        (signal.SIGKILL, -9, (0.5,)),
        pytest.param(signal.SIGKILL, -9, (0.05, 0.1, 0.2, 0.3, 0.4, 0.7, 0.9, 0.97, 1.0), marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, (0.1, 0.3, 0.6, 0.9), marks=pytest.mark.slow),
    ],
)
def test_a_kill_at_any_moment_leaves_a_folder_that_goes_on(here, once, by, status, shares):
    """Ended at what it does on the disk: while it begins, while a checkpoint is written, while the guide is."""
    ask = ["fit", "image.png", "mask.png", *ASK, "--fit-steps", STEPS, "--checkpoint-every", 1, "--out"]

    def command(*args):
        return lambda: main([str(a) for a in (*ask, *args)])

    done, *counts = forked(command("counted"))
    assert done == 0 and guide("counted") == guide(once[1] / "unbroken")
    for share in shares:
        shutil.rmtree("fit", ignore_errors=True)
        ended, *_ = forked(command("fit"), int(share * counts[1]), by, writing=True)
        assert ended == status
        if not (here / "fit").exists():  # before the first step there is nothing to be kept
            assert "holds no fit that was begun" in fitted("--resume").output
            continue
        if (here / "fit" / "guide.json").exists():  # only its checkpoint was left to be deleted
            good(drawn("--overwrite"))
            continue
        assert forked(command("fit", "--resume"))[0] == 0
        assert guide("fit") == guide(once[1] / "unbroken") and not [p for p in here.rglob("*") if is_scratch(p)]


@pytest.fixture
def kept(place):
    return shutil.copytree(place / "unbroken", place / "fit")


def rewritten(path, **changed):
    said = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in {**said, **changed}.items() if v is not None}))


@pytest.mark.parametrize(
    "how, words",
    [
        ("no folder", "none is no folder"),
        ("another folder", "prior holds no fitted guide"),
        ("squares", "photo was filled square by square, and has no guide of the whole"),
        ("a restoration's", "as vipaint restore leaves it, from which nothing can be drawn: restore once more"),
        ("no json", "guide.json is damaged"),
        ("a list", "guide.json is damaged"),
        ("format", "guide.json has the format 2, and this version of vipaint-pyro reads 1: fit again"),
        ("no settings", "guide.json is damaged: it has no settings"),
        ("other settings", "guide.json has other settings than this version of vipaint-pyro (zeta): fit again"),
        ("parameters gone", "guide.safetensors is not there"),
        ("parameters cut", "guide.safetensors is damaged"),
        ("parameters flipped", "guide.safetensors is damaged"),
        ("measurement flipped", "measurement.safetensors is damaged"),
        ("another guide's", "guide.safetensors is damaged"),
        ("weights", "was fitted under other weights"),
        ("prior gone", "unknown prior"),
    ],
)
def test_folders_that_cannot_be_drawn_from(kept, how, words):
    folder, json_, tensors = "fit", kept / "guide.json", kept / "guide.safetensors"
    if how in ("no folder", "another folder"):
        folder = {"no folder": "none", "another folder": "prior"}[how]
    elif how == "squares":
        (kept.parent / "photo" / "region-1").mkdir(parents=True)
        folder = "photo"
    elif how == "a restoration's":
        PIL.Image.new("L", (4, 4), 99).save("small.png")
        good(vipaint("restore", "small.png", "--task", "super-resolution", "--scale", 2, "--prior", "prior", *FEW,
                     "--out", "restored"))  # fmt: skip
        folder = "restored"
    elif how in ("no json", "a list"):
        json_.write_text({"no json": "{", "a list": "[1]"}[how])
    elif how == "format":
        rewritten(json_, format=2)
    elif how == "no settings":
        rewritten(json_, settings=None)
    elif how == "other settings":
        rewritten(json_, settings={k: v for k, v in json.loads(json_.read_text())["settings"].items() if k != "zeta"})
    elif how == "parameters gone":
        tensors.unlink()
    elif how == "another guide's":
        shutil.copy("another/guide.safetensors", tensors)
    elif how == "weights":
        other_weights()
    elif how == "prior gone":
        Path("prior").rename("elsewhere")
    else:
        path = kept / f"{how.split()[0].replace('parameters', 'guide')}.safetensors"
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + (b"" if "cut" in how else bytes([whole[-9] ^ 1]) + whole[-8:]))
    refused(drawn(folder=folder), words)
    assert not Path("drawn").exists()
    if how == "prior gone":
        good(drawn("--prior", "elsewhere"))


def test_a_copy_of_a_prior_from_the_hub_has_no_revision(kept):
    """A guide that was fitted to a hub id's revision draws from the same weights in a folder, named by --prior."""
    facts = json.loads((kept / "guide.json").read_text())["facts"]
    rewritten(kept / "guide.json", facts={**facts, "prior": "owner/name", "revision": "v1"})
    good(drawn("--prior", "prior"))
    result = drawn("--prior", "prior", "--revision", "v2", out="other")
    refused(result, "--revision is of a hub id, and 'prior' is a folder")


def test_what_is_kept_is_what_python_takes(kept):
    pipe = VIPaintPipeline.from_pretrained("prior")
    saved = vipaint_pyro.load_guide("fit", pipe.conditioned(1, "dog"))
    generator = torch.Generator()
    generator.set_state(saved.streams[0])
    mask = (~saved.measurement.operator.observed).float()
    settings = {"refinement_steps": 3, "timesteps": (700, 300)}
    out = pipe(saved.image, mask, class_labels="dog", guide=saved.guide, num_samples=2, generator=generator, **settings)
    good(drawn())
    for i, picture in enumerate(out.images):
        assert picture.tobytes() == PIL.Image.open(f"drawn/sample-{i:02d}.png").tobytes()
    assert load_file(kept / "guide.safetensors").keys() == saved.guide.state_dict().keys()


def test_draws_take_other_settings_of_the_refinement(kept):
    good(drawn("--refinement-steps", 5, "--zeta", 0.5, out="more"))
    settings = json.loads(Path("more/run.json").read_text())["settings"]
    assert (settings["refinement_steps"], settings["zeta"], settings["fit_steps"]) == (5, 0.5, STEPS)
    good(drawn(out="plain"))
    assert guide("more") == guide("plain") and pictures("more") != pictures("plain")
    good(drawn(folder="more", out="again"))  # what was drawn with is kept with it
    assert pictures("again") == pictures("more")
    good(drawn("--refine", "ddnm", out="ddnm"))  # without the step size that dps was settled on
    good(drawn(folder="ddnm", out="back"))
    assert pictures("back") == pictures("ddnm")
    good(drawn("--refine", "dps", folder="ddnm", out="dps"))
    assert pictures("dps") == pictures("plain")


@pytest.mark.parametrize("option", ["--fit-steps", "--guide", "--timesteps", "--levels", "--effort", "--label"])
def test_settings_of_the_fit_are_refused_by_name(here, option):
    done = drawn(option, "1")
    assert done.exit_code == 2 and f"{option} is of the fit, which is done here" in done.output, done.output


@pytest.mark.parametrize(
    "args, words",
    [(["--zeta", 1, "--refine", "ddnm"], "zeta is of a DPS step"), (["--refinement-steps", 2000], "at most 301")],
)
def test_settings_that_do_not_go_together_are_one_line(kept, args, words):
    refused(drawn(*args), words)
