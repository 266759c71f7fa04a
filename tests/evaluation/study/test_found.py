"""A study's folder is read whole, and what is wrong with it is said with the file's name and the cure."""

import json

import pytest

from vipaint_pyro.evaluation.study.found import read_study


def test_records_come_in_the_plans_order(study):
    s = study(["vipaint-4", "dps"], conditions=("small", "box"))
    for condition in ("box", "small"):
        for method in ("dps", "vipaint-4", "added"):
            for image in (2, 0):
                s.add(condition, method, image)
    found = read_study(s.folder)
    assert found.methods == ["vipaint-4", "dps", "added"] and found.conditions == ["small", "box"]
    assert [(r.condition, r.method, r.image) for r in found.records] == [
        (c, m, i) for c in ("small", "box") for m in ("vipaint-4", "dps", "added") for i in (0, 2)
    ]
    assert found.images == range(0, 3) and found.common("lpips_net") == "alex"


def test_samples_lie_where_the_record_does(study):
    s = study(["dps@50:zeta=2;steps=3"])
    s.add("rotated", "dps@50:zeta=2;steps=3", 2)
    (record,) = read_study(s.folder).records
    assert record.beside("samples") == s.folder / "samples/rotated/dps@50-zeta-2-steps-3/00002.safetensors"


def test_no_study(tmp_path, study):
    with pytest.raises(ValueError, match=r"holds no study: there is no plan\.json in it"):
        read_study(tmp_path / "none")
    with pytest.raises(ValueError, match="nothing of the study in .* is finished yet"):
        read_study(study(["dps"]).folder)


def change(path, *keys, to):
    said = inner = json.loads(path.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    path.write_text(json.dumps(said))


DAMAGES = {
    "cut off": (lambda p: p.write_text(p.read_text()[:90]), "no JSON"),
    "empty": (lambda p: p.write_text(""), "no JSON"),
    "bytes": (lambda p: p.write_bytes(bytes(range(256))), "no JSON"),
    "deep": (lambda p: p.write_text("[" * 100_000), "no JSON"),
    "list": (lambda p: p.write_text("[1]"), "it has no item"),
    "another item": (lambda p: change(p, "item", "image", to=7), "it holds image 7 of rotated"),
    "another condition": (lambda p: change(p, "item", "condition", to="box"), "it holds image 1 of box"),
    "no number": (lambda p: change(p, "item", "image", to="1"), "its item is"),
    "no scores": (lambda p: change(p, "scores", to=None), "it has no scores"),
    "words": (lambda p: change(p, "scores", "psnr", to=["a", "b"]), "its psnr is a"),
    "infinite": (lambda p: change(p, "scores", "ssim", to=["inf", 1.0]), "its ssim is inf"),
    "infinity that is no JSON": (lambda p: change(p, "scores", "psnr", to=[1.0, float("inf")]), "its psnr is inf"),
    "nan": (lambda p: change(p, "scores", "psnr", to=[1.0, float("nan")]), "its psnr is nan"),
    "true": (lambda p: change(p, "scores", "diversity", to=True), "its diversity is True"),
    "too few": (lambda p: change(p, "scores", "psnr", to=[1.0]), "it has 1 psnr for 2 samples"),
    "no samples": (lambda p: change(p, "settings", to={}), "its settings do not say how many samples"),
    "no calls": (lambda p: change(p, "calls", to={"forward": 1}), "it has no calls"),
    "no seconds": (lambda p: change(p, "seconds", to=-1), "it has no seconds"),
    "memory": (lambda p: change(p, "peak_memory_mib", to="much"), "its peak_memory_mib is much"),
    "error": (lambda p: change(p, "error", to="it broke"), "its error is no object"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_named_with_its_cure(study, kind):
    s = study(["dps"])
    s.add("rotated", "dps", 0, psnr=9.0)
    path = s.add("rotated", "dps", 1, psnr=9.0, diversity=0.1)
    damage, reason = DAMAGES[kind]
    damage(path)
    with pytest.raises(ValueError) as error:
        read_study(s.folder)
    said = str(error.value)
    assert said.startswith(f"{path} is damaged, or no record of a study ({reason}") and "\n" not in said
    assert said.endswith("delete it, and vipaint evaluate computes it again")
    path.unlink()
    assert len(read_study(s.folder).records) == 1  # the cure


PLANS = {
    "no JSON": lambda p: p.write_text("{"),
    "it holds no plan": lambda p: p.write_text("{}"),
    "its methods are no list of names": lambda p: change(p, "plan", "methods", to="dps"),
    "its conditions are no list of names": lambda p: change(p, "plan", "conditions", to=[1]),
    "it does not say which images": lambda p: change(p, "plan", "images", to="all"),
}


@pytest.mark.parametrize("reason", PLANS)
def test_a_damaged_plan_is_named(study, reason):
    s = study(["dps"])
    s.add("rotated", "dps", 0)
    PLANS[reason](s.folder / "plan.json")
    with pytest.raises(ValueError, match=rf"plan\.json is damaged, or the plan of no study.*{reason}"):
        read_study(s.folder)


@pytest.mark.parametrize("name", ["weights", "lpips_net", "features"])
def test_records_of_other_networks_are_not_mixed(study, name):
    s = study(["dps"])
    s.add("rotated", "dps", 0)
    path = s.add("rotated", "dps", 1)
    change(path, name, to="other")
    with pytest.raises(ValueError, match=rf"00001\.json has {name} 'other', but .*: delete it"):
        read_study(s.folder)


def test_an_item_has_one_record(study):
    s = study(["dps"])
    path = s.add("rotated", "dps", 0)
    other = s.folder / "records/rotated/copy/00000.json"
    other.parent.mkdir()
    other.write_text(path.read_text())
    with pytest.raises(ValueError, match="are records of one item: delete one of them"):
        read_study(s.folder)
