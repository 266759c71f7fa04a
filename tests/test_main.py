"""``python -m vipaint_pyro`` is ``vipaint``."""

import subprocess
import sys

from tests.cli.calls import vipaint


def run(*args):
    return subprocess.run([sys.executable, "-m", "vipaint_pyro", *args], capture_output=True, text=True)


def test_it_does_the_same():
    done, same = run("guides", "--json"), vipaint("guides", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, same.stdout, "")


def test_its_errors_name_the_command_that_was_given():
    done = run("guides", "--nonsense")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "python -m vipaint_pyro guides --help" in done.stderr
