"""The command line as a whole: its help, its lists and how its errors speak; that it answers at once."""

import dataclasses
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tests.cli.calls import FEW, vipaint
from vipaint_pyro.cli.main import main
from vipaint_pyro.samplers.vipaint.levels import LATENT_RATIOS, RATIOS


def test_priors_lists_what_is_built_in():
    result = vipaint("priors")
    assert result.exit_code == 0 and "fashion-mnist" in result.output and "UNet2DModel" in result.output


@pytest.mark.drawn
def test_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = vipaint("demo", *FEW)
    assert result.exit_code == 0, result.output
    assert "50.0 % of the pixels" in result.output
    facts = json.loads((tmp_path / "vipaint-demo" / "run.json").read_text())
    assert facts["prior"] == "cartoon-faces" and facts["label"] is None
    assert len(facts["to_the_truth"]["lpips_alex_composite"]) == 2


def test_help_states_the_true_defaults():
    from vipaint_pyro.cli.options import SETTINGS
    from vipaint_pyro.samplers import VIPaintSampler

    options = {o.name: o for o in main.commands["inpaint"].params}
    assert set(SETTINGS) == {f.name for f in dataclasses.fields(VIPaintSampler)}
    for name in SETTINGS:
        stated, true = options[name].help.rpartition("Default: ")[2], getattr(VIPaintSampler, name)
        if true is None:  # depends on the prior: in words
            assert stated.strip(".") and "None" not in stated, name
        else:
            said = str(true).lower() if isinstance(true, bool) else str(true)
            assert stated == f"{said}.", name


def test_what_is_no_setting_states_its_default_too():
    options = {o.name: o for o in main.commands["inpaint"].params}
    for name in ("top", "bottom", "more", "region"):
        assert "Default: " in options[name].help, name
    assert RATIOS[4][0] == 3.1 and LATENT_RATIOS[4][-1] == 1.2
    assert "Default: with 4 levels 3.1, of latent priors 20." in options["top"].help
    assert "Default: with 4 levels 1, of latent priors 1.2." in options["bottom"].help
    assert all(o.help for command in main.commands.values() for o in command.params
               if o.name == "seed" and not o.hidden)  # fmt: skip


def test_draw_names_no_default_but_the_fits():
    """Which it is, of the refinement, says the guide's folder."""
    from vipaint_pyro.cli.options import AFTER

    options = {o.name: o for o in main.commands["draw"].params}
    for name in AFTER:
        assert options[name].help.endswith("Default: the fit's."), name


def test_errors_speak_of_options():
    from vipaint_pyro.cli.reporting import in_options

    told = [
        ("fit_steps is at least 1, but is 0", "--fit-steps is at least 1, but is 0"),
        ("std is a positive number of pixels", "std is a positive number of pixels"),  # inpaint has none
        ("beta is at least 0, but is -1", "--beta is at least 0, but is -1"),
        ("correct='smc' is for pixel priors", "--correct smc is for pixel priors"),
        ("the guide 'red-diff' has no refinement_steps", "the guide 'red-diff' has no --refinement-steps"),
        ("--fit-steps and the scale of beta", "--fit-steps and the scale of beta"),
        ("my_fit_steps.png: no such file", "my_fit_steps.png: no such file"),
        ("fit_steps.png: no such file", "fit_steps.png: no such file"),
        ("a/fit_steps/b.png: no such file", "a/fit_steps/b.png: no such file"),
        ("zeta is of a DPS step, and refine is 'mmps': leave zeta out",
         "--zeta is of a DPS step, and --refine is 'mmps': leave --zeta out"),  # one way in one message
        ("refine='tds' has weights of its own, and correct is 'psis': leave correct out",
         "--refine tds has weights of its own, and --correct is 'psis': leave --correct out"),
        ("no step is bounded: leave limit on", "no step is bounded: leave --limit on"),
        ("leave noise_scale out. Or raise num_particles", "leave --noise-scale out. Or raise --num-particles"),
    ]
    for said, heard in told:
        assert in_options(said, main.commands["inpaint"].params) == heard
    result = CliRunner().invoke(main, ["demo", "--fit-steps", "0", "--out", "nowhere-to-be-made"])
    assert result.exit_code == 1 and "Error: --fit-steps is a whole number of at least 1, but is 0" in result.output


def test_priors_lists_the_labels():
    result = CliRunner().invoke(main, ["priors"])
    assert "--label: bob, bun, " in result.output and "ankle boot" in result.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from vipaint_pyro.cli.main import main;"
        "r = CliRunner().invoke(main, ['inpaint', '--help']); assert r.exit_code == 0, r.output;"
        "heavy = {'torch', 'pyro', 'diffusers', 'lpips', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_convert(here):
    (here / "broken.pt").write_bytes(b"nothing")
    result = vipaint("convert", "broken.pt", "out", "--kind", "churches-kl-f8")
    assert result.exit_code == 1 and "broken.pt" in result.output and not (here / "out").exists()


def test_where_a_prior_may_be_named_its_variant_and_revision_may_be():
    for name, command in main.commands.items():
        options = {p.name: p for p in command.params}
        named = "prior" in options and not isinstance(options["prior"].type, click.Choice)  # else built in
        assert named == {"variant", "revision"}.issubset(options), name
