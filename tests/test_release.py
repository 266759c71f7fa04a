"""What is said of a release in several places agrees: setup.cfg, CITATION.cff, the changelog, the package."""

import configparser
import re
from pathlib import Path

from vipaint_pyro import __version__

ROOT = Path(__file__).parent.parent
CITED = dict(re.findall(r"^([\w-]+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
HEADS = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_citation_is_of_this_version():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    about = config["metadata"]
    assert CITED["version"] == __version__ and about["version"] == "attr: vipaint_pyro.__version__"
    assert CITED["title"] == about["name"] and CITED["license"] == about["license"] == "MIT"
    assert f"name: {about['author']}" in (ROOT / "CITATION.cff").read_text()
    assert about["license"] in (ROOT / "LICENSE").read_text()


def test_the_changelog_begins_with_what_is_to_come_or_with_this_version():
    """`## Unreleased`, or `## 1.2.3 (2026-01-31)` of the package's own version, and the citation's date."""
    if HEADS[0] != "Unreleased":
        assert HEADS[0] == f"{__version__} ({CITED['date-released']})"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", head) for head in HEADS[1:])


def test_a_change_is_told_once():
    lines = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("- ")]
    assert len(set(lines)) == len(lines)
