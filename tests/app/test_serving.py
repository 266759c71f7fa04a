"""Where the page is served, and to whom; what the command says before it serves anything."""

import pytest
from click.testing import CliRunner

from vipaint_pyro.app.serving import Address, check_address
from vipaint_pyro.cli.main import main


def test_it_is_for_this_machine_alone_unless_said_otherwise():
    assert Address().host == "127.0.0.1" and not Address().share
    check_address(Address())
    check_address(Address(share=True, password="open sesame"))


@pytest.mark.parametrize("wrong", [{"share": True}, {"password": " "}, {"share": True, "password": ""}])
def test_no_public_link_without_a_password(wrong):
    with pytest.raises(ValueError, match="password"):
        check_address(Address(**wrong))


def test_the_command_refuses_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr("vipaint_pyro.cli.run.pipeline_of", lambda options: pytest.fail("a prior was loaded"))
    result = CliRunner().invoke(main, ["app", "--share"])
    assert result.exit_code == 1 and "--share --password" in result.output, result.output


def test_without_gradio_it_says_what_to_install(monkeypatch):
    import sys

    from vipaint_pyro.app.serving import serve

    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ImportError, match=r"pip install 'vipaint-pyro\[app\]'"):
        serve(None, Address())


def test_the_command_says_it_before_anything_is_loaded(monkeypatch):
    import sys

    def loads():
        raise AssertionError("torch is loaded")

    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("vipaint_pyro.cli.app.loading_libraries", loads)
    result = CliRunner().invoke(main, ["app"])
    assert result.exit_code == 1 and result.output.startswith("Error: the web page needs the extra 'app'")
