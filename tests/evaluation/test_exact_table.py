"""The benchmark's table: what its rows measure, and that a run goes on where it was."""

import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.exact_baselines import baseline, seen_by
from vipaint_pyro.evaluation.exact_methods import Draws, Lab, check_name, draw_named
from vipaint_pyro.evaluation.exact_table import CELLS, PUBLISHED, plot_table, rows, run_table, score, write_table
from vipaint_pyro.exact import mixture_problems
from vipaint_pyro.measurements import Gaussian, Measurement
from vipaint_pyro.samplers import DDNMSampler, DPSSampler, PiGDMSampler, REDDiffSampler
from vipaint_pyro.samplers.registry import METHODS

SMALL = Lab(fit_steps=3, fit_chains=5, steps=6, samples=200, dps_steps=5, red_diff_steps=5)


@pytest.fixture(scope="module")
def problems():
    return mixture_problems(8, 2, range(2))


def test_exact_draws_have_no_distance_but_the_floor(problems):
    lab = Lab(samples=4000)
    exact = score(problems, draw_named("exact", problems, lab), 50)
    prior = score(problems, draw_named("prior", problems, lab), 50)
    assert 0 < max(exact["sliced_w1"]) < 0.4 and min(prior["sliced_w1"]) > 2
    assert max(exact["mode_tv"]) < 0.08 and min(prior["mode_tv"]) > 0.2


def test_the_moment_gaussian_has_the_posteriors_moments(problems):
    lab = Lab(samples=20_000)
    x = draw_named("moment-gaussian", problems, lab).x
    posterior = problems.posterior()
    error = (posterior.variance / len(x)).sqrt()
    assert ((x.mean(0) - posterior.mean).abs() < 5 * error).all()
    torch.testing.assert_close(x.var(0), posterior.variance, rtol=0.06, atol=0)


def test_one_mode_and_delta_are_the_heaviest_mode(problems):
    posterior = problems.posterior()
    best = posterior.weights.argmax(-1)
    for name in ("one-mode", "delta"):
        result = score(problems, draw_named(name, problems, SMALL), 20)
        expected = 1 - posterior.weights.gather(-1, best[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(result["mode_tv"]).double(), expected, rtol=0, atol=0.02)


def test_evidence_and_bound_are_compared_with_the_truth(problems):
    truth = problems.posterior().log_evidence
    x = problems.posterior().sample(200)
    bound = truth - 2.0, torch.full_like(truth, 0.5)
    result = score(problems, Draws(x, log_evidence=truth + 0.25, bound=bound), 10)
    assert result["log_evidence_error"] == pytest.approx([0.25, 0.25])
    assert result["bound_gap"] == pytest.approx([2.0, 2.0]) and result["bound_z"] == pytest.approx([-4.0, -4.0])


@pytest.mark.parametrize(
    "name", ["hierarchical", "hierarchical+psis", "hierarchical+smc", "AutoNormal+smc", "dps", "red-diff"]
)
def test_methods_say_what_they_cost(problems, name):
    draws = draw_named(name, problems, SMALL)
    assert draws.x.shape == (200, 2, 1, 1, 8) and torch.isfinite(draws.x).all()
    # Four levels in the fit, five chains, three steps; below T_s six steps, and the levels above it.
    assert draws.fit_calls == (0 if name in ("dps", "red-diff") else 3 * 5 * 4)
    assert (draws.log_evidence is None) == ("+" not in name)


def test_a_run_goes_on_where_it_was(tmp_path):
    run_table(["exact", "delta"], [(8, 1)], SMALL, tmp_path, seeds=range(2))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    run_table(["exact", "delta", "prior"], [(8, 1)], SMALL, tmp_path, seeds=range(2))
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())
    published = {f"{n} (published)" for n in PUBLISHED}
    assert {r["method"] for r in rows(tmp_path)} == {"exact", "delta", "prior", *published}
    record = json.loads((tmp_path / "cells" / "delta-8-1.json").read_text())
    w = torch.tensor(record["scores"]["sliced_w1"])
    row = next(r for r in rows(tmp_path) if r["method"] == "delta")
    assert row["sliced_w1"] == pytest.approx(float(w.mean()))
    assert row["sliced_w1_ci"] == pytest.approx(1.96 * float(w.std(correction=0)) / 2**0.5)
    assert "| 8, 1 | MCGDiff (published) | 1.43 ± 0.55 |" in write_table(tmp_path)
    with pytest.raises(ValueError, match="other settings"):
        run_table(["exact"], [(8, 1)], Lab(), tmp_path, seeds=range(2))


