"""README and the pages in docs/.

Their Python runs as it stands, what they point to is there, the README stays short.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vipaint_pyro import VIPaintPipeline
from vipaint_pyro.guides import GUIDES, recipe

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]
# Its blocks name files of others: tests/convert/test_page.py.
NOT_RUN = "docs/converting-checkpoints.md"
CALL = VIPaintPipeline.__call__


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def a_guide_fitted_and_eight_completions(scope):
    assert len(scope["out"].images) == 8
    # The SVI script's guide reproduces the known half better than where it started.
    prior, y, observed = scope["prior"], scope["y"], scope["observed"]
    with torch.no_grad():
        x = prior.decode(prior.denoise(scope["guide"](), 553))
    observed = observed.expand_as(y)
    assert (x - y)[observed].abs().mean() < 0.2 < y[observed].abs().mean()


def pictures_restored(scope):
    assert scope["restored"].images.shape == (2, 3, 64, 64)
    assert scope["seen"].images.shape == (2, 1, 28, 28)
    assert len(scope["found"].records) == 8 and scope["figure"].axes
    assert scope["rates"] == {round(0.1 * 0.9**5, 6)}
    photo, hidden = np.asarray(scope["photo"]), scope["hidden"]
    filled = [np.asarray(scope["filled"].picture(scope["photo"], i)) for i in range(2)]
    assert all((x[~hidden] == photo[~hidden]).all() for x in filled) and (filled[0] != filled[1])[hidden].any()


def guides_of_ones_own(scope):
    one = recipe(scope["OneLevelGuide"])
    assert (one.form, one.levels, recipe("guides_of_mine:NarrowGuide").form) == ("marginal", 1, "bridge")


def differs_in_the_hole_alone(scope):
    assert len(scope["out"].images) == 4 and scope["spread"].shape == (1, 28, 28)
    assert scope["spread"][..., :14].mean() > 0.01 and (scope["spread"][..., 14:] == 0).all()


#: Page -> how many blocks it has, and what they leave.
EXPECTED = {
    "CONTRIBUTING.md": (3, lambda scope: None),
    "README.md": (3, a_guide_fitted_and_eight_completions),
    "docs/a-pyro-script.md": (5, lambda scope: None),
    "docs/bring-your-own-model.md": (3, lambda scope: None),
    "docs/evaluate-and-compare.md": (2, lambda scope: None),
    "docs/fill-a-hole.md": (1, differs_in_the_hole_alone),
    "docs/mathematics.md": (1, lambda scope: None),
    "docs/swap-a-guide.md": (1, lambda scope: None),
    "docs/using-it.md": (5, pictures_restored),
    "docs/write-your-own-guide.md": (7, guides_of_ones_own),
    "docs/write-your-own-likelihood.md": (4, lambda scope: None),
    "docs/write-your-own-operator.md": (3, lambda scope: None),
    "docs/write-your-own-sampler.md": (4, lambda scope: None),
}


def test_every_page_with_python_is_run():
    assert {page for page in PAGES if blocks(page)} - {NOT_RUN} == set(EXPECTED)


def in_few_steps(self, *args, fit_steps=2, num_inference_steps=3, **options):
    """A pipeline's call, whose steps are few where the page leaves them at their defaults."""
    return CALL(self, *args, fit_steps=fit_steps, num_inference_steps=num_inference_steps, **options)


@pytest.mark.parametrize("page", EXPECTED)
def test_python_blocks(page, monkeypatch, tmp_path):
    if page == "docs/write-your-own-guide.md":  # it writes a module
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.setitem(sys.modules, "guides_of_mine", None)
        del sys.modules["guides_of_mine"]
        run_blocks(page, monkeypatch, in_few_steps, folder=tmp_path)
    else:
        run_blocks(page, monkeypatch, in_few_steps, loops=6 if page == "README.md" else None)


@pytest.mark.slow
@pytest.mark.long
def test_the_readme_with_all_steps(monkeypatch):
    run_blocks("README.md", monkeypatch, CALL)


def run_blocks(page, monkeypatch, call, loops=None, folder=ROOT):
    """Run a page's blocks one after the other; of their own loops over a range at most so many rounds."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(VIPaintPipeline, "__call__", call)
    known = dict(GUIDES)
    count, check = EXPECTED[page]
    assert len(blocks(page)) == count
    scope: dict = {"__name__": "page", "range": lambda *ends: range(*ends)[:loops]}
    try:
        for block in blocks(page):
            exec(compile(block, page, "exec"), scope)
        check(scope)
    finally:
        GUIDES.clear()
        GUIDES.update(known)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def without_code(text: str) -> str:
    """Fenced blocks and code spans hold brackets that are no links."""
    return re.sub(r"`[^`]*`", "code", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text: str) -> set[str]:
    """GitHub's, of the headings: letters of any case, digits, hyphens and underscores stay, blanks become hyphens."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, "examples/figures/README.md"])
def test_links_and_pictures_are_there(page):
    path = ROOT / page
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text()))
    for target in targets:
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), f"{page}: {target}"
        assert there.is_relative_to(ROOT), f"{page}: {target} leads out of the repository"
        if anchor:
            assert anchor in anchors(there.read_text()), f"{page}: {target} is no heading there"


@pytest.mark.parametrize("page", PAGES)
def test_commands_name_examples_that_exist(page):
    for script in re.findall(r"\bpython\s+(examples/[\w./-]+)", (ROOT / page).read_text()):
        assert (ROOT / script).is_file(), f"{page}: python {script}"


def test_every_script_is_in_the_list_of_examples():
    listed = set(re.findall(r"\(\.\./examples/([\w/-]+\.py)\)", (ROOT / "docs/examples.md").read_text()))
    found = [*(ROOT / "examples").glob("*.py"), *(ROOT / "examples/priors").glob("*.py")]
    scripts = {
        path.relative_to(ROOT / "examples").as_posix()
        for path in found
        if "Not a script of its own" not in path.read_text()
    }
    assert listed == scripts
