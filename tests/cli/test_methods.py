"""``--method``, ``--set`` and ``vipaint methods``: every method by its name and its own settings."""

import json

import pytest
from click.testing import CliRunner

from tests.cli.calls import inpaint, plain, vipaint
from vipaint_pyro import VIPaintPipeline
from vipaint_pyro.cli.main import main
from vipaint_pyro.samplers import timesteps_for


@pytest.mark.parametrize(
    "name, given, calls",
    [
        ("dps", ["--set", "num_steps=3", "--zeta", "1"], {"refinement": 6}),
        ("blended", ["--set", "num-steps=3"], {"refinement": 6}),
        ("red-diff", ["--set", "num_steps=3", "--set", "lr=0.5"], {"fit": 6}),
        ("red-diff-v", ["--set", "num_steps=3"], {"fit": 6}),
    ],
)
def test_every_method_writes_its_run(here, name, given, calls):
    result = plain("--method", name, *given)
    assert result.exit_code == 0, result.output
    facts = json.loads((here / "out" / "run.json").read_text())
    assert facts["method"] == name and facts["settings"]["num_steps"] == 3 and facts["denoiser_calls"] == calls
    assert (here / "out" / "sample-01.png").exists()
    assert (here / "out" / "guide.safetensors").exists() == name.startswith("red")


def one(*given):
    own = ["--prior", "prior", "--method", "estimate", "--out", "out"]
    return vipaint("inpaint", "image.png", "mask.png", *own, *given)


def test_a_method_without_chance_draws_one(here):
    done = one()
    assert done.exit_code == 0, done.output
    assert "estimate has no chance in it, and one completion: that one is written" in done.stderr.splitlines()
    assert [p.name for p in (here / "out").glob("sample-*.png")] == ["sample-00.png"]
    assert json.loads((here / "out" / "run.json").read_text())["num_samples"] == 1
    again = one("--samples", 1, "--overwrite")
    assert again.exit_code == 0 and "no chance" not in again.stderr


def test_of_a_method_without_chance_no_more_than_one_is_drawn(here):
    done = one("--samples", 8)
    assert done.exit_code == 1 and not (here / "out").exists()
    assert done.stderr == (
        "Error: estimate has no chance in it, so that 8 samples would be the same: leave --samples out\n"
    )


@pytest.mark.parametrize(
    "given, words",
    [
        (["--method", "dsp"], "no method is called 'dsp'. Did you mean 'dps'?"),
        (["--method", "dps", "--fit-steps", 3], "the method 'dps' has no --fit-steps: leave it out"),
        (["--method", "dps", "--levels", 2], "has no levels: leave --levels out"),
        (["--method", "dps", "--T_e", 9, "--T_s", 2], "has no levels: leave --T_e and --T_s out"),
        (["--levels", 3], "where 3 levels lie is not known, as it is of 1, 2, 4: give T_e too"),
        (["--T_e", 2, "--T_s", 9], "T_e has to lie above T_s, but its ratio is 2, and 9 that of T_s"),
        (["--num-particles", 0], "--num-particles is a whole number of at least 1, but is 0"),
        (["--sweeps", 0], "--sweeps is a whole number of at least 1, but is 0"),
        (["--T_e", 1e9], "T_e is a ratio of noise to signal between"),
        (["--T_e", 9, "--set", "timesteps=6,5"], "--timesteps say which levels there are: leave --T_e out"),
        (
            ["--method", "dps", "--set", "steps=3"],
            "dps has no setting 'steps'. Did you mean 'num-steps'? It has chunk, eta, fraction, hidden-pull, limit",
        ),
        (["--method", "dps", "--set", "num_steps=x"], "--set num-steps=x: num-steps is a whole number of at least 1"),
        (["--method", "dps", "--set", "num_steps=0"], "num_steps is a whole number of at least 1, but is 0"),
        (["--method", "red-diff-v", "--set", "random_times=false"], "red-diff-v has no setting 'random_times'"),
        (["--method", "dps", "--set", "num_steps"], "--set takes NAME=VALUE, not 'num_steps'; dps has chunk, eta,"),
        (["--method", "dps", "--beta", 2], "'dps' has no --beta: leave it out. Its settings (--set) are chunk, eta,"),
        (["--fit-steps", 3, "--set", "fit-steps=4"], "--fit-steps and --set fit-steps are the same: give one"),
        (["--set", "zeta=1", "--set", "zeta=2"], "--set zeta is given twice"),
        (["--set", "timesteps=5,6"], "must fall from each to the next"),
        (["--correct", "psis", "--num-particles", 2, "--samples", 3], "3 samples cannot be drawn from 2 particles"),
        (["--refine", "mmps", "--no-limit"], "--limit and --no-limit are of a DPS step, and --refine is mmps"),
        (["--refine", "ddnm", "--limit"], "--limit and --no-limit are of a DPS step, and --refine is ddnm"),
        (["--refine", "mmps", "--zeta", 2], "--zeta is of a DPS step, and --refine is 'mmps': leave --zeta out"),
        (["--guide", "red-diff"], "'red-diff' is a method of its own"),
        (["--perceptual-weights", "a.safetensors"], "--perceptual-weights is of LPIPS, which has no weight here: give"),
    ],
)
def test_what_a_method_does_not_have_is_refused(here, given, words):
    result = plain(*given)
    assert result.exit_code == 1 and words in result.output, result.output
    assert not (here / "out").exists()


