"""What is loaded is said before it is: nothing imports torch in silence, and lists do not import it at all."""

import json
import os
import subprocess
import sys

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
    for name in ("image.png", "a.ckpt"):
        (folder / name).write_bytes(b"")
    lines = [*HEAVY, *LIGHT, [*HEAVY[0], "--quiet"]]
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


def test_quiet_says_nothing_of_it(said):
    assert said[(*HEAVY[0], "--quiet")] == ["torch is imported"]


@pytest.mark.parametrize("quiet", [False, True])
def test_the_prior_is_said_on_stderr_unless_quiet(here, quiet):
    few = FEW if quiet else FEW[:-1]
    result = vipaint("inpaint", "image.png", "mask.png", "--prior", "prior", *few, "--out", "out")
    assert result.exit_code == 0, result.output
    assert ("loading the prior prior ..." in result.stderr.splitlines()) == (not quiet)
    assert [line.split(" ")[0] for line in result.stdout.splitlines()] == ["18.8", "wrote"]
