"""A wheel built from the tree holds all that a run needs, far from the checkout."""

import configparser
import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.calls import FEW
from vipaint_pyro import __version__

ROOT = Path(__file__).parent.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
FOLDERS = ("vipaint_pyro", "models", "guides")
#: A demo and the other prior, from what was installed and from nothing else.
CODE = """
import json, sys
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.main import main
main(["demo", *sys.argv[1:]], standalone_mode=False)
DiffusionPrior.from_pretrained("fashion-mnist")
print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.partition(".")[0] == "vipaint_pyro"]))
"""


def test_what_is_to_be_packed_is_there():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    for pattern in config["options.package_data"]["vipaint_pyro"].split():
        assert any((ROOT / "vipaint_pyro").glob(pattern)), pattern


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of a copy of the tree: building writes beside what it packs."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "tree").mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "tree")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    how = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder / "built"]
    subprocess.run([*PIP, "wheel", *how, folder / "tree"], check=True)
    (found,) = (folder / "built").iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The environment of a process that finds the package installed from the wheel, and the folder it lies in."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel], check=True)
    return {**os.environ, "PYTHONPATH": str(target)}, target


def test_every_file_of_the_package_is_in_it(wheel):
    files = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
    files = [str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts]
    wanted = {name if name.startswith("vipaint_pyro") else f"vipaint_pyro/{name}" for name in files}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == wanted


def test_what_an_index_would_show(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    said = email.message_from_bytes(archive.read(name))
    assert said["Name"] == "vipaint-pyro" and said["Version"] == __version__ and said["Requires-Python"] == ">=3.11"
    assert "MIT" in (said["License"], said["License-Expression"])
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload(decode=True).decode().strip() == (ROOT / "README.md").read_text().strip()
    assert "Paper, https://arxiv.org/abs/2411.18929" in said.get_all("Project-URL")
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(said.get_all("Classifier"))
    assert any(path.endswith("LICENSE") for path in archive.namelist())
    assert {"classical", "flow", "text", "ray", "test"} <= set(said.get_all("Provides-Extra"))


@pytest.mark.battery
@pytest.mark.parametrize("how", [["script", "--version"], ["module", "--version"], ["module", "priors"]], ids=" ".join)
def test_the_command_answers_elsewhere(installed, tmp_path, how):
    env, target = installed
    start = {"script": [target / "bin" / "vipaint"], "module": [sys.executable, "-m", "vipaint_pyro"]}[how[0]]
    done = subprocess.run([*start, *how[1:]], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    said = f"vipaint, version {__version__}" if how[1] == "--version" else "cartoon-faces"
    assert said in done.stdout


def test_the_demo_runs_elsewhere(installed, tmp_path):
    env, target = installed
    command = [sys.executable, "-c", CODE, *FEW]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {Path(name).is_relative_to(target) for name in json.loads(done.stdout.splitlines()[-1])} == {True}
    facts = json.loads((tmp_path / "vipaint-demo" / "run.json").read_text())
    assert facts["prior"] == "cartoon-faces" and len(facts["to_the_truth"]["lpips_alex_raw"]) == 2
