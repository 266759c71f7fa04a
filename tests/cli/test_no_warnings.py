"""In normal use nothing is printed that nobody can mend, with accelerate or without."""

import subprocess
import sys

import pytest

from tests.cli.calls import FEW

CODE = """
import sys, warnings
if sys.argv.pop(1) == "without":
    sys.modules["accelerate"] = None
for kind in (DeprecationWarning, FutureWarning, UserWarning):
    warnings.simplefilter("error", kind)
from vipaint_pyro.cli.main import main
main(["demo", *sys.argv[1:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("accelerate", ["with", "without"])
def test_the_demo_says_nothing_on_stderr(accelerate, tmp_path):
    command = [sys.executable, "-c", CODE, accelerate, *FEW]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == ["50.0", "wrote"]