def test_settings_of_vipaint_may_be_set_by_name_too(here):
    given = ["--set", "timesteps=700,300", "--set", "fit-steps=2", "--set", "refinement_steps=3", "--overwrite"]
    assert plain(*given).exit_code == 0
    facts = json.loads((here / "out" / "run.json").read_text())
    assert facts["settings"]["timesteps"] == [700, 300] and facts["settings"]["fit_steps"] == 2
    given = ["--set", "guide_name=gaussian", "--fit-steps", 2, "--refinement-steps", 3, "--overwrite"]
    assert plain(*given).exit_code == 0  # which has one level


def test_methods_and_their_settings_are_listed():
    from vipaint_pyro.samplers.registry import METHODS

    listed = CliRunner().invoke(main, ["methods"]).output
    assert all(f"{m.summary} ({m.paper})" in listed for m in METHODS.values())
    told = CliRunner().invoke(main, ["methods", "dps", "red-diff-v"]).output
    assert "zeta                     DPS step size. Default: 0.5." in told and "random_times" not in told
    assert "lambda                   Weight of the regulariser. Default: 0.25." in told


@pytest.mark.parametrize(
    "given, said",
    [(["--set", "steps=3"], "has no"), (["--method", "dps", "--levels", 2], "has no"),
     (["--method", "dsp"], "no method"), (["--levels", 3], "is not known"),
     (["--T_e", 2, "--T_s", 9], "has to lie above")],
)  # fmt: skip
def test_settings_that_there_are_not_are_said_before_the_prior_is_loaded(here, monkeypatch, given, said):
    monkeypatch.setattr("vipaint_pyro.pipelines.vipaint.VIPaintPipeline.from_pretrained", None)
    result = plain(*given)
    assert result.exit_code == 1 and said in result.output, result.output


def test_levels_lie_between_two_ratios(here):
    done = plain("--levels", 3, "--T_e", 8, "--T_s", 2, "--fit-steps", 1, "--refinement-steps", 1, "--samples", 1)
    assert done.exit_code == 0, done.output
    prior = VIPaintPipeline.from_pretrained("prior").prior
    times = json.loads((here / "out" / "run.json").read_text())["settings"]["timesteps"]
    assert tuple(times) == timesteps_for(prior, 3, 8.0, 2.0) == tuple(map(prior.schedule.time_of_ratio, (8, 4, 2)))


@pytest.mark.parametrize(
    "spec, said",
    [("vipaint-4", "vipaint with 4 levels, at VIPaint's noise-to-signal ratios"),
     ("vipaint-1", "vipaint with 1 level, at"),
     ("dps@20", "dps at about 20 forward calls of the network a sample"),
     ("dps@20:zeta=2;limit=yes", "dps at about 20 forward calls of the network a sample, with zeta 2.0, with limit")],
)  # fmt: skip
def test_methods_say_what_a_spec_means(spec, said):
    told = CliRunner().invoke(main, ["methods", spec])
    first, rest = told.output.split("\n", 1)
    assert told.exit_code == 0 and first.startswith(f"{spec}, as vipaint evaluate takes it: {said}")
    assert rest == CliRunner().invoke(main, ["methods", said.split()[0]]).output


@pytest.mark.parametrize(
    "spec, said",
    [("vipaint-3", "there are vipaint-1, vipaint-2, vipaint-4, not vipaint-3: for other levels write vipaint:"),
     ("dsp@20", "no method is called 'dsp'. Did you mean 'dps'?"), ("dps@", "a method is NAME, NAME@CALLS or"),
     ("dps:zeta=-1", "zeta is a finite number, at least 0, but is -1.0")],
)  # fmt: skip
def test_methods_refuse_what_is_no_spec(spec, said):
    told = CliRunner().invoke(main, ["methods", spec])
    assert told.exit_code == 1 and told.output.startswith(f"Error: {said}") and told.output.count("\n") == 1


def test_no_default_is_said_to_be_none():
    from vipaint_pyro.samplers.registry import METHODS

    told = CliRunner().invoke(main, ["methods", *METHODS]).output
    assert told.count("Default: ") > 50 and "Default: None" not in told and "Default: ." not in told


@pytest.mark.parametrize(
    "line, said",
    [
        (["--zeta", -1], "--zeta is a finite"),
        (["--set", "chunk=0"], "chunk is"),
        (["--T_e", 0.5, "--T_s", 1], "has to lie"),
        (["--correct", "smc", "--refine", "ddnm"], "steps of its own below T_s: leave --refine out"),
    ],
)
def test_what_no_prior_could_take_is_refused_before_one_is_loaded(here, monkeypatch, line, said):
    monkeypatch.setattr("vipaint_pyro.cli.run.pipeline_of", lambda options: pytest.fail("a prior is loaded"))
    done = inpaint(*line)
    assert done.exit_code == 1 and said in done.output, done.output
