"""A fit that was ended goes on from its file to what an unbroken one comes to, bit for bit."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.guides.test_registry import NAMES, Y, pair
from vipaint_pyro.files import write_tensors
from vipaint_pyro.files.reading_back import digest_of
from vipaint_pyro.guides import REDDiffGuide, make_guide
from vipaint_pyro.inference.checkpoint import Checkpoints, changes, read
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.optimizers import decaying_optimizer
from vipaint_pyro.inference.settling import Settling
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel, REDDiffModel

STEPS = 9


class Ended(Exception):
    pass


def ending_at(step):
    """A callback that ends the process, as it were, once this step has been made."""

    def ended(k, *_):
        if k == step:
            raise Ended

    return ended


def once(prior, name, path=None, *, at=None, then=None, every=1, optim=None, seed=1, facts=None):
    """A fit from its beginning, or from a file; a fresh model, guide and generator, as in a fresh process."""
    torch.manual_seed(77)  # the global state of another process
    model, guide = pair(name, prior)
    generator = torch.Generator().manual_seed(seed)
    callback = ending_at(at) if at is not None else then
    if path is not None:
        callback = Checkpoints(path, facts or {}, every, callback)
    how = {"num_steps": STEPS, "generator": generator, "callback": callback}
    if optim is not None:
        how["optim"] = optim(guide)
    return guide, fit(model, guide, Y, **how), generator


def assert_same(one, other):
    guides, records, generators = zip(one, other, strict=True)
    first, second = (guide.state_dict() for guide in guides)
    assert first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
    assert records[0].losses == records[1].losses and records[0].steps == records[1].steps
    assert records[0].ended == records[1].ended
    # An AutoGuide's own site has the guide's name, which is another one in every process.
    terms = [{k.replace(g._pyro_name, ""): v for k, v in r.terms.items()} for g, r in zip(guides, records)]
    assert terms[0].keys() == terms[1].keys() and all(torch.equal(v, terms[1][k]) for k, v in terms[0].items())
    assert torch.equal(generators[0].get_state(), generators[1].get_state())
    assert torch.equal(records[1].streams[0], generators[1].get_state())


@pytest.mark.battery
@pytest.mark.parametrize("name", ["hierarchical", "AutoIAFNormal"])
@pytest.mark.parametrize("every, ends", [(1, (4,)), (3, (4,)), (2, (3, 6)), (5, (2,))])
def test_a_fit_that_was_ended_is_that_of_an_unbroken_one(gaussian, tmp_path, name, every, ends):
    path = tmp_path / "fit.safetensors"
    unbroken = once(gaussian, name)
    for at in ends:
        with pytest.raises(Ended):
            once(gaussian, name, path, at=at, every=every)
        assert not path.exists() or read(path)[1]["step"] == at // every * every
    assert_same(unbroken, once(gaussian, name, path, every=every))
    assert read(path)[1]["step"] == STEPS
    assert_same(unbroken, once(gaussian, name, path))  # nothing is left to be done


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_guide_goes_on(gaussian, tmp_path, name):
    with pytest.raises(Ended):
        once(gaussian, name, tmp_path / "fit", at=5, every=2)
    assert_same(once(gaussian, name), once(gaussian, name, tmp_path / "fit"))


def test_rates_that_fall_go_on_from_where_they_were(gaussian, tmp_path):
    def falling(guide):
        return decaying_optimizer(guide, STEPS)

    with pytest.raises(Ended):
        once(gaussian, "hierarchical", tmp_path / "fit", at=5, optim=falling)
    assert_same(once(gaussian, "hierarchical", optim=falling),
                once(gaussian, "hierarchical", tmp_path / "fit", optim=falling))  # fmt: skip


@pytest.mark.parametrize("at", [1, 3, 5])
def test_images_that_have_settled_rest_on(gaussian, tmp_path, at):
    """Of two images one settles at step 3; the other goes on."""
    y = torch.cat([Y, 0.5 * Y])

    def run(path=None, at=None):
        observed = torch.ones(2, 1, *Y.shape[-2:], dtype=torch.bool)
        model = DiffusionModel(gaussian, Inpainting(observed), (500, 300, 100))
        guide = make_guide("hierarchical", model, y)
        generators = [torch.Generator().manual_seed(k) for k in (1, 2)]

        def then(step, *_):
            if step == at:
                raise Ended
            return torch.tensor([step >= 3, False])

        callback = then if path is None else Checkpoints(path, {}, 1, then)
        record = fit(model, guide, y, num_steps=STEPS, generator=generators, callback=callback)
        return guide.state_dict(), record, [g.get_state() for g in generators]

    with pytest.raises(Ended):
        run(tmp_path / "fit", at)
    unbroken, other = run(), run(tmp_path / "fit")
    assert unbroken[1].steps == [4, STEPS] == other[1].steps and unbroken[1].losses == other[1].losses
    assert all(torch.equal(v, other[0][k]) for k, v in unbroken[0].items())
    assert all(map(torch.equal, unbroken[2], other[2]))


def test_what_settling_has_seen_is_kept(gaussian, tmp_path):
    rule = Settling(2)
    found = once(gaussian, "hierarchical", then=rule)

    class Ending(Settling):
        def __call__(self, step, loss, terms):
            if step == 2:
                raise Ended
            return super().__call__(step, loss, terms)

    with pytest.raises(Ended):
        once(gaussian, "hierarchical", tmp_path / "fit", then=Ending(2))
    again = Settling(2)
    assert_same(found, once(gaussian, "hierarchical", tmp_path / "fit", then=again))
    assert torch.equal(again.settled, rule.settled)
    assert all(map(torch.equal, again.state()["losses"], rule.state()["losses"]))


@pytest.fixture
def ended(gaussian, tmp_path):
    path = tmp_path / "fit.safetensors"
    with pytest.raises(Ended):
        once(gaussian, "hierarchical", path, at=4, facts={"seed": 1, "rate": None})
    return path


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "text", "none of ours", "format"])
def test_a_damaged_file_is_refused(gaussian, ended, how):
    before = ended.read_bytes()
    tensors, said = read(ended)
    words = "is damaged"
    if how == "cut":
        ended.write_bytes(before[:-100])
    elif how == "flipped":
        ended.write_bytes(before[:-9] + bytes([before[-9] ^ 1]) + before[-8:])
    elif how in ("empty", "text"):
        ended.write_bytes(b"" if how == "empty" else b"no tensors at all")
    elif how == "none of ours":
        save_file(load_file(ended), ended)
        words = "is no checkpoint of a fit"
    else:
        text = json.dumps(said | {"format": 2})
        write_tensors(ended, tensors, {"vipaint-pyro checkpoint": text})
        words = "has the format 2, and this version reads 1"
    with pytest.raises(ValueError, match=words) as error:
        once(gaussian, "hierarchical", ended, facts={"seed": 1, "rate": None})
    assert "\n" not in str(error.value)


def test_a_part_that_is_missing_is_refused(gaussian, ended):
    tensors, said = read(ended)
    del tensors["random/levels"]
    text = json.dumps(said | {"sha256": digest_of(tensors)})
    write_tensors(ended, tensors, {"vipaint-pyro checkpoint": text})
    with pytest.raises(ValueError, match="is of another fit"):
        once(gaussian, "hierarchical", ended, facts={"seed": 1, "rate": None})


@pytest.mark.parametrize(
    "name, facts, words",
    [
        ("hierarchical", {"seed": 2, "rate": None}, r"other settings \(seed: 1 -> 2\): give those"),
        ("hierarchical", {"seed": 1, "rate": "low"}, r"\(rate: none -> 'low'\)"),
        ("hierarchical", {"seed": 1, "more": True}, r"\(more: none -> true\)"),
        ("mean-field", {"seed": 1, "rate": None}, "guide: 'HierarchicalGuide' -> 'MeanFieldGuide'"),
    ],
)
def test_other_settings_are_refused_with_the_difference(gaussian, ended, name, facts, words):
    before = ended.read_bytes()
    with pytest.raises(ValueError, match=words):
        once(gaussian, name, ended, facts=facts)
    assert ended.read_bytes() == before


def test_another_y_is_refused(gaussian, ended):
    model, guide = pair("hierarchical", gaussian)
    with pytest.raises(ValueError, match="y: "):
        fit(model, guide, 0.5 * Y, num_steps=STEPS, callback=Checkpoints(ended, {"seed": 1, "rate": None}))


def test_what_has_a_state_of_its_own_is_refused(gaussian, tmp_path):
    model = REDDiffModel(gaussian, Inpainting(torch.ones(1, 1, *Y.shape[-2:], dtype=torch.bool)))
    with pytest.raises(TypeError, match="of a DiffusionModel and a Guide"):
        fit(model, REDDiffGuide(model, Y), Y, num_steps=1, callback=Checkpoints(tmp_path / "fit", {}))
    with pytest.raises(ValueError, match="every is a whole number of at least 1, but is 0"):
        Checkpoints(tmp_path / "fit", {}, every=0)


def test_changes_are_as_json_has_them():
    assert changes({"a": [1, 2], "b": None}, {"a": (1, 2), "b": None}) == []
    assert changes({"a": 1}, {"b": 0.5}) == ["a: 1 -> none", "b: none -> 0.5"]
