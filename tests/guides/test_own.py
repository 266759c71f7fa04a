"""Guides of one's own: by where they lie, as a class, brought by a package; and what is refused, in a line."""

import importlib
import sys

import pytest
import torch

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import Guide, HierarchicalGuide, MixtureGuide, Recipe, make_guide, recipe
from vipaint_pyro.guides.own import entry_points_by_name
from vipaint_pyro.guides.settings import checked_settings
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import VIPaintSampler
from vipaint_pyro.samplers.vipaint.saved import load_guide, save_guide

MODULE = '''
from vipaint_pyro.guides import GaussianGuide, Guide, HierarchicalGuide, MarkovGuide, MixtureGuide, Recipe

class Narrow(HierarchicalGuide):
    """VIPaint's, narrower.

    More of it.
    """

    def __init__(self, model, y, *, width: float = 0.5):
        super().__init__(model, y, std_scale=width)
        self.width = width

class Mix(MixtureGuide):
    recipe = {"summary": "a few", "joint": True}

class One(GaussianGuide):
    pass

class Point(Guide):
    def __init__(self, model, y):
        super().__init__(model)
    def point(self):
        return {}

class Half(MarkovGuide):
    def __init__(self, model, y):
        super().__init__(model)

class Three(HierarchicalGuide):
    def __init__(self, model, y, z):
        super().__init__(model, y)

class Odd(HierarchicalGuide):
    recipe = {"levls": 1}

class Wrong(HierarchicalGuide):
    recipe = {"form": "bridged"}

class Other:
    pass

class Outer:
    class Inner(Narrow):
        pass

def made(model, y, *, wide=False):
    return Narrow(model, y, width=2.0 if wide else 0.5)

BY_FUNCTION = Recipe("x", "made by a function", made, levels=2)
NO_GUIDE = Recipe("y", "makes none", lambda model, y: y)
'''
FEW = {"timesteps": (500, 100), "fit_steps": 2, "refinement_steps": 3, "num_chains": 1}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module in the current folder, which Python does not look in; gone afterwards."""
    (tmp_path / "mine_of_test.py").write_text(MODULE)
    (tmp_path / "broken_of_test.py").write_text("import none_such_of_test\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield "mine_of_test"
    sys.modules.pop("mine_of_test", None)
    importlib.invalidate_caches()


@pytest.fixture
def seen():
    return Measurement.of(Inpainting(OBSERVED), Y)


def test_a_class_says_what_it_needs_by_itself_and_by_its_bases(mine):
    r = recipe(f"{mine}:Narrow")
    assert (r.name, r.summary, r.form, r.levels, r.joint, r.point) == (
        f"{mine}:Narrow", "VIPaint's, narrower", "bridge", None, False, False
    )  # fmt: skip
    assert (recipe(f"{mine}:Mix").form, recipe(f"{mine}:Mix").joint, recipe(f"{mine}:Mix").summary) == (
        "marginal", True, "a few"
    )  # fmt: skip
    assert recipe(f"{mine}:One").levels == 1 and recipe(f"{mine}:Point").point
    assert recipe(f"{mine}:Point").form == "marginal" and recipe(f"{mine}:Outer.Inner").form == "bridge"
    assert recipe("vipaint_pyro.guides:MixtureGuide").form == recipe("mixture").form
    assert recipe(f"{mine}:BY_FUNCTION").levels == 2 and recipe(f"{mine}:BY_FUNCTION").name == f"{mine}:BY_FUNCTION"


def test_the_name_of_a_file_is_told_from_that_of_a_class_in_it(mine):
    with pytest.raises(ValueError, match="no guide is called 'yours_of_test'. There are"):
        recipe("yours_of_test")
    with pytest.raises(ValueError, match="called 'mine_of_test'. Of the file mine_of_test.py here, write mine"):
        recipe(mine)


def test_settings_in_one_text_are_told_apart(mine):
    with pytest.raises(ValueError, match=r"width is a finite number, but is '0.8,a=2' \(settings are given one by one"):
        checked_settings(recipe(f"{mine}:Narrow"), {"width": "0.8,a=2"})


@pytest.mark.parametrize(
    "place, words",
    [
        ("no_such_of_test:G", "there is no module no_such_of_test, neither installed, nor on PYTHONPATH, nor in /"),
        ("no_such_of_test.sub:G", "there is no module no_such_of_test.sub, "),
        ("mine_of_test.sub:G", "there is no module mine_of_test.sub, "),
        ("broken_of_test:G", "cannot be imported: ModuleNotFoundError: No module named 'none_such_of_test' "
         r"\(broken_of_test.py, line 1\)"),
        ("mine_of_test:Narow", "has no 'Narow'. Did you mean 'Narrow'. Its guides are Narrow, Mix, One"),
        ("broken.py:G", "is a file: write broken:G, in the folder that it lies in"),
        (":", "is written package.module:Class, not ':'"),
        ("mine_of_test:", "is written package.module:Class"),
        ("mine of test:G", "is written package.module:Class"),
        ("mine_of_test:Other", "mine_of_test:Other is no guide: give a subclass of vipaint_pyro.guides.Guide"),
        ("mine_of_test:made", "mine_of_test:made is no guide, but <function made.*or a vipaint_pyro.guides.Recipe"),
        ("mine_of_test:Half", "does not say what its top and kernel are: write them"),
        ("mine_of_test:Three", r"is made by \(model, y, z\), but a guide is made by \(model, y\)"),
        ("mine_of_test:Odd", "the recipe of mine_of_test:Odd has no 'levls'. Did you mean 'levels'"),
        ("mine_of_test:Wrong", "form in the recipe of mine_of_test:Wrong is one of bridge, marginal, but is 'bridged'"),
        ("vipaint_pyro.guides:REDDiffGuide", "a guide of the clean image, without levels: ask for method='red-diff'"),
        ("mixture:num-components", "settings of 'mixture' are given by guide_settings"),
    ],
)
def test_what_is_none_is_said_in_a_line(mine, place, words):
    with pytest.raises(ValueError, match=words) as raised:
        recipe(place)
    assert "\n" not in str(raised.value)


def test_a_recipe_that_makes_no_guide(mine, gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100))
    with pytest.raises(ValueError, match="makes no vipaint_pyro.guides.Guide, but tensor"):
        make_guide(f"{mine}:NO_GUIDE", model, Y)
    assert make_guide(f"{mine}:BY_FUNCTION", model, Y, wide=True).width == 2.0


def test_it_is_fitted_kept_and_loaded_by_its_place(mine, gaussian, seen, tmp_path):
    sampler = VIPaintSampler(**FEW, guide_name=f"{mine}:Narrow", guide_settings={"width": 0.25})
    drawn = sampler(gaussian, seen, 2, torch.Generator().manual_seed(0))
    assert type(drawn.guide).__name__ == "Narrow" and drawn.guide.width == 0.25
    save_guide(tmp_path / "kept", drawn.guide, sampler, seen)
    saved = load_guide(tmp_path / "kept", gaussian)
    assert type(saved.guide) is type(drawn.guide) and saved.guide.width == 0.25
    assert saved.sampler.guide_name == f"{mine}:Narrow" and saved.sampler.guide_settings == {"width": 0.25}
    for ours, theirs in zip(saved.guide.parameters(), drawn.guide.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_class_is_settled_as_its_place(mine, gaussian, seen):
    recipe(f"{mine}:Narrow")  # finds the folder
    kind = sys.modules[mine].Narrow
    settled = VIPaintSampler(guide_name=kind).settle(gaussian, seen)
    assert settled.guide_name == f"{mine}:Narrow" and settled.settle(gaussian, seen) == settled


def test_a_class_of_no_module_serves_in_its_process(gaussian, seen):
    class Local(HierarchicalGuide):
        pass

    drawn = VIPaintSampler(**FEW, guide_name=Local)(gaussian, seen, 2, torch.Generator().manual_seed(0))
    assert type(drawn.guide) is Local and "<locals>" in recipe(Local).name

    class Again(Local):
        pass

    Again.__qualname__ = Local.__qualname__  # a cell that is run again
    assert recipe(Again).build is Again and recipe(recipe(Again).name).build is Again


@pytest.fixture
def brought(tmp_path, monkeypatch, mine):
    """An installed package with entry points."""
    site = tmp_path / "site"
    info = site / "brings_of_test-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brings-of-test\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[vipaint_pyro.guides]\nnarrow-of-test = mine_of_test:Narrow\nbroken-of-test = broken_of_test:X\n"
        "mixture = mine_of_test:Mix\n"
    )
    monkeypatch.syspath_prepend(site)
    return "narrow-of-test"


def test_a_guide_that_a_package_brings(brought, gaussian, seen):
    assert set(entry_points_by_name()) >= {brought, "broken-of-test", "mixture"}
    r = recipe(brought)
    assert (r.name, r.summary) == (brought, "VIPaint's, narrower")
    assert recipe("mixture").build is not MixtureGuide and recipe("mixture").summary.startswith("several")  # ours
    sampler = VIPaintSampler(**FEW, guide_name=brought)
    assert sampler(gaussian, seen, 1, torch.Generator().manual_seed(0)).guide.width == 0.5
    with pytest.raises(ValueError, match="Did you mean 'narrow-of-test'.*There are hierarchical.*narrow-of-test"):
        recipe("narow-of-test")
    with pytest.raises(ValueError, match="the guide broken_of_test:X cannot be imported"):
        recipe("broken-of-test")


def test_the_list_has_them_and_says_what_cannot_be_had(brought):
    from tests.cli.calls import vipaint

    result = vipaint("guides")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.startswith("  ")}
    assert lines[brought].endswith("VIPaint's, narrower")
    assert "cannot be had: the guide broken_of_test:X cannot be imported" in lines["broken-of-test"]
    assert "its name is that of a guide of ours: ask for mine_of_test:Mix" in result.stdout


def test_bases_of_ours_say_what_their_recipes_say():
    """Or a class of one's own would be fitted in another form than its base."""
    from vipaint_pyro.guides import GUIDES

    for name, known in GUIDES.items():
        if name.startswith("Auto"):
            continue
        found = recipe(known.build.func)
        assert (found.form, found.levels, found.joint, found.point) == (
            known.form, known.levels, known.joint, known.point
        ), name  # fmt: skip
    assert Guide.recipe == {"form": "marginal"} and isinstance(GUIDES["flow"], Recipe)
