"""What click itself has to say is one line, as every other error is; so is Ctrl-C."""

import pytest

from tests.cli.calls import vipaint


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["inpaint"], "Missing argument 'IMAGE'; main inpaint --help says what there is"),
        (["restore", "a.png"], "Choose from: super-resolution, deblur, motion-deblur, colorization; main rest"),
        (["restore", "a.png", "--tsk", "deblur"], "'--tsk'"),
        (["inpaint", "a", "b", "--prior", "x", "--levels", "0"], "0 is not in the range x>=1; main inpaint"),
        (["inpaint", "a", "b", "--prior", "x", "--num-levels", "3"], "--num-levels is --transitions"),
        (["inpaint", "a", "b", "--prior", "x", "--timesteps", "a"], "no comma-separated list of whole times"),
        (["inpaint", "a", "b", "--prior", "x", "--out", " "], "the name is empty"),
        (["exact", "--samples", "3"], "Invalid value for '--samples'"),
        (["inpaint", "a", "b", "--refine", "--samples", "2"], "refine takes a value, but --samples follows it"),
        (["inpaint", "a", "b", "--prompt", "--no-limit"], "--prompt takes a value, but --no-limit follows it"),
        (["evaluate", "--masks", "--images", "4"], "--masks takes a value, but --images follows it"),
        (["inpaint", "a", "b", "--prior"], "'--prior' requires an argument"),
        (["resotre"], "No such command 'resotre'"),
        (["--versoin"], "'--versoin'"),
    ],
)
def test_a_call_that_cannot_be_understood_is_one_line(arguments, said):
    result = vipaint(*arguments)
    (line,) = result.output.splitlines()
    assert result.exit_code == 2 and line.startswith("Error: ") and said in line, result.output


def test_nothing_at_all_asks_for_help():
    assert "Commands:" in vipaint().output


def test_ctrl_c_says_that_the_rows_of_a_table_are_kept(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vipaint_pyro.evaluation.exact_table.run_table", interrupted)
    result = vipaint("exact", "exact", "--out", tmp_path / "table")
    said = f"Error: stopped by Ctrl-C: what was finished is kept in {tmp_path / 'table'}, and the same command goes on"
    assert result.exit_code == 1 and result.output.splitlines() == [said], result.output


def test_ctrl_c_in_a_list_is_one_line(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vipaint_pyro.cli.main.click.echo", interrupted)
    result = vipaint("guides")
    assert result.exit_code == 1 and result.output == "Error: stopped by Ctrl-C: nothing was written\n", result.output


def test_a_handler_of_sigterm_that_python_did_not_set_is_left_alone(monkeypatch):
    monkeypatch.setattr("vipaint_pyro.cli.main.signal.getsignal", lambda number: None)
    monkeypatch.setattr("vipaint_pyro.cli.main.signal.signal", None)
    assert vipaint("guides").exit_code == 0
