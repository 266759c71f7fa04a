"""A wheel built from the tree holds all that a run needs, far from the checkout."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.calls import FEW

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


@pytest.mark.slow
def test_every_file_of_the_package_is_in_it(wheel):
    files = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
    files = [str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts]
    wanted = {name if name.startswith("vipaint_pyro") else f"vipaint_pyro/{name}" for name in files}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == wanted


@pytest.mark.slow
def test_the_demo_runs_elsewhere(wheel, tmp_path):
    target, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel], check=True)
    done = subprocess.run(
        [sys.executable, "-c", CODE, *FEW], cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {Path(name).is_relative_to(target) for name in json.loads(done.stdout.splitlines()[-1])} == {True}
    facts = json.loads((elsewhere / "vipaint-demo" / "run.json").read_text())
    assert facts["prior"] == "cartoon-faces" and len(facts["to_the_truth"]["lpips_alex_raw"]) == 2
