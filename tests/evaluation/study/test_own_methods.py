"""Samplers of one's own in comparisons: equal calls by counting them, rows of both tables, and code that changed."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.evaluation.study.conftest import evaluate
from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.exact_baselines import baseline, described_row, is_baseline
from vipaint_pyro.evaluation.exact_methods import Lab, check_name
from vipaint_pyro.evaluation.exact_pictures.methods import row_sampler
from vipaint_pyro.evaluation.exact_pictures.records import row_name
from vipaint_pyro.evaluation.study.equal_calls import at_calls
from vipaint_pyro.evaluation.study.specs import Spec, split_specs
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.samplers import make_sampler

NAME = "samplers_of_study_test"
MODULE = '''
from dataclasses import dataclass

from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.samplers import DPSSampler, Sampler, Samples
from vipaint_pyro.samplers.reverse import ReverseSampler

@dataclass(frozen=True)
class Often(ReverseSampler):
    """As often as it is told at every step."""
    num_steps: int = 100
    times: int = 1

    def step(self, run, z, t, s):
        for _ in range(self.times):
            z0 = run.prior.denoise(z, t)
        mean, std = run.prior.reverse(z, t, s, self.eta, z0)
        return mean + (std * run.normal(z) if s >= 0 else 0), z0

@dataclass(frozen=True)
class TwiceDPS(DPSSampler):
    def step(self, run, z, t, s):
        run.prior.denoise(z, t)
        return super().step(run, z, t, s)

@dataclass(frozen=True)
class NoSteps(Sampler):
    def draw(self, run):
        return Samples(run.measurement.y.expand(run.num_samples, -1, -1, -1, -1))

class Narrow(HierarchicalGuide):
    pass
'''


@pytest.fixture
def mine(here, monkeypatch):
    Path(f"{NAME}.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield NAME
    sys.modules.pop(NAME, None)
    importlib.invalidate_caches()


def test_a_spec_is_taken_apart_with_its_place(mine):
    spec = Spec.of(f"{mine}:Often@60:times=3;num-steps=7")
    assert (spec.name, spec.calls, spec.settings) == (f"{mine}:Often", 60, {"times": 3, "num_steps": 7})
    assert Spec.of(f"{mine}:Often:times=2").settings == {"times": 2} and Spec.of(f"{mine}:Often").calls is None
    assert split_specs(f"dps@5,{mine}:Often@60:times=3,_a:B") == ("dps@5", f"{mine}:Often@60:times=3", "_a:B")
    for wrong, words in (
        ("dps:limit", "a setting is NAME=VALUE, not 'limit'"),
        ("foo:zeta=3", "no method is called 'foo'"),
        ("foo:Bar", "the sampler foo:Bar is not found"),
        (f"{mine}:Often@0", "a number of calls is at least 1"),
        (f"{mine}:Often@abc", "a method is NAME, NAME@CALLS or NAME:setting=value;setting=value, not"),
        (mine, f"no method is called '{mine}'. Of the file {mine}.py here, write {mine}:Class. There are"),
        (f"{mine}:Often:times=2@60", f"calls are written before the settings, {mine}:Often@60:times=2"),
        ("dps:zeta=2@20", "calls are written before the settings, dps@20:zeta=2"),
    ):
        with pytest.raises(ValueError, match=words):
            Spec.of(wrong)


def test_calls_are_counted_whatever_the_class_is_derived_from(mine, network_prior):
    for name, given, steps in (("Often", {"times": 3}, 20), ("Often", {}, 60), ("TwiceDPS", {}, 30)):
        settings = at_calls(f"{mine}:{name}", 60, network_prior, 2, given)
        assert settings["num_steps"] == steps
        seen = Measurement.of(Inpainting(torch.ones(1, 1, 8, 8, dtype=torch.bool)), torch.zeros(1, 1, 8, 8).double())
        drawn = make_sampler(f"{mine}:{name}", **settings)(network_prior, seen, 1, torch.Generator().manual_seed(0))
        assert sum(drawn.calls.values()) == 60
    with pytest.raises(ValueError, match="NoSteps cannot be given a number of calls.* Give it a setting num_steps, or"):
        at_calls(f"{mine}:NoSteps", 60, network_prior, 2)


def test_a_study_has_them_and_notices_that_they_changed(mine):
    specs = f"{mine}:Often@6:times=2,dps:num_steps=3"
    done = evaluate("--features", "none", methods=specs, conditions=["--masks", "rotated"])
    assert done.exit_code == 0, done.output
    first = next(p for p in sorted(Path("out/records").rglob("*.json")) if "Often" in str(p))
    record = json.loads(first.read_text())
    assert record["calls"]["forward"] == 6 and record["settings"]["sampler"]["class"] == "Often"
    kept = json.loads(Path("out/plan.json").read_text())[f"code of {mine}:Often"]
    guide = f"vipaint-2:fit_steps=2;num_chains=1;refinement_steps=2;guide-name={mine}:Narrow"
    more = evaluate("--features", "none", methods=guide, conditions=["--masks", "rotated"])
    assert more.exit_code == 0 and json.loads(Path("out/plan.json").read_text())[f"code of {mine}:Narrow"] == kept
    Path(f"{mine}.py").write_text(MODULE + "# changed\n")
    refused = evaluate("--features", "none", methods=specs, conditions=["--masks", "rotated"])
    assert refused.exit_code != 0 and f"has other settings (code of {mine}:Often: {kept} -> " in refused.output


GONE = "        {}['gone']"
BROKEN = MODULE.replace("        mean, std =", f"{GONE}\n        mean, std =")
PLACE = rf"KeyError: 'gone' \({NAME}.py, line {1 + BROKEN.splitlines().index(GONE)}, in step\)"


def test_what_failed_is_tried_again_by_code_that_was_mended(mine):
    Path(f"{mine}.py").write_text(BROKEN)
    arguments = {"methods": f"{mine}:Often:num-steps=3,dps:num-steps=3", "conditions": ["--masks", "rotated"]}
    failed = evaluate("--features", "none", **arguments)
    assert failed.exit_code != 0 and len(re.findall(f"failed: {PLACE}", failed.output)) == 2
    for text, ends in ((MODULE, "4 of 4 items are done"), (MODULE + "# changed\n", f"other settings (code of {mine}")):
        sys.modules.pop(mine)
        Path(f"{mine}.py").write_text(text)
        importlib.invalidate_caches()
        again = evaluate("--features", "none", "--retry-failed", **arguments)
        assert ends in again.output, again.output


def test_a_row_that_failed_is_tried_again_by_code_that_was_mended(mine, tmp_path):
    def exact():
        return CliRunner().invoke(main, ["exact", f"{mine}:Often:num-steps=3", "--cell", "8,1", "--problems", "2",
                                         "--samples", "100", "--out", str(tmp_path / "t")])  # fmt: skip

    for text, ends in ((BROKEN, "1 of 1 rows failed"), (MODULE, "wrote"), (MODULE + "#", "with other settings")):
        sys.modules.pop(mine, None)
        Path(f"{mine}.py").write_text(text)
        importlib.invalidate_caches()
        done = exact()
        assert ends in done.output.splitlines()[-1], done.output
        assert bool(re.search(f"failed: {PLACE}", done.output)) == (text == BROKEN)


def test_rows_of_the_tables_whose_answers_are_known(mine):
    lab = Lab(samples=10)
    assert is_baseline(f"{mine}:Often:times=2") and not is_baseline(f"{mine}:Narrow") and is_baseline("dps:zeta=1")
    assert not is_baseline("mixture:num-components=4") and not is_baseline("no.module:Often")
    assert (baseline(f"{mine}:Often:times=2", lab).times, baseline(f"{mine}:Often", lab).times) == (2, 1)
    assert baseline("vipaint-mmps:fit-steps=3", lab).fit_steps == 3
    for row in (f"{mine}:Often", f"{mine}:Often:num-steps=5;times=2", f"{mine}:Narrow+smc", f"{mine}:Narrow"):
        check_name(row, lab)
    assert described_row(f"{mine}:Often:times=2", lab, (8, 1))["times"] == 2
    with pytest.raises(ValueError, match="has no weights to correct it by"):
        check_name(f"{mine}:Often+smc", lab)
    for wrong, words in (("Nul", "has no 'Nul'. .*Its methods are .*Often.*Narrow"), ("Nul+smc", "has no 'Nul'")):
        with pytest.raises(ValueError, match=words):
            check_name(f"{mine}:{wrong}", lab)
    with pytest.raises(ValueError, match="the method none_such:X is not found"):
        check_name("none_such:X", lab)
    with pytest.raises(ValueError, match="has no setting 'tims'. Did you mean 'times'"):
        check_name(f"{mine}:Often:tims=2", lab)
    assert row_sampler(f"{mine}:Often:times=2", 40, (1, 8, 8), 3).num_steps == 20
    assert row_name({"method": f"{mine}:Often:times=2", "budget": 40}) == f"{mine}:Often@40:times=2"
    for row, place in ((f"{mine}:Often", f"{mine}:Often"), (f"{mine}:Narrow+smc", f"{mine}:Narrow")):
        assert len(described_row(row, lab, (8, 1))[f"code of {place}"]) == 16
    assert described_row("mixture+smc", lab, (8, 1)) is None


def test_calls_of_a_guide_of_ones_own_are_counted(mine, network_prior):
    given = {"guide_name": f"{mine}:Narrow"}
    own, known = (at_calls("vipaint-2", 60, network_prior, 3, g) for g in (given, {"guide_name": "hierarchical"}))
    assert own == known | given
