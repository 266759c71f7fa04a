"""The documentation site: docs/conf.py, the menus of docs/index.md, the API's pages, and, slow, all of it built."""

import fnmatch
import os
import re
import runpy
import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_architecture import defined
from tests.test_readme import PAGES, without_code

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# Public in the package, and for its own commands alone.
NOT_IN_THE_API = {"vipaint_pyro", "vipaint_pyro.files", "vipaint_pyro.samplers.vipaint"}

IN_NO_MENU, TABLES = ("docs/index.md",), "examples/figures/"


@pytest.fixture
def conf(monkeypatch):
    """What conf.py says; the path and the environment are as before afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return runpy.run_path(str(DOCS / "conf.py"))


def menus() -> list[str]:
    """The entries of all toctrees of docs/index.md, as patterns of paths from the root."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    names = [re.sub(r"^.*<(.*)>$", r"\1", line) for line in lines]
    return [os.path.normpath(os.path.join("docs", name)) for name in names]


def listed(path: str) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in menus())


def test_every_page_is_in_a_menu():
    pages = [page for page in PAGES if page != "docs/index.md"]
    assert [page for page in pages if not listed(page.removesuffix(".md"))] == []


def test_every_entry_of_a_menu_is_there():
    for entry in menus():
        if "*" not in entry:
            assert any((ROOT / f"{entry}{suffix}").is_file() for suffix in (".md", ".rst", ".ipynb")), entry


def test_what_pages_link_to_is_part_of_the_site(conf):
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s#]+)", without_code((ROOT / page).read_text())):
            path = os.path.normpath(os.path.join(os.path.dirname(page), target))
            if not re.match(r"https?:", target) and path.endswith((".md", ".ipynb", ".rst")):
                included = any(fnmatch.fnmatch(path, pattern) for pattern in conf["include_patterns"])
                found = listed(os.path.splitext(path)[0]) or path in IN_NO_MENU or path.startswith(TABLES)
                assert included and found, (page, target)


def test_extensions_of_the_sites_own_are_there(conf):
    own = {path.stem for path in (DOCS / "_extensions").glob("*.py")}
    assert own <= set(conf["extensions"]) and conf["nitpicky"] and conf["nb_execution_raise_on_error"]


@pytest.mark.parametrize("page", PAGES)
def test_functions_that_a_page_links_to_are_in_the_file(page):
    """On the site such a link leads to the API's entry, as a link of the mathematics does from its equation."""
    for name, path in re.findall(r"\[`([\w.]+)`\]\(([^)\s]+\.py)\)", (ROOT / page).read_text()):
        if name.removesuffix(".py") + ".py" != os.path.basename(path) and not path.endswith(name):
            assert name in defined((ROOT / page).parent / path), (page, name)


def test_the_mathematics_names_a_function_for_each_step():
    text = (DOCS / "mathematics.md").read_text()
    names = re.findall(r"\[`([\w.]+)`\]\(\.\./(?:models|guides|vipaint_pyro)/[^)]+\)", text)
    assert len(names) > 25
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"\[`[\w.]+`\]\(", section), section.splitlines()[0]


def documented() -> dict[str, set[str]]:
    """Module -> the names that its automodule leaves out, because they stand elsewhere."""
    found = {}
    for path in (DOCS / "api").glob("*.rst"):
        for module, options in re.findall(r"^\.\. automodule:: (\S+)\n((?:   :.*\n)*)", path.read_text(), re.MULTILINE):
            out = re.search(r":exclude-members: (.*)", options)
            found[module] = set(out[1].split(", ")) if out else set()
    return found


def test_every_public_package_is_in_the_api():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    packages = [name for name in config["options"]["packages"].split() if name not in NOT_IN_THE_API]
    missing = [name for name in packages if hasattr(import_module(name), "__all__") and name not in documented()]
    assert missing == []


def test_what_one_page_of_the_api_leaves_out_is_on_another():
    """But for constants and registries, whose values are long."""
    modules = documented()
    for module, left_out in modules.items():
        for name in filter(lambda name: not name.isupper(), left_out):
            thing = getattr(import_module(module), name)
            elsewhere = [m for m, out in modules.items() if name not in out]
            assert any(getattr(import_module(m), name, None) is thing for m in elsewhere), f"{module}.{name}"


def test_shapes_are_no_emphasis(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    import plain_words

    lines = ["z (*, N, C, H, W) or ``(*, N)``, (S, *), *so*", "    num_samples: S.", "N."]
    plain_words.shapes(None, "function", "", None, None, lines)
    assert lines == [r"z (\*, N, C, H, W) or ``(*, N)``, (S, \*), *so*", r"    num_samples: \S.", r"\N."]


def test_names_in_docstrings_are_found_where_they_are(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    import own_names

    from vipaint_pyro.calibration import coverage
    from vipaint_pyro.samplers import Samples

    assert own_names.found("vipaint_pyro.calibration.coverage") == (coverage, [])  # a module's name, too
    assert own_names.found("vipaint_pyro.samplers.base.Samples.images") == (Samples, ["images"])
    assert own_names.found("vipaint_pyro.samplers.Nobody") is None
    assert own_names.found("vipaint_pyro.samplers.base.Samples.nothing") is None


@pytest.mark.slow
@pytest.mark.long
def test_the_site_is_built_without_a_warning(tmp_path):
    """With the notebooks as they were kept; `make docs` runs them. A link that leads nowhere is a warning."""
    pytest.importorskip("myst_nb")
    pytest.importorskip("furo")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", "-d", str(tmp_path / "trees")]
    command += ["-D", "nb_execution_mode=off", ".", str(tmp_path / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "html" / "docs" / "mathematics.html").read_text()
    assert "<math" in page and 'href="api/priors.html#vipaint_pyro.priors.kernels.forward_step"' in page
    assert (tmp_path / "html" / "index.html").is_file()
