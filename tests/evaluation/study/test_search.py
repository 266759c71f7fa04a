"""Settings chosen by successive halving, on a study that is made up."""

from dataclasses import replace

import pytest

from vipaint_pyro.evaluation.study import search as module
from vipaint_pyro.evaluation.study.plan import Plan
from vipaint_pyro.evaluation.study.search import search, table
from vipaint_pyro.evaluation.study.specs import Spec, check_chosen

PLAN = Plan("fashion-mnist", "fashion-mnist", ("dps",), ("rotated",), split="train", images=4, keep="none")


class Records:
    """A study's folder in memory, filled with what ``lpips`` says of (settings, image); a string is a failure."""

    def __init__(self, lpips):
        self.lpips, self.plans = lpips, []

    def round(self, plan, path, log):
        self.plans.append(plan)
        return plan

    def __call__(self, path):
        return self

    def record(self, item):
        value = self.lpips(dict(Spec.of(item.method).settings), item.image)
        if isinstance(value, str):
            return {"error": {"message": value}}
        # Of two samples.
        return {"error": None, "scores": {"lpips_composite": [value - 0.25, value + 0.25]}, "calls": {"forward": 50.0}}


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(lpips, plan=PLAN, name="dps", latent=False):
        records = Records(lpips)
        monkeypatch.setattr(module, "is_latent", lambda plan: latent)
        monkeypatch.setattr(module, "_round", records.round)
        monkeypatch.setattr(module, "StudyFolder", records)
        return search(plan, name, 50, 2, 3, tmp_path, print), records.plans

    return run


def test_all_are_tried_on_few_images_and_the_best_on_all(run):
    def lpips(settings, image):
        if not settings["limit"]:
            return 9.0
        # The best on the first two images is not the best on all.
        worse = 4 if settings["zeta"] == 0.25 and image > 1 else 0
        return {0.25: 0.5, 0.5: 1.0, 1.0: 1.5, 2.0: 8.0}[settings["zeta"]] + worse

    found, plans = run(lpips)
    assert [len(p.methods) for p in plans] == [8, 3] and [p.images for p in plans] == [2, 4]
    assert [p.split for p in plans] == ["train", "train"]
    assert [t.settings["zeta"] for t in found[:4]] == [0.5, 1.0, 0.25, 2.0]
    assert all(t.settings["limit"] for t in found[:4])
    assert [t.mean for t in found[:4]] == [1.0, 1.5, 2.5, 8.0]
    assert [len(t.lpips) for t in found] == [4, 4, 4, 2, 2, 2, 2, 2] and found[0].calls == 50
    assert check_chosen({"methods": {"dps": found[0].settings}, "search": {}})["methods"] == {"dps": found[0].settings}
    text = table({"dps": found}, latent=False)
    assert "| **zeta 0.5, limit True** | 4 | 1.0000 ± 0.0000 | 50 |" in text and "**dps.** The length" in text
    assert "| zeta 2.0, limit True | 2 | 8.0000 ± 0.0000 | 50 |" in text


@pytest.mark.parametrize(("condition", "setting"), [("super-resolution", "refine"), ("rotated", "zeta")])
def test_what_is_tried_of_a_latent_prior_follows_the_condition(run, condition, setting):
    plan = replace(PLAN, conditions=(condition,))
    found, _ = run(lambda settings, image: settings["beta"], plan, "vipaint-4", latent=True)
    assert {tuple(t.settings) for t in found} == {("beta", setting)} and found[0].settings["beta"] == 0.3
    task = condition != "rotated"
    assert ("steps, which have no length" in table({"vipaint-4": found}, latent=True, task=task)) == task


def test_candidates_that_fail_are_not_chosen(run):
    found, plans = run(lambda settings, image: "NaN at step 3" if settings["zeta"] > 0.25 else 1.0)
    assert {t.settings["zeta"] for t in found[:2]} == {0.25} and len(plans[1].methods) == 2
    assert found[-1].failed == "NaN at step 3" and "| failed |" in table({"dps": found}, latent=False)
    with pytest.raises(ValueError, match="no candidate of dps ran: NaN"):
        run(lambda settings, image: "NaN")
    with pytest.raises(ValueError, match="no candidate of dps ran on all images: NaN"):
        run(lambda settings, image: "NaN" if image > 1 else 1.0)


def test_settings_are_never_chosen_on_test_images(run):
    with pytest.raises(ValueError, match="settings are chosen on training images"):
        run(lambda settings, image: 1.0, replace(PLAN, split="test"))
