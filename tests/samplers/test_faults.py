"""Faults injected at any call of anything, into every guide, correction and method: one line with phase and step."""

from itertools import product

import pytest
import torch

from tests.samplers.test_registry import CHEAP
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.faults import NonFiniteError, OutOfMemory
from vipaint_pyro.guides import GUIDES
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.priors.codecs import Codec, IdentityCodec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.samplers import METHODS, make_sampler

SHAPE = (1, 4, 4)
OUT_OF_MEMORY = "out of memory"
TROUBLES = (float("nan"), float("inf"), "one pixel", OUT_OF_MEMORY)
STEPS = ("fit", "refinement", "smc")  # phases that have steps


class Saboteur:
    """Counts the calls at each place, and spoils what one of them gives."""

    def __init__(self):
        self.counts, self.target, self.trouble = {}, None, None

    def spoil(self, place, value):
        self.counts[place] = n = self.counts.get(place, 0) + 1
        if (place, n) != self.target:
            return value
        if self.trouble == OUT_OF_MEMORY:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a capacity of\n80")
        if self.trouble == "one pixel":
            value = value.clone()
            value[..., -1, -1] = torch.nan
            return value
        return value * self.trouble


class ShakyDenoiser(Denoiser):
    device, dtype = torch.device("cpu"), torch.float64

    def __init__(self, saboteur, schedule):
        self.saboteur, self.schedule = saboteur, schedule

    def __call__(self, z, t, condition=None):
        alpha, sigma = (f(t).reshape(-1, 1, 1, 1) for f in (self.schedule.alpha, self.schedule.sigma))
        return self.saboteur.spoil("network", alpha * 0.25 / (alpha**2 * 0.25 + sigma**2) * z + 0.1)


class ShakyCodec(Codec):
    def __init__(self, saboteur):
        self.saboteur = saboteur

    def encode(self, x):
        return self.saboteur.spoil("encoder", 2 * x)

    def decode(self, z):
        return self.saboteur.spoil("decoder", z / 2)


class ShakyInpainting(Inpainting):
    """An operator that gives what it should not where it is asked for A x."""

    saboteur = None

    def __call__(self, x):
        y = super().__call__(x)
        return y if self.saboteur is None else self.saboteur.spoil("likelihood", y)


def case(name, correction="none"):
    if name in GUIDES:
        times = {1: (500,), None: (700, 300)}[GUIDES[name].levels]
        settings = {"fit_steps": 3, "num_chains": 1, "refinement_steps": 3, "timesteps": times}
        if correction != "none":
            settings["num_particles"] = 4
        return make_sampler("vipaint", guide_name=name, correct=correction, **settings)
    return make_sampler(name, **CHEAP[name])


CASES = [(name, "none") for name in METHODS if name != "vipaint"]
CASES += [(g, c) for g, c in product(GUIDES, ("none", "psis", "smc")) if not (GUIDES[g].point and c != "none")]


def run(saboteur, schedule, name, correction, gaussian):
    """Samples of one image; a pixel prior for SMC, a latent one for all others."""
    pixels = correction == "smc" or name == "AutoRegressiveMessenger"
    pixels = pixels or (name in METHODS and "pixel" in METHODS[name].needs)
    if name == "AutoRegressiveMessenger":  # it needs an exact p(z_{T_e})
        prior, exact = gaussian, type(gaussian)._denoised
        prior._denoised = lambda z, t: saboteur.spoil("network", exact(prior, z, t))
    else:
        codec = IdentityCodec() if pixels else ShakyCodec(saboteur)
        prior = DiffusionPrior(schedule, ShakyDenoiser(saboteur, schedule), SHAPE, codec)
    observed = torch.ones(1, *prior.image_shape, dtype=torch.bool)
    observed[..., :2, :2] = False
    operator = ShakyInpainting(observed)
    seen = Measurement.of(operator, torch.full((1, *prior.image_shape), 0.3).double() * observed)
    settled = case(name, correction).settle(prior, seen)
    operator.saboteur = saboteur
    return settled.sample(prior, seen, 2, [torch.Generator().manual_seed(0)])


def every_fault(schedule, gaussian, name, correction, troubles=TROUBLES):
    """What comes of each fault at the first, a middle and the last call of each place."""
    if name == "flow":
        pytest.importorskip("zuko")
    clean = Saboteur()
    run(clean, schedule, name, correction, gaussian)
    assert clean.counts["network"]
    for place, count in clean.counts.items():
        for n, trouble in product(sorted({1, 1 + count // 3, 1 + count // 2, count}), troubles):
            saboteur = Saboteur()
            saboteur.target, saboteur.trouble = (place, n), trouble
            yield f"{place} {n}/{count} {trouble}", trouble, saboteur


def check_every_fault(schedule, gaussian, name, correction, troubles=TROUBLES):
    wrong = []
    for what, trouble, saboteur in every_fault(schedule, gaussian, name, correction, troubles):
        try:
            images = run(saboteur, schedule, name, correction, gaussian).images
        except (ArithmeticError, MemoryError, ValueError, RuntimeError) as error:
            kind = OutOfMemory if trouble == OUT_OF_MEMORY else NonFiniteError
            text = str(error)
            placed = isinstance(error, kind) and error.phase is not None and error.phase in text and "\n" not in text
            if not placed or (error.phase in ("refinement", "smc") and error.step is None) or len(text) > 250:
                wrong.append((what, type(error).__name__, text[:300]))
        else:  # what a likelihood gives may be of no consequence, as in its floor
            if not torch.isfinite(images).all() or trouble == OUT_OF_MEMORY:
                wrong.append((what, "nothing", ""))
    assert not wrong, "\n".join(map(str, wrong))


FAST = {("dps", "none"), ("blended", "none"), ("red-diff", "none")}


@pytest.mark.filterwarnings("ignore:importance weights")
@pytest.mark.parametrize(
    "name, correction", [pytest.param(*c, marks=[] if c in FAST else pytest.mark.slow) for c in CASES]
)
def test_a_fault_is_one_line(schedule, gaussian, name, correction):
    check_every_fault(schedule, gaussian, name, correction)