def test_the_table_says_what_it_shows_and_keeps_the_published_apart(tmp_path):
    run_table(["exact", "prior"], [(8, 1), (8, 2)], SMALL, tmp_path, seeds=range(2))
    text = write_table(tmp_path)
    measured, _, published = text.partition("\nPublished (")
    assert "| 8, 2 | prior |" in measured and "(published)" not in measured
    assert published.count("(published) |") == 2 * len(PUBLISHED) and "on 20 other problems" in published
    for said in ("2 problems per cell, 200 samples of each", "1.96 standard errors", "Lower is better", "\n- mode TV: ",
                 "\n- k: "):  # fmt: skip
        assert said in measured
    # Within a cell the published ones come last, however near they are: MCGDiff's 1.43 is below the prior's.
    order = [(r["d_y"], r["published"]) for r in rows(tmp_path)]
    assert order == sorted(order) and {r["problems"] for r in rows(tmp_path)} == {2, 20}
    picture = plot_table(tmp_path)
    assert "2 problems" in picture.get_suptitle() and "grey: published, on other problems" in picture.get_suptitle()
    assert "1.96 standard errors" in picture.get_suptitle()
    assert all("lower is better" in axes.get_xlabel() for axes in picture.axes)


def test_published_rows_belong_to_their_cells():
    assert PUBLISHED["MCGDiff"][CELLS.index((80, 2))] == (0.67, 0.24)
    assert PUBLISHED["DPS"][CELLS.index((800, 4))] == (5.51, 1.18)
    assert PUBLISHED["DDRM"][CELLS.index((8, 4))] == (2.51, 1.29)


@pytest.mark.parametrize(
    "arguments, words",
    [(["hierarchic"], "unknown method 'hierarchic'. Did you mean 'hierarchical'? "),
     (["dps@20"], "'dps@20': here no number of calls is given, but dps may have settings behind a colon\n"),
     (["exact:x=1"], "'exact:x=1': exact has neither calls nor settings\n"),
     (["dps:num-step=9"], "dps has no setting 'num-step'. Did you mean 'num-steps'?"),
     (["exact", "dps:"], "a setting is NAME=VALUE, not ''"),
     (["pigdm:num-steps=0"], "num_steps is a whole number of at least 1, but is 0"),
     (["vipaint-4"], "unknown method 'vipaint-4'. Did you mean 'vipaint'? There are the rows exact, "),
     (["hierarchical+mcmc"], "a correction is one of"),
     (["red-diff+smc"], "has no weights to correct it by"), (["exact", "--cell", "7,1"], "d is even"),
     (["exact", "--cell", "8"], "two whole numbers"), (["exact", "blended"], "is for inpainting alone"),
     (["exact", "--beta", "-1"], "--beta is a finite number, above 0, but is -1.0")],
)  # fmt: skip
def test_what_cannot_be_is_said_at_once(tmp_path, arguments, words):
    done = CliRunner().invoke(main, ["exact", *arguments, "--out", str(tmp_path / "t")])
    assert done.exit_code == 1 and words in done.output and not (tmp_path / "t").exists()


