"""What is loaded is said before it is: nothing imports torch in silence, and lists do not import it at all."""

import json
import os
import subprocess
import sys

import PIL.Image
import pytest

from tests.cli.calls import FEW, vipaint

HEAVY = [
    ["inpaint", "image.png", "mask.png", "--prior", "cartoon-faces"],
    ["restore", "image.png", "--prior", "cartoon-faces", "--task", "deblur"],
    ["demo"],
    ["evaluate", "--preset", "quick"],
    ["exact"],
    ["exact", "--pictures"],
    ["report", "study"],
    ["figure", "4", "--out", "figure.png"],
    ["convert", "a.ckpt", "out", "--kind", "churches-kl-f8"],
    ["methods", "dps"],
    ["methods", "dps", "--json"],
]
FILLED = ("inpaint", "image.png", "mask.png", "--prior", "cartoon-faces")
#: What is wrong with a picture or a name is said before anything else is: line -> the error.
WRONG = {
    ("inpaint", "none.png", "mask.png", "--prior", "cartoon-faces"): "none.png: no such file",
    ("inpaint", "a.ckpt", "mask.png", "--prior", "cartoon-faces"): "a.ckpt is no picture in one of the formats",
    ("inpaint", "image.png", "small.png", "--prior", "x"): "the mask is 3x2, but the image 4x2; they must be",
    ("inpaint", "image.png", "black.png", "--prior", "x"): "the mask is black everywhere",
    ("inpaint", "image.png", "white.png", "--prior", "x"): "the mask is white everywhere",
    ("inpaint", "image.png", "colour.png", "--prior", "x"): "it is in colour; convert it to grey first",
    ("fit", "image.png", "black.png", "--prior", "x", "--out", "y"): "the mask is black everywhere",
    ("inpaint", "image.png", "deep.png", "--prior", "x"): "cannot be used (white = to be filled, black = keep): a pic",
    ("inpaint", "image.png", "clear.png", "--prior", "x"): "keep): it has transparent pixels; flatten it onto black",
    ("inpaint", "deep.png", "mask.png", "--prior", "x"): "a picture of mode I;16 (16 or more bits per pixel) has no",
    ("inpaint", "clear.png", "mask.png", "--prior", "x"): "the mask: vipaint inpaint --mask-from-alpha",
    ("restore", "deep.png", "--prior", "x", "--task", "deblur"): "a picture of mode I;16 (16 or more bits per pixel)",
    ("restore", "clear.png", "--prior", "x", "--task", "deblur"): "the picture has transparent pixels",
    (*FILLED, "--region", "0,0,2,2"): "the hole leaves --region 0,0,2,2: take a larger square, or --region auto",
    (*FILLED, "--region", "3,0,2,2"): "--region 3,0,2,2 leaves the picture, which is 4x2",
    (*FILLED, "--region", "3,1,1,1"): "--region 3,1,1,1 is all hole, so that nothing is known there: take a larger",
    (*FILLED, "--effort", "drft"): "effort is one of draft, standard, best, but is 'drft'. Did you mean 'draft'?",
    (*FILLED, "--effort", "draft", "--method", "dps"): "is of the method 'vipaint', and 'dps' has none: leave",
    (*FILLED, "--prompt", "a hat"): "the built-in prior cartoon-faces takes no text: leave --prompt out",
    (*FILLED, "--negative-prompt", "a hat"): "takes no text: leave --negative-prompt out",
    ("fit", *FILLED[1:], "--out", "y", "--effort", "drft"): "effort is one of draft, standard, best",
    ("fit", *FILLED[1:], "--out", "y", "--prompt", "a hat"): "takes no text: leave --prompt out",
    ("inpaint", "image.png", "--mask-from-alpha", "--prior", "x"): "it has no alpha channel",
    ("inpaint", "image.png", "mask.png", "--prior", "x", "--out", "study"): "study has other content",
    ("inpaint", "image.png", "mask.png", "--prior", "cartoon-face"): "unknown prior 'cartoon-face'. Did you mean",
    ("inpaint", "image.png", "mask.png", "--prior", "cartoon-faces", "--method", "dsp"): "no method is called 'dsp'",
    (*FILLED, "--method", "fsr", "--samples", "2"): "fsr has no chance in it, so that 2 samples would be the same",
    ("demo", "--method", "estimate", "--samples", "3"): "estimate has no chance in it, so that 3 samples",
    (*FILLED, "--guide", "mixtur"): "no guide is called 'mixtur'. Did you mean 'mixture'",
    (*FILLED, "--guide", "red-diff"): "'red-diff' is a method of its own",
    (*FILLED, "--guide-set", "gamma"): "--guide-set takes NAME=VALUE, not 'gamma'",
    (*FILLED, "--method", "dps", "--guide-set", "gamma=1"): "the method 'dps' has no --guide-set: leave it out",
    ("fit", *FILLED[1:], "--out", "y", "--guide", "mixtur"): "no guide is called 'mixtur'",
    ("fit", "image.png", "mask.png", "--prior", "x", "--out", "y"): "unknown prior 'x'",
    ("restore", "none.png", "--prior", "x", "--task", "deblur"): "none.png: no such file",
    ("fit", "image.png", "none.png", "--prior", "x", "--out", "y"): "none.png: no such file",
    ("fit", "image.png", "mask.png", "--prior", "x", "--out", "study"): "study has other content",
}
LIGHT = [
    *([name, *more] for name in ("priors", "methods", "guides") for more in ([], ["--json"])),
    ["completion", "fish"],
    ["figure", "--list"],
    ["evaluate", "--help"],
]
#: Stands where torch is, and says that it was imported.
TORCH = "import sys\nprint('torch is imported', file=sys.stderr)\nsys.exit(3)\n"
CODE = """
import json, sys
from click.testing import CliRunner
from vipaint_pyro.cli.main import main
for line in json.loads(sys.argv[1]):
    print(json.dumps([CliRunner().invoke(main, line).stderr.splitlines(), line]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Command line -> its lines on stderr, where torch ends the process; all in one that has imported nothing."""
    folder = tmp_path_factory.mktemp("torch")
    (folder / "torch.py").write_text(TORCH)
    (folder / "study").mkdir()
    for path in (folder / "a.ckpt", folder / "study" / "of-others.txt"):
        path.write_bytes(b"")
    for name, size in (("image.png", (4, 2)), ("black.png", (4, 2)), ("small.png", (3, 2))):
        PIL.Image.new("L", size).save(folder / name)
    PIL.Image.new("RGB", (4, 2), (128, 128, 128)).save(folder / "white.png")
    PIL.Image.new("RGB", (4, 2), (128, 128, 129)).save(folder / "colour.png")
    PIL.Image.new("I;16", (4, 2)).save(folder / "deep.png")
    PIL.Image.new("LA", (4, 2), (0, 99)).save(folder / "clear.png")
    mask = PIL.Image.new("1", (4, 2))
    mask.putpixel((3, 1), 1)
    mask.save(folder / "mask.png")
    lines = [*HEAVY, *LIGHT, *map(list, WRONG), [*HEAVY[0], "--quiet"]]
    path = os.pathsep.join([str(folder), *(p for p in sys.path if p)])
    command = [sys.executable, "-c", CODE, json.dumps(lines)]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {tuple(line): heard for heard, line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("line", HEAVY, ids=" ".join)
def test_it_is_said_before_torch_is_imported(said, line):
    assert said[tuple(line)] == ["loading torch and diffusers ...", "torch is imported"]


@pytest.mark.parametrize("line", LIGHT, ids=" ".join)
def test_lists_import_no_torch(said, line):
    assert said[tuple(line)] == []


@pytest.mark.parametrize("line", WRONG, ids=" ".join)
def test_what_is_wrong_is_said_before_anything_is_loaded(said, line):
    (heard,) = said[line]
    assert heard.startswith("Error: ") and WRONG[line] in heard


def test_quiet_says_nothing_of_it(said):
    assert said[(*HEAVY[0], "--quiet")] == ["torch is imported"]


@pytest.mark.parametrize("quiet", [False, True])
def test_the_prior_is_said_on_stderr_unless_quiet(here, quiet):
    few = FEW if quiet else FEW[:-1]
    result = vipaint("inpaint", "image.png", "mask.png", "--prior", "prior", *few, "--out", "out")
    assert result.exit_code == 0, result.output
    assert ("loading the prior prior ..." in result.stderr.splitlines()) == (not quiet)
    assert [line.split(" ")[0] for line in result.stdout.splitlines()] == ["18.8", "wrote"]
