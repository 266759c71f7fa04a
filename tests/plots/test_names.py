"""The package's names: there, light, and none hidden behind a module of its own name."""

import subprocess
import sys
from pathlib import Path

from vipaint_pyro import plots


def test_no_name_is_that_of_a_module():
    """A module that is imported would take the function's place."""
    modules = {p.stem for p in Path(plots.__file__).parent.glob("*.py")}
    assert not modules & set(plots.__all__)


def test_the_package_alone_imports_nothing_heavy():
    code = "import sys, vipaint_pyro.plots; assert not {'torch', 'matplotlib', 'PIL'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_figure_is_made_by_pyplot():
    for path in Path(plots.__file__).parent.glob("*.py"):
        assert not [line for line in path.read_text().splitlines() if "import" in line and "pyplot" in line], path
