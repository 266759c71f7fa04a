"""What a shell is told: names of what an option takes, without torch."""

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from tests.cli.calls import vipaint
from vipaint_pyro.cli.main import main
from vipaint_pyro.guides import GUIDES
from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS


def completed(*words, typed=""):
    return [item.value for item in ShellComplete(main, {}, "vipaint", "_V").get_completions(list(words), typed)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed(shell):
    result = vipaint("completion", shell)
    assert result.exit_code == 0 and f"_VIPAINT_COMPLETE={shell}_complete" in result.stdout


def test_other_shells_are_refused():
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in vipaint("completion", "tcsh").stderr


@pytest.mark.parametrize("command", ["inpaint", "restore", "evaluate"])
def test_priors(command):
    assert completed(command, "--prior", typed="car") == ["cartoon-faces"]
    assert completed(command, "--prior") == ["fashion-mnist", "photo-patches", "cartoon-faces"]


def test_a_prior_that_is_not_built_in_is_a_folder():
    (item,) = ShellComplete(main, {}, "vipaint", "_V").get_completions(["inpaint", "--prior"], "./pri")
    assert (item.value, item.type) == ("./pri", "dir")


def test_methods_and_guides():
    assert completed("demo", "--method") == [*METHODS, *FOR_SCALE]
    assert completed("inpaint", "--method", typed="red") == ["red-diff", "red-diff-v"]
    assert completed("methods", typed="copaint") == ["copaint", "copaint-tt"]
    assert completed("evaluate", "--methods", typed="dps,red") == ["dps,red-diff", "dps,red-diff-v"]
    assert completed("demo", "--guide") == list(GUIDES)


def test_labels_are_of_the_prior_on_the_line(here):
    assert completed("inpaint", "--prior", "cartoon-faces", "--label", typed="b") == ["bob", "bun"]
    assert completed("inpaint", "--prior", "prior", "--label") == ["cat", "dog"]
    garments = completed("inpaint", "--prior", "fashion-mnist", "--label")
    assert garments[:2] == ["t-shirt/top", "trouser"] and garments[9] == "9"  # "ankle boot", which bash would split
    (here / "prior" / "model_index.json").write_text("no JSON")
    for line in (["--label"], ["--prior", "owner/name", "--label"], ["--prior", "prior", "--label"]):
        assert completed("inpaint", *line) == []


def test_no_torch_is_imported():
    code = (
        "import sys; from click.shell_completion import ShellComplete; from vipaint_pyro.cli.main import main\n"
        "shell = ShellComplete(main, {}, 'vipaint', '_V')\n"
        "for words in (['--prior'], ['--method'], ['--guide'], ['--prior', 'cartoon-faces', '--label']):\n"
        "    assert shell.get_completions(['inpaint', *words], ''), words\n"
        "assert not {'torch', 'diffusers', 'pyro', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
