"""What --slow runs: of each battery and of the slow tests a seeded share, in the end every one of them."""

from types import SimpleNamespace

import pytest

from tests.conftest import ONE_IN, pytest_collection_modifyitems


class Item:
    def __init__(self, nodeid, *marks):
        self.nodeid, self.marks = nodeid, marks

    def get_closest_marker(self, mark):
        return mark if mark in self.marks else None


def chosen(slow, seed=0, slow_ones=70):
    """Node ids that are left of a plain test, two batteries, slow tests and one of minutes."""
    options = {"--slow": slow, "--slow-seed": seed}
    items = [Item("a::plain"), Item("a::long", "slow", "long"), Item("a::few[0]", "battery")]
    items += [Item(f"a::many[{k}]", *(["battery", "slow"] if k == 0 else ["battery"])) for k in range(11)]
    items += [Item(f"a::slow[{k}]", "slow") for k in range(slow_ones)]
    every, left = [i.nodeid for i in items], []
    hook = SimpleNamespace(pytest_deselected=lambda items: left.extend(i.nodeid for i in items))
    pytest_collection_modifyitems(SimpleNamespace(getoption=options.get, hook=hook), items)
    found = [i.nodeid for i in items]
    assert sorted(found + left) == sorted(every) and found == [name for name in every if name in found]
    return found


def test_all_and_none():
    assert len(chosen("all")) == 1 + 1 + 1 + 11 + 70
    assert chosen("none") == ["a::plain", "a::few[0]", *(f"a::many[{k}]" for k in range(1, 11))]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_has_a_share_of_each(seed):
    found = chosen("sample", seed)
    assert found == chosen("sample", seed) and found[:2] == ["a::plain", "a::few[0]"]
    many = [name for name in found if "many" in name and name != "a::many[0]"]
    slow = [name for name in found if "slow" in name or name == "a::many[0]"]
    assert len(many) == -(-10 // ONE_IN["battery"]) and len(slow) == -(-71 // ONE_IN["slow"])


def test_a_test_that_comes_leaves_the_others_in_the_sample():
    before, after = (set(chosen("sample", slow_ones=n)) for n in (70, 75))
    assert len(after - before) <= 1 and len(before - after) <= 1


def test_other_seeds_come_to_every_case():
    seen = {name for seed in range(900) for name in chosen("sample", seed)}
    assert seen == set(chosen("all")) - {"a::long"}