def test_a_folder_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = CliRunner().invoke(main, ["exact", "exact", "--cell", "8,1", "--out", str(tmp_path)])
    assert done.exit_code == 1 and "has other content" in done.output
    done = CliRunner().invoke(main, ["exact", "exact", "--cell", "8,1", "--out", str(tmp_path / "notes.txt")])
    assert done.exit_code == 1 and "is no folder" in done.output
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_the_command_prints_the_table(tmp_path):
    out = tmp_path / "table"
    done = CliRunner().invoke(
        main, ["exact", "exact", "delta", "--cell", "8,1", "--samples", "100", "--problems", "2", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert {"table.md", "table.csv", "table.png"} <= {p.name for p in out.iterdir()}
    assert "| 8, 1 | delta |" in done.output


ROWS = [n for n, m in METHODS.items() if not {"mask", "latent"} & set(m.needs)]


def test_every_sampler_for_such_problems_is_a_row():
    for name in METHODS:
        if name in ROWS:
            check_name(name, Lab())
        else:
            with pytest.raises(ValueError, match="is for inpainting alone|it is for latent priors"):
                check_name(name, Lab())


@pytest.mark.parametrize("name, sweeps", [("vipaint-mmps", 0), ("vipaint-gibbs", 4)])
def test_refinements_of_vipaint_are_rows(problems, name, sweeps):
    check_name(name, Lab())
    seen, few = seen_by(name, problems), replace(baseline(name, SMALL), fit_steps=2, refinement_steps=3)
    settled = few.settle(problems.prior, seen)
    assert settled.refine == name.removeprefix("vipaint-") and settled.sweeps == sweeps
    drawn = settled(problems.prior, seen, 3, torch.Generator().manual_seed(0))
    assert torch.isfinite(drawn.images).all() and drawn.calls["refinement"] == 3 * (3 + (1 + sweeps) * 3)


def test_particles_of_each_draw_are_a_row_of_as_many_calls(problems):
    s, plain = baseline("vipaint-tds", SMALL), baseline("vipaint-mmps", SMALL)
    assert s.num_particles == 4 * SMALL.samples and s.refinement_steps == max(1, plain.refinement_steps // 4)
    check_name("vipaint-tds", Lab())
    few = replace(s, fit_steps=2, num_particles=12)
    assert few(problems.prior, seen_by("vipaint-tds", problems), 3, torch.Generator().manual_seed(0)).calls[
        "refinement"
    ] == 3 * 3 + 12 * s.refinement_steps  # fmt: skip


@pytest.mark.parametrize(
    "row, by_hand",
    [("dps:num-steps=7;zeta=0.3", DPSSampler(7, zeta=0.3)), ("dps:zeta=0.3", DPSSampler(5, zeta=0.3)),
     ("pigdm:num-steps=4", PiGDMSampler(4)), ("red-diff-v:lr=0.2", REDDiffSampler(5, 0.2, random_times=True)),
     ("ddnm:num-steps=3", DDNMSampler(3))],
)  # fmt: skip
def test_a_row_has_the_tables_settings_but_those_that_are_written(problems, row, by_hand):
    assert baseline(row, SMALL) == by_hand
    drawn = draw_named(row, problems, SMALL, seed=3)
    expected = by_hand(problems.prior, seen_by(row.partition(":")[0], problems), 200, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn.x, expected.images, rtol=0, atol=0)


def test_the_refinements_of_vipaint_take_settings_too():
    assert baseline("vipaint-gibbs:sweeps=2", SMALL) == replace(baseline("vipaint-gibbs", SMALL), sweeps=2)
    assert baseline("vipaint-mmps:effort=draft", SMALL).fit_steps == 20


def test_samplers_are_told_of_the_noise(problems):
    # DDNM alone is not: behind a dense operator it knows of none.
    for name in ROWS:
        seen = seen_by(name, problems)
        sigma = seen.likelihood.sigma
        assert torch.equal(seen.y, problems.y)
        assert sigma == 0 if name == "ddnm" else torch.equal(sigma, problems.sigma)


@pytest.mark.parametrize(
    "name, steps",
    [("pigdm", {}), ("mmps", {}), ("tmpd", {}), ("copaint", {}), ("daps", {"mcmc_steps": 3}), ("vipaint", {})],
)  # fmt: skip
def test_the_noise_changes_what_is_drawn(problems, name, steps):
    # Of each image its own sigma; the norm of copaint and the published balance of the paper's guide do not know it.
    few = {"fit_steps": 2} if name == "vipaint" else {"num_steps": 4, **steps}
    sampler = replace(baseline(name, SMALL), **few)
    told = seen_by(name, problems)
    less = Measurement(told.operator, Gaussian(0.1 * problems.sigma), told.y)
    one, two = (sampler(problems.prior, m, 3, torch.Generator().manual_seed(0)).images for m in (told, less))
    assert torch.isfinite(one).all() and torch.equal(one, two) == (name in ("copaint", "vipaint"))


def test_samplers_have_no_weights(problems):
    with pytest.raises(ValueError, match="pigdm has no weights to correct it by"):
        check_name("pigdm+smc", SMALL)


@pytest.mark.parametrize("cell", [(8, 1), (8, 2), (80, 1), (80, 2)])
def test_the_chain_of_daps_is_stable_on_every_problem(cell):
    # Of a curvature c it is where h c < 2 (1 + k): both eigenvalues of its step are below 1 then.
    problems = mixture_problems(*cell, range(40))
    sampler = baseline("daps", Lab()).settle(problems.prior, seen_by("daps", problems))
    steepest = torch.linalg.svdvals(problems.operator.matrix)[:, 0] / problems.sigma.flatten()
    for i in range(sampler.num_steps):
        falling = 1 - 0.99 * i / (sampler.num_steps - 1)
        rho = 100 ** (1 / 7) + (0.1 ** (1 / 7) - 100 ** (1 / 7)) * i / (sampler.num_steps - 1)
        curvature = steepest.square() + 1 / rho**14
        assert (falling * sampler.step_size * curvature < 2 * (1 + sampler.momentum)).all()
