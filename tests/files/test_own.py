"""Files that a command may replace, and those that it may not."""

import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo

from tests.files.common import names
from vipaint_pyro.files import check_own

HEADS = {"table.md": "# ours", "sub/picture.png": "ours"}


def titled(path, title):
    info = PngInfo()
    if title:
        info.add_text("Title", title)
    PIL.Image.new("L", (2, 2)).save(path, pnginfo=info)


@pytest.fixture
def ours(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "table.md").write_text("# ours: and more")
    titled(tmp_path / "sub/picture.png", "ours")
    return tmp_path


def test_own_files_may_be_replaced_and_others_of_other_names_do_not_matter(ours, tmp_path):
    (ours / "notes.md").write_text("mine")
    check_own(ours, HEADS, "us")
    check_own(tmp_path / "nowhere", HEADS, "us")


@pytest.mark.parametrize(
    "name, make",
    [("table.md", lambda p: p.write_text("mine")), ("table.md", lambda p: p.write_text("# our")),
     ("table.md", lambda p: p.write_bytes(b"\xff\xfe")), ("table.md", lambda p: p.mkdir()),
     ("table.md", lambda p: p.symlink_to("nowhere")), ("sub/picture.png", lambda p: titled(p, "")),
     ("sub/picture.png", lambda p: titled(p, "mine")), ("sub/picture.png", lambda p: p.write_text("ours")),
     ("sub/picture.png", lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x05IHDRxxxx"))],
)  # fmt: skip
def test_foreign_files_are_refused(ours, name, make):
    (ours / name).unlink()
    make(ours / name)
    before = names(ours)
    with pytest.raises(ValueError, match=rf"{name} was not written by us: move it, or name another folder with --out"):
        check_own(ours, HEADS, "us")
    assert names(ours) == before
