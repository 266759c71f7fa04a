"""Samplers of one's own: by where they lie or as a class; and what is refused, in a line."""

import importlib
import sys
import warnings
from dataclasses import dataclass

import pytest
import torch

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.measurements import Inpainting, Laplace, Measurement, Nonlinear
from vipaint_pyro.places import code_of
from vipaint_pyro.samplers import DDNMSampler, DPSSampler, Sampler, Samples, make_sampler
from vipaint_pyro.samplers.own import is_sampler_at
from vipaint_pyro.samplers.registry import method
from vipaint_pyro.samplers.written import written

MODULE = '''
from dataclasses import dataclass, field

from vipaint_pyro.samplers import DDNMSampler, Sampler
from vipaint_pyro.samplers.registry import Method
from vipaint_pyro.settings import setting, whole

@dataclass(frozen=True)
class Mine(DDNMSampler):
    """DDNM, perhaps shifted.

    More of it.
    """

    method = {"paper": "a paper", "needs": ("mask",), "cost": "100 F"}
    by: float = 0.0
    wide: bool = False
    num: int = setting(3, whole(), "How many.")

    def draw(self, run):
        drawn = super().draw(run)
        drawn.images = drawn.images + self.by
        return drawn

class Same(Mine):
    """As it is."""

    method = {"chance": False}

class Bare(DDNMSampler):
    more: int = 3

@dataclass(frozen=True)
class Bare2(DDNMSampler):
    more: int = 3

@dataclass(frozen=True)
class Needed(DDNMSampler):
    more: list = field(default_factory=list)

@dataclass(frozen=True)
class Half(Sampler):
    pass

class Odd(DDNMSampler):
    method = {"papr": "x"}

class Wrong(DDNMSampler):
    method = {"needs": ("masks",)}

class Other:
    pass

def made():
    pass

SHIFTED = Method("x", "shifted by a tenth", "", Mine, {"by": 0.1})
NONE = Method("y", "none", "", made)
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module in the current folder, which Python does not look in; gone afterwards."""
    (tmp_path / "my_samplers_of_test.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield "my_samplers_of_test"
    sys.modules.pop("my_samplers_of_test", None)
    importlib.invalidate_caches()


def drawn(sampler, prior):
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    return sampler(prior, seen, 2, torch.Generator().manual_seed(0)).images


def test_a_class_is_a_method_by_where_it_lies(mine, gaussian):
    m = method(f"{mine}:Mine")
    assert (m.name, m.summary, m.paper, m.needs, m.cost, m.chance) == (
        f"{mine}:Mine", "DDNM, perhaps shifted", "a paper", ("mask",), "100 F", True
    )  # fmt: skip
    same = method(f"{mine}:Same")
    assert (same.summary, same.paper, same.chance) == ("As it is", "a paper", False)  # the rest is its base's
    assert method(f"{mine}:Bare2").summary == "the class Bare2"  # and not what dataclass writes
    plain = drawn(DDNMSampler(4), gaussian)
    assert torch.equal(drawn(make_sampler(f"{mine}:Mine", num_steps=4, by=0.5), gaussian), plain + 0.5)
    assert torch.equal(drawn(make_sampler(f"{mine}:SHIFTED", num_steps=4), gaussian), plain + 0.1)
    assert method(f"{mine}:SHIFTED").name == f"{mine}:SHIFTED" and "by" not in method(f"{mine}:SHIFTED").open()
    assert method("vipaint_pyro.samplers:DPSSampler").kind is DPSSampler and is_sampler_at(f"{mine}:Half")
    assert not is_sampler_at(f"{mine}:Other") and not is_sampler_at("no_such_of_test:Mine")


def test_a_class_that_no_module_has_is_found_again_in_this_process(gaussian):
    @dataclass(frozen=True)
    class Here(DDNMSampler):
        num_steps: int = 4

    known = method(Here)
    assert method(known.name).kind is Here and code_of("sys:Here") == ""
    assert torch.equal(drawn(make_sampler(Here), gaussian), drawn(DDNMSampler(4), gaussian))


def test_plain_fields_are_read_as_their_defaults_are(mine):
    chosen = method(f"{mine}:Mine")
    assert written(chosen, ["by=0.5", "wide=true", "num=4"]) == {"by": 0.5, "wide": True, "num": 4}
    with pytest.raises(ValueError, match="^--set by=x: by is read as its default 0.0 is$"):
        written(chosen, ["by=x"], "--set ")
    with pytest.raises(ValueError, match="^--set num=x: num is a whole number of at least 1$"):
        written(chosen, ["num=x"], "--set ")


@pytest.mark.parametrize(
    "place, words",
    [
        ("no_such_of_test:S", "the sampler no_such_of_test:S is not found: there is no module no_such_of_test"),
        ("my_samplers_of_test:Mind", "has no 'Mind'. Did you mean 'Mine'. Its samplers are Mine, Same, Bare, Bare2"),
        ("my_samplers_of_test.py:Mine", "is a file: write my_samplers_of_test:Mine, in the folder that it lies in"),
        ("my_samplers_of_test:", "a sampler of your own is written package.module:Class"),
        ("my_samplers_of_test:Other", ":Other is no sampler: give a subclass of vipaint_pyro.samplers.Sampler"),
        ("my_samplers_of_test:made", ":made is no sampler, but <function made"),
        ("my_samplers_of_test:NONE", "^<function made.* is no sampler: give a subclass"),
        ("my_samplers_of_test:Half", "does not say what its draw is: write it"),
        ("my_samplers_of_test:Bare", "is no dataclass: write @dataclass.frozen=True. above it"),
        ("my_samplers_of_test:Needed", "has no default of more: give its settings defaults"),
        ("my_samplers_of_test:Odd", "the method of my_samplers_of_test:Odd has no 'papr'. Did you mean 'paper'"),
        ("my_samplers_of_test:Wrong", "needs in the method of my_samplers_of_test:Wrong is a tuple of words, of mask"),
        ("dps:zeta=3", "no method is called 'dps:zeta=3'"),
        ("dps@20", "no method is called 'dps@20'"),
    ],
)
def test_what_is_none_is_said_in_a_line(mine, place, words):
    with pytest.raises(ValueError, match=words) as raised:
        method(place)
    assert "\n" not in str(raised.value)


def test_the_fingerprint_is_that_of_the_file_and_of_what_it_imports_beside_it(mine, tmp_path):
    (tmp_path / "beside_of_test.py").write_text("STRENGTH = 1\n")
    (tmp_path / f"{mine}.py").write_text("from beside_of_test import STRENGTH\n" + MODULE)
    method(f"{mine}:Mine")
    seen = [code_of(f"{mine}:Mine")]
    (tmp_path / "beside_of_test.py").write_text("STRENGTH = 2\n")
    seen.append(code_of(f"{mine}:Mine"))
    (tmp_path / f"{mine}.py").write_text(MODULE)
    seen.append(code_of(f"{mine}:Mine"))
    assert all(len(code) == 16 for code in seen) and len({*seen}) == 3
    assert code_of("dps") == code_of("no_such_of_test:Mine") == ""
    sys.modules.pop("beside_of_test")


@pytest.mark.parametrize(
    "needs, fixture, operator, words",
    [
        ("mask", "gaussian", "cube", "needs a mask, and this is no inpainting"),
        ("pixel", "latent", "mask", "needs a pixel prior, and this one is latent"),
        ("latent", "gaussian", "mask", "needs a latent prior, and this one has no latents"),
        ("linear", "gaussian", "cube", "needs a linear operator, and y is not linear in the image"),
        ("gaussian", "gaussian", "laplace", "needs Gaussian noise, or none, and this is another"),
    ],
)
def test_what_a_class_needs_is_asked_for(gaussian, request, needs, fixture, operator, words):
    @dataclass(frozen=True)
    class Needing(DPSSampler):
        """With a word."""

        method = {"needs": (needs,)}
        num_steps: int = 4

    prior = request.getfixturevalue(fixture)
    mask = Inpainting(OBSERVED)
    cube = Nonlinear(lambda x: x**3, lambda m: torch.distributions.Normal(m, 0.1), (1, 2, 3), 1)
    seen = {
        "mask": Measurement.of(mask, Y),
        "cube": Measurement.of(cube, torch.zeros(1, 1, 2, 3).double()),
        "laplace": Measurement(mask, Laplace(0.3), Y),
    }
    with pytest.raises(ValueError, match=f"^Needing {words}$"):
        Needing().settle(prior, seen[operator])
    if fixture == "gaussian":  # of which the other one is made
        right = request.getfixturevalue("latent") if needs == "latent" else gaussian
        Needing().settle(right, seen["mask"])


def test_calls_outside_of_phases_are_counted_and_noise_of_torchs_state_is_said(gaussian):
    @dataclass(frozen=True)
    class Chain(Sampler):
        """No walk."""

        loud: bool = False

        def draw(self, run):
            z = torch.randn_like(run.terminal()) if self.loud else run.terminal()
            with torch.enable_grad():
                z0 = run.prior.denoise(z.requires_grad_(), 500)
                torch.autograd.grad(z0.sum(), z)
            return Samples(run.prior.denoise(z0.detach(), 100))

    seen = Measurement.of(Inpainting(OBSERVED), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Chain()(gaussian, seen, 3, torch.Generator().manual_seed(0))
        Chain(loud=True)(gaussian, seen, 3)  # without a generator it is that one
    assert made.calls == {"refinement": 6} and made.backward == {"refinement": 3} and made.seconds["refinement"] > 0
    with pytest.warns(RuntimeWarning, match="Chain drew noise from torch's global state"):
        Chain(loud=True)(gaussian, seen, 3, torch.Generator().manual_seed(0))


def test_a_spec_is_told_from_a_name():
    with pytest.raises(ValueError, match="'dps@20'. dps is one: a setting is given by itself"):
        method("dps@20")
