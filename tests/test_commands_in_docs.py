"""Commands and options that the pages name are there."""

import re

import click
import pytest

from tests.test_readme import PAGES, ROOT
from vipaint_pyro.cli.main import main

# Of git, pip, Sphinx and the scripts in examples/.
OTHERS = {"--smoke", "--editable", "--only", "--jobs", "--data", "--images", "--faces", "--keep-going"}


def commands() -> dict[str, set[str]]:
    """Command -> its options."""
    with click.Context(main) as context:
        named = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: {o for p in c.params for o in (*p.opts, *p.secondary_opts)} | {"--help"} for name, c in named.items()}


KNOWN = commands()


def shell(text: str) -> list[str]:
    """Lines of shell blocks, joined where they go on, without comments."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [re.sub(r"\s#.*", "", line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_shell_blocks(page):
    for line in shell((ROOT / page).read_text()):
        called = re.search(r"(?:^|\s)vipaint ([a-z]\S*)", line)
        if called:
            assert called[1] in KNOWN, line
            given = re.findall(r"(?<=\s)(--[a-z][a-z-]*)", line)
            assert set(given) <= KNOWN[called[1]], line


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("CHANGELOG.md", "CONTRIBUTING.md")])
def test_options_in_the_text(page):
    every = set().union(*KNOWN.values()) | OTHERS
    for span in re.findall(r"`([^`\n]+)`", (ROOT / page).read_text()):
        for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]*)(?![a-z-]*…)", span):
            assert option in every, f"{page}: {span}"
