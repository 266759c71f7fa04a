"""Bad inputs to the library, by area: a name, and what is called with a good World."""

from __future__ import annotations

import math

import numpy as np
import pyro.distributions as dist
import torch
from diffusers import DDPMScheduler

import vipaint_pyro
from tests.battery.common import (
    HUGE,
    NOT_A_GENERATOR,
    NOT_A_NAME,
    NOT_A_NUMBER,
    NOT_A_TENSOR,
    NOT_WHOLE,
    World,
    named,
)
from vipaint_pyro import LinearMap, NoiseSchedule, Nonlinear, calibration, fit, make_operator, refine
from vipaint_pyro.exact import DatasetPrior, GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.exact.problems import mixture_problems, stein_toy
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import SMC, draw, draw_path, log_importance_weights, run_smc
from vipaint_pyro.inference.proposals import PosteriorMean
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.blurs import Blur, GaussianBlur, MotionBlur
from vipaint_pyro.measurements.grayscale import Grayscale
from vipaint_pyro.measurements.masks import box_mask, random_mask, rotated_window, small_mask
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.perceptual import Perceptual
from vipaint_pyro.measurements.scratch_mask import scratch_mask
from vipaint_pyro.measurements.super_resolution import SuperResolution
from vipaint_pyro.measurements.tasks import measure
from vipaint_pyro.models import DiffusionModel, REDDiffModel
from vipaint_pyro.samplers import make_sampler

SHAPES = [None, "abc", 3, (1, 4), (1, 4, 4, 4), (0, 4, 4), (1, -4, 4), (1.0, 4, 4), (1, math.nan, 4), (1, 4, HUGE), {}]
SHAPES += [(True, 4, 4), ("1", 4, 4), []]
NUMBERS_FROM_0 = [*NOT_A_NUMBER, -1]
NUMBERS_ABOVE_0 = [*NUMBERS_FROM_0, 0]
WHOLE_OR_NONE = [v for v in NOT_WHOLE if v is not None]
WHOLE_ABOVE_0 = [v for v in WHOLE_OR_NONE if type(v) is not int or v != 0]
NOT_A_SWITCH = ["no", "", 0, 1, math.nan, [], torch.tensor(True)]
WRONG_Y = [
    *NOT_A_TENSOR,
    torch.zeros(2, 1, 4, 5).double(),
    torch.zeros(3, 1, 4, 4).double(),
    torch.zeros(4, 4).double(),
    torch.tensor(1.0),
    torch.zeros(0, 1, 4, 4),
    torch.full((2, 1, 4, 4), math.nan),
    torch.full((2, 1, 4, 4), math.inf),
    torch.zeros(2, 1, 4, 4, device="meta"),
    torch.zeros(2, 1, 4, 4).to_sparse(),
    torch.zeros(2, 1, 4, 4).cfloat(),
    torch.zeros(2, 1, 4, 4, dtype=torch.bool),
]
WRONG_Z = [*WRONG_Y[6:], torch.zeros(2, 4, 4).double()]


def one(prefix, values, call):
    """A case for each value: ``call(world, value)``."""
    return [(name, lambda w, v=v: call(w, v)) for name, v in named(prefix, values)]


def operators() -> list:
    cases = []
    makers = {
        "super": lambda s: SuperResolution(s, 2),
        "gauss": lambda s: GaussianBlur(s, 3, 1.0),
        "motion": lambda s: MotionBlur(s, 2.0),
        "grey": Grayscale,
        "blur": lambda s: Blur(s, torch.ones(3, 3)),
        "map": lambda s: LinearMap(lambda x: x, s),
        "nonlinear": lambda s: Nonlinear(lambda x: x, dist.Laplace, s),
        "task": lambda s: make_operator("deblur", s),
    }
    for name, make in makers.items():
        cases += one(f"{name}-shape", SHAPES, lambda w, v, make=make: make(v))
    for name, make in {
        "super": lambda n: SuperResolution((1, 4, 4), 2, num_images=n),
        "gauss": lambda n: GaussianBlur((1, 4, 4), 3, 1.0, n),
        "motion": lambda n: MotionBlur((1, 4, 4), 2.0, num_images=n),
        "grey": lambda n: Grayscale((3, 4, 4), n),
        "map": lambda n: LinearMap(lambda x: x, (1, 4, 4), n),
        "nonlinear": lambda n: Nonlinear(lambda x: x, lambda m: dist.Normal(m, 1.0), (1, 4, 4), n),
        "task": lambda n: make_operator("deblur", (1, 4, 4), n),
    }.items():
        cases += one(f"{name}-images", NOT_WHOLE, lambda w, v, make=make: make(v))
    cases += one("scale", [*NOT_WHOLE, 1, 3, 8], lambda w, v: SuperResolution((1, 4, 4), v))
    cases += one("reduction", NOT_A_NAME, lambda w, v: SuperResolution((1, 4, 4), 2, v))
    cases += one("kernel", [*NOT_WHOLE, 2, 10**6 + 1], lambda w, v: GaussianBlur((1, 4, 4), v))
    cases += one("std", [*NUMBERS_ABOVE_0, HUGE], lambda w, v: GaussianBlur((1, 4, 4), 3, v))
    cases += one("length", [*NUMBERS_ABOVE_0, 1e9], lambda w, v: MotionBlur((1, 4, 4), v))
    cases += one("angle", [*NOT_A_NUMBER, None], lambda w, v: MotionBlur((1, 4, 4), 2.0, v))
    cases += one("motion-kernel", [*WHOLE_OR_NONE, 2], lambda w, v: MotionBlur((1, 4, 4), 2.0, kernel_size=v))
    kernels = [None, "a", 3, [], {}, torch.ones(3), torch.ones(2, 2), torch.ones(0, 0), torch.full((3, 3), math.nan)]
    kernels += [torch.zeros(3, 3), torch.ones(3, 3).cfloat(), torch.ones(3, 3, device="meta")]
    cases += one("blur-kernel", kernels, lambda w, v: Blur((1, 4, 4), v))
    functions = [None, "f", 3, lambda: 0, lambda x: None, lambda x: 3, lambda x: x.sum(), lambda x: x * x]
    functions += [lambda x: x + 1, lambda x: x.long(), lambda x: x[:1], lambda x: x.detach()]
    functions += [lambda x: x @ torch.ones(7, 7).double(), lambda x: x * math.nan]
    cases += one("function", functions, lambda w, v: LinearMap(v, (1, 4, 4)))
    functions += [lambda x: x.round(), lambda x: 0 * x]
    cases += one("h", [*functions[:7], *functions[9:]], lambda w, v: Nonlinear(v, dist.Poisson, (1, 4, 4)))
    families = [None, "Poisson", 3, dist.Poisson(1.0), lambda m: m, lambda m: None, dist.Normal, dist.Poisson]
    families += [lambda m: dist.Normal(m, -1.0), lambda m: dist.Normal(m, 1.0).to_event(1), lambda: None]
    cases += one("family", families, lambda w, v: Nonlinear(lambda x: x - 5, v, (1, 4, 4)))
    observed = [
        3,
        "all",
        [True],
        np.ones((1, 1, 4, 4), bool),
        torch.ones(1, 1, 4, 4),
        torch.ones(5, 5, dtype=torch.bool),
    ]
    cases += one(
        "known", observed, lambda w, v: Nonlinear(lambda x: x, lambda m: dist.Normal(m, 1.0), (1, 4, 4), observed=v)
    )
    cases += one(
        "start", [3, "x", [1]], lambda w, v: Nonlinear(lambda x: x, lambda m: dist.Normal(m, 1.0), (1, 4, 4), start=v)
    )
    cases += one("unit", NUMBERS_ABOVE_0, lambda w, v: Family(dist.Poisson, unit=v))
    cases += one("saturated", ["a", math.nan, [1], True], lambda w, v: Family(dist.Poisson, saturated=v))
    cases += one("stop", NOT_A_SWITCH, lambda w, v: Family(dist.Poisson, stop_at_noise=v))
    cases += one("of-family", [None, 3, "Poisson"], lambda w, v: Family(v))
    dtypes = [3, "float32", torch.long, torch.bool, torch.cfloat, [], {}]
    cases += one("map-dtype", dtypes, lambda w, v: LinearMap(lambda x: x, (1, 4, 4), dtype=v))
    cases += one(
        "h-dtype", dtypes, lambda w, v: Nonlinear(lambda x: x, lambda m: dist.Normal(m, 1.0), (1, 4, 4), dtype=v)
    )
    devices = ["nowhere", 3.5, "cuda:99", "", [], {}, "cpu:x"]
    cases += one("map-device", devices, lambda w, v: LinearMap(lambda x: x, (1, 4, 4), device=v))
    cases += one("task-device", devices, lambda w, v: make_operator("deblur", (1, 4, 4), device=v))
    cases += one("task", [*NOT_A_NAME, "inpainting", "de-blur", ["deblur"]], lambda w, v: make_operator(v, (1, 4, 4)))
    options = [{"scale": 2}, {"nonsense": 1}, {"kernel_size": "3"}, {"std": None}, {"kernel_size": None}]
    cases += one("task-options", options, lambda w, v: make_operator("deblur", (1, 4, 4), **v))
    matrices = [*NOT_A_TENSOR, torch.ones(3), torch.ones(2, 3).long(), torch.full((2, 16), math.nan), torch.ones(0, 16)]
    matrices += [torch.ones(2, 16).cfloat(), torch.ones(2, 16).to_sparse(), torch.ones(2, 15)]
    cases += one("matrix", matrices, lambda w, v: Matrix(v, (1, 4, 4)))
    cases += one("matrix-shape", SHAPES[1:-1], lambda w, v: Matrix(torch.ones(2, 16), v))
    masks = [
        *NOT_A_TENSOR,
        torch.ones(2, 1, 4, 4),
        torch.ones(4, 4, dtype=torch.bool),
        torch.ones(1, 1, 0, 4, dtype=torch.bool),
    ]
    masks += [torch.ones(0, 1, 4, 4, dtype=torch.bool), torch.ones(1, 1, 4, 4, dtype=torch.bool).to_sparse()]
    return cases + one("inpainting", masks, lambda w, v: Inpainting(v))


class Halves(vipaint_pyro.measurements.Operator):
    """An operator that says neither which entries are known nor of what images."""

    def __call__(self, x):
        return x / 2


def half(**said):
    operator = Halves()
    vars(operator).update(said)
    return operator


def measurements() -> list:
    known = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    none = [None, "mask", 3, torch.ones(2, 1, 4, 4), lambda x: x, Inpainting, half(), half(observed=known)]
    none += [
        half(image_shape=(1, 4, 4)),
        half(observed=3, image_shape=(1, 4, 4)),
        half(observed=known.float(), image_shape=(1, 4, 4)),
    ]
    none += [half(observed=known, image_shape=v) for v in (3, None, (4, 4), "abc")]
    cases = one("operator", none, lambda w, v: Measurement(v, Gaussian(0.1), w.y))
    cases += one("of-operator", none, lambda w, v: Measurement.of(v, w.y))
    cases += one("model-operator", none, lambda w, v: DiffusionModel(w.prior, v, (30, 20)))
    cases += one("red-operator", none, lambda w, v: REDDiffModel(w.prior, v))
    likelihoods = [None, "Gaussian", 0.1, Gaussian, dist.Normal, [], dist.Normal(0.0, 1.0), lambda loc: loc]
    likelihoods += [lambda loc: dist.Normal(0.0, 0.3), Family(lambda logits: dist.Bernoulli(logits=logits))]
    cases += one("likelihood", likelihoods, lambda w, v: Measurement(w.operator, v, w.y))
    whole = [torch.full((2, 1, 4, 4), 2, dtype=dtype) for dtype in (torch.uint8, torch.int64)]
    cases += one("y", [*WRONG_Y, *whole], lambda w, v: Measurement(w.operator, Gaussian(0.1), v))
    cases += one("y-of", [*WRONG_Y, *whole], lambda w, v: Measurement.of(w.operator, v))
    scales = [
        *NUMBERS_ABOVE_0,
        None,
        HUGE,
        torch.tensor(-1.0),
        torch.tensor(math.nan),
        torch.zeros(2),
        np.array([1.0, -1.0]),
        torch.tensor(True),
    ]
    scales += [torch.ones(2).cfloat(), torch.ones(0)]
    cases += one("gaussian", scales, lambda w, v: Gaussian(v))
    cases += one("laplace", scales, lambda w, v: Laplace(v))
    cases += one(
        "gaussian-shape",
        [torch.ones(7), torch.ones(3, 1, 4, 4)],
        lambda w, v: Measurement(w.operator, Gaussian(v), w.y),
    )
    cases += one("perceptual", [*NUMBERS_FROM_0, None, HUGE], lambda w, v: Perceptual(v))
    cases += one("perceptual-net", NOT_A_NAME, lambda w, v: Perceptual(1.0, net=v))
    cases += one("perceptual-pixel", [None, 3, "Laplace", dist.Normal], lambda w, v: Perceptual(1.0, pixel=v))
    cases += one("perceptual-weights", [3, [], {}, b"a", math.nan], lambda w, v: Perceptual(1.0, weights=v))
    cases += one("sigma", [*NUMBERS_ABOVE_0, None, 1.5, HUGE], lambda w, v: measure(w.operator, w.z[0], v, w.generator))
    cases += one("measured", NOT_A_TENSOR, lambda w, v: measure(w.operator, v, 0.1, w.generator))
    cases += one(
        "measured-z",
        [torch.zeros(4, 4), torch.zeros(3, 1, 4, 4), torch.zeros(2, 1, 5, 5)],
        lambda w, v: measure(w.operator, v, 0.1, w.generator),
    )
    cases += one("measure-generator", NOT_A_GENERATOR, lambda w, v: measure(w.operator, w.z[0], 0.1, v))
    cases += one("measure-operator", none[:6], lambda w, v: measure(v, w.z[0], 0.1, w.generator))
    sizes = [
        None,
        "ab",
        3,
        (4,),
        (4, 4, 4),
        (0, 4),
        (-1, 4),
        (1.5, 4),
        (math.nan, 4),
        (HUGE, 4),
        ("4", "4"),
        (True, 4),
        [],
    ]
    masks = {"box": box_mask, "random": random_mask, "rotated": rotated_window, "small": small_mask}
    for name, mask in {**masks, "scratch": scratch_mask}.items():
        cases += one(f"{name}-size", sizes, lambda w, v, mask=mask: mask(v, w.generator))
        cases += one(f"{name}-generator", NOT_A_GENERATOR, lambda w, v, mask=mask: mask((16, 16), v))
    cases += one("angle", [*NOT_A_NUMBER, torch.ones(2)], lambda w, v: rotated_window((8, 8), angle=v))
    sides = [*WHOLE_OR_NONE, 9, (2, 9), (2,), (2, 2, 2), ("a", 2), (1.5, 2)]
    cases += one("side", sides, lambda w, v: box_mask((8, 8), w.generator, side=v))
    centres = ["a", 3, (1,), (1, 2, 3), (1.5, 2), (math.nan, 2), (100, 2), ("1", 2), (True, 3)]
    cases += one("centre", centres, lambda w, v: box_mask((8, 8), w.generator, centre=v))
    hidden = [
        None,
        0.5,
        "ab",
        (0.5,),
        (0.5, 0.1),
        (-1, 0.5),
        (0.1, 2),
        (math.nan, 0.5),
        (0.1, math.inf),
        ("0", "1"),
        (0.5, 0.5),
    ]
    cases += one("hidden", hidden, lambda w, v: random_mask((8, 8), w.generator, hidden=v))
    return cases + one("brush", NOT_A_SWITCH, lambda w, v: random_mask((8, 8), w.generator, brush=v))


FIELDS = {
    "vipaint": {
        "timesteps": [
            3,
            "321",
            (),
            (30.5, 20),
            (True, 1),
            (20, 30),
            (20, 20),
            (99, 1),
            (-1,),
            (HUGE, 1),
            {},
            "a",
            (None,),
        ],
        "beta": NUMBERS_ABOVE_0,
        "noise_scale": NUMBERS_ABOVE_0[:-1],
        "fit_steps": NOT_WHOLE,
        "fit_patience": [*[v for v in NOT_WHOLE if v != 0], 1],
        "effort": [*NOT_A_NAME, "drft", "best"],
        "num_chains": NOT_WHOLE,
        "num_levels": NOT_WHOLE,
        "loss": NOT_A_NAME,
        "guide_name": [3, "", "hierarchicl", "red-diff", [], "\u00e9", "no.such:Guide", ":", int, torch.nn.Linear],
        "guide_settings": [3, "gamma=1", [], {1: 2}, {"nope": 1}, {"gamma": "x"}, {"gamma": math.nan}, {"gamma": []}],
        "eta": [*NUMBERS_ABOVE_0, 1.5],
        "perceptual": [*NUMBERS_FROM_0, HUGE],
        "perceptual_net": NOT_A_NAME,
        "perceptual_weights": [3, [], {}, math.nan],
        "gradient_checkpointing": NOT_A_SWITCH,
        "refinement_steps": [*WHOLE_OR_NONE, 99],
        "zeta": NUMBERS_FROM_0,
        "limit": NOT_A_SWITCH,
        "refine": [*[v for v in NOT_A_NAME if v is not None], "walk"],
        "sweeps": [*WHOLE_ABOVE_0, 3],
        "sweep_levels": [*WHOLE_ABOVE_0, 3],
        "hidden_pull": [*NUMBERS_FROM_0, 1.5],
        "own_cloud": NOT_A_SWITCH,
        "fraction": [v for v in NUMBERS_ABOVE_0 if v != math.inf],
        "measurement_scale": NUMBERS_ABOVE_0[:-1],
        "perceptual_refinement": NUMBERS_FROM_0,
        "chunk": WHOLE_OR_NONE,
        "correct": NOT_A_NAME,
        "num_particles": [*[v for v in NOT_WHOLE if v != 0], 1],  # 1: of more samples
        "num_step": [3],
        "betas": [1.0],
    },
    "dps": {
        "num_steps": [*NOT_WHOLE, 99],
        "eta": [*NUMBERS_FROM_0, 1.5],
        "chunk": WHOLE_OR_NONE,
        "zeta": NUMBERS_FROM_0,
        "limit": [*NOT_A_SWITCH, None],
        "measurement_scale": [*NUMBERS_ABOVE_0, 0.5],
        "fraction": NUMBERS_ABOVE_0,
        "hidden_pull": [*NUMBERS_FROM_0, 1.5],
        "perceptual_refinement": NUMBERS_FROM_0,
        "perceptual_net": NOT_A_NAME,
        "perceptual_weights": [3, [], {}],
    },
    "blended": {
        "num_steps": [*NOT_WHOLE, 99],
        "eta": [*NUMBERS_FROM_0, 2],
        "resamplings": NOT_WHOLE,
        "chunk": WHOLE_OR_NONE,
    },
    "red-diff": {
        "num_steps": [*NOT_WHOLE, 99],
        "lr": NUMBERS_ABOVE_0,
        "lambda_": NUMBERS_FROM_0,
        "weight": NOT_A_NAME,
        "noise_scale": NUMBERS_ABOVE_0,
        "std": NUMBERS_FROM_0,
        "init_std": NUMBERS_FROM_0,
        "random_times": [True, "yes"],
    },
}
#: Of clouds of particles, which other settings are refused with or ask for.
CLOUDS = {
    "num_particles": [*[v for v in NOT_WHOLE if v != 0], 1, 3],
    "own_cloud": NOT_A_SWITCH,
    "correct": [*NOT_A_NAME, "psis", "smc"],
    "zeta": [1.0],
    "sweeps": [1],
    "perceptual": [0.5],
    "perceptual_refinement": [0.5],
    "measurement_scale": [0.0, -1, math.nan],
}
STEPS = {"vipaint": {"timesteps": (30, 20, 10), "fit_steps": 2, "refinement_steps": 3}}


def sampled(w: World, method: str, **settings):
    sampler = make_sampler(method, **{**STEPS.get(method, {"num_steps": 3}), **settings})
    return sampler(w.prior, w.measurement, 2, w.generator)


def samplers() -> list:
    cases = one("name", [*NOT_A_NAME, "DPS", "vip"], lambda w, v: make_sampler(v))
    for method, settings in FIELDS.items():
        for name, values in settings.items():
            cases += one(f"{method}-{name}", values, lambda w, v, m=method, n=name: sampled(w, m, **{n: v}))
        make = lambda m=method: make_sampler(m, **STEPS.get(m, {"num_steps": 3}))  # noqa: E731
        cases += one(
            f"{method}-samples", NOT_WHOLE, lambda w, v, make=make: make()(w.prior, w.measurement, v, w.generator)
        )
        cases += one(
            f"{method}-generator", NOT_A_GENERATOR, lambda w, v, make=make: make()(w.prior, w.measurement, 2, v)
        )
        cases += one(
            f"{method}-on_step",
            [3, "f", [], {}],
            lambda w, v, make=make: make()(w.prior, w.measurement, 2, w.generator, v),
        )
        cases += one(
            f"{method}-prior",
            [None, 3, "prior", torch.nn.Linear(1, 1)],
            lambda w, v, make=make: make()(v, w.measurement, 2, w.generator),
        )
        cases += one(
            f"{method}-measurement",
            [None, 3, torch.zeros(2, 1, 4, 4)],
            lambda w, v, make=make: make()(w.prior, v, 2, w.generator),
        )
    for name, values in CLOUDS.items():
        cases += one(f"tds-{name}", values, lambda w, v, n=name: sampled(w, "vipaint", refine="tds", **{n: v}))
    steps = make_sampler("dps", num_steps=3)
    cases += one("refine-z", WRONG_Z, lambda w, v: refine(w.prior, w.measurement, v, 10, steps, w.generator))
    cases += one(
        "refine-start",
        [*[v for v in NOT_WHOLE if v != 0], 1, 50, None],
        lambda w, v: refine(w.prior, w.measurement, w.z, v, steps, w.generator),
    )
    cases += one(
        "refine-sampler",
        [3, "dps", [1], make_sampler("vipaint"), DDPMScheduler()],
        lambda w, v: refine(w.prior, w.measurement, w.z, 10, v, w.generator),
    )
    cases += one("refine-generator", NOT_A_GENERATOR, lambda w, v: refine(w.prior, w.measurement, w.z, 10, steps, v))
    cases += one(
        "refine-on_step", [3, "f", []], lambda w, v: refine(w.prior, w.measurement, w.z, 10, steps, w.generator, v)
    )
    cases += one("refine-prior", [None, 3, "p"], lambda w, v: refine(v, w.measurement, w.z, 10, steps, w.generator))
    return cases


def inference() -> list:
    priors = [None, 3, "prior", torch.nn.Linear(1, 1)]
    cases = one("model-prior", priors, lambda w, v: DiffusionModel(v, w.operator, (30, 20)))
    cases += one("red-prior", priors, lambda w, v: REDDiffModel(v, w.operator))
    times = [None, 3, "321", (), (30.5,), (True,), (20, 30), (99,), (-1,), (HUGE,), {}, (None,), torch.tensor(3.0)]
    cases += one("model-times", times, lambda w, v: DiffusionModel(w.prior, w.operator, v))
    settings = {
        "beta": [*NUMBERS_ABOVE_0, None],
        "eta": [*NUMBERS_ABOVE_0, 1.5, None],
        "form": NOT_A_NAME,
        "num_levels": [*NOT_WHOLE, None],
        "likelihood": [3, "Gaussian", [1], 0.5],
    }
    for name, values in settings.items():
        cases += one(
            f"model-{name}", values, lambda w, v, n=name: DiffusionModel(w.prior, w.operator, (30, 20), **{n: v})
        )
    settings = {
        "num_steps": [*NOT_WHOLE, 99],
        "weight": NOT_A_NAME,
        "lambda_": NUMBERS_FROM_0,
        "schedule_of_t": NOT_A_NAME,
        "restarts": [*NOT_WHOLE, None],
        "likelihood": [3, "Gaussian", [1], 0.5],
    }
    for name, values in settings.items():
        cases += one(f"red-{name}", values, lambda w, v, n=name: REDDiffModel(w.prior, w.operator, **{n: v}))
    cases += one(
        "guide-name",
        [*NOT_A_NAME, "Hierarchical", "red-diff", "AutoDelta ", "no.such:Guide", int],
        lambda w, v: make_guide(v, w.model, w.y),
    )
    cases += one("guide-model", [None, 3, "model"], lambda w, v: make_guide("hierarchical", v, w.y))
    for kind in ("hierarchical", "hierarchical-x0", "mean-field"):
        cases += one(f"guide-y-{kind}", WRONG_Y, lambda w, v, k=kind: make_guide(k, w.model, v))
    cases += one(
        "guide-setting", [{"nope": 1}, {"gama": 2}], lambda w, v: make_guide("hierarchical", w.model, w.y, **v)
    )
    cases += one("fit-y", WRONG_Y, lambda w, v: fit(w.model, w.guide, v, num_steps=1, generator=w.generator))
    options = {
        "num_steps": [*NOT_WHOLE, None],
        "optim": [3, "adam", [1], torch.optim.Adam],
        "loss": [3, "trace", [1]],
        "generator": NOT_A_GENERATOR,
        "callback": [3, "f", [], {}],
    }
    for name, values in options.items():
        cases += one(
            f"fit-{name}",
            values,
            lambda w, v, n=name: fit(w.model, w.guide, w.y, **{"num_steps": 1, "generator": w.generator, n: v}),
        )
    cases += one("fit-model", [None, 3, "m"], lambda w, v: fit(v, w.guide, w.y, num_steps=1, generator=w.generator))
    cases += one(
        "fit-guide", [None, 3, "hierarchical"], lambda w, v: fit(w.model, v, w.y, num_steps=1, generator=w.generator)
    )
    for name, call in {"draw": draw, "path": draw_path}.items():
        cases += one(f"{name}-samples", [*NOT_WHOLE, None], lambda w, v, f=call: f(w.model, w.guide, v, w.generator))
        cases += one(f"{name}-generator", NOT_A_GENERATOR, lambda w, v, f=call: f(w.model, w.guide, 2, v))
        cases += one(f"{name}-model", [None, 3, "m"], lambda w, v, f=call: f(v, w.guide, 2, w.generator))
        cases += one(f"{name}-guide", [None, 3, "hierarchical"], lambda w, v, f=call: f(w.model, v, 2, w.generator))
    settings = {
        "num_particles": [*NOT_WHOLE, None, 1],
        "num_steps": [*NOT_WHOLE, None],
        "marginal_steps": [*NOT_WHOLE, None],
        "threshold": [*NUMBERS_FROM_0, 1.5, None],
        "weigh": [*NOT_A_SWITCH, None],
        "proposal": [None, 3, "tds", PosteriorMean],
    }
    for name, values in settings.items():
        cases += one(f"SMC-{name}", values, lambda w, v, n=name: SMC(**{"num_particles": 4, n: v}))
    cases += one("proposal-iterations", [*NOT_WHOLE, None], lambda w, v: PosteriorMean(v))
    smc = SMC(4, num_steps=3)
    unweighed = SMC(3, num_steps=3, weigh=False)
    cases += one(
        "smc-settings",
        [None, 3, {}, "smc", SMC(4, num_steps=40)],
        lambda w, v: run_smc(w.model, w.guide, w.measurement, v, generator=w.generator),
    )
    cases += one("smc-measurement", NOT_A_TENSOR, lambda w, v: run_smc(w.model, w.guide, v, smc, generator=w.generator))
    cases += one(
        "smc-model", [None, 3, "m"], lambda w, v: run_smc(v, w.guide, w.measurement, smc, generator=w.generator)
    )
    cases += one(
        "smc-guide",
        [None, 3, "hierarchical"],
        lambda w, v: run_smc(w.model, v, w.measurement, smc, generator=w.generator),
    )
    cases += one(
        "smc-generator", NOT_A_GENERATOR, lambda w, v: run_smc(w.model, w.guide, w.measurement, smc, generator=v)
    )
    cases += one(
        "smc-callback",
        [3, "f", []],
        lambda w, v: run_smc(w.model, w.guide, w.measurement, smc, generator=w.generator, callback=v),
    )
    cases += one(
        "smc-start",
        [*NOT_A_TENSOR[1:], *WRONG_Z],
        lambda w, v: run_smc(w.model, w.guide, w.measurement, unweighed, start=v, generator=w.generator),
    )
    return cases


def weights() -> list:
    """Importance weights, of a path drawn before."""
    cases = one("y", WRONG_Y, lambda w, v: log_importance_weights(w.drawn_model, w.drawn, v, generator=w.generator))
    options = {"likelihood": [3, "Gaussian", [1]], "num_steps": [*NOT_WHOLE, None], "generator": NOT_A_GENERATOR}
    for name, values in options.items():
        cases += one(
            name,
            values,
            lambda w, v, n=name: log_importance_weights(
                w.drawn_model, w.drawn, w.y, **{"generator": w.generator, n: v}
            ),
        )
    cases += one(
        "path", [None, 3, {}, "p"], lambda w, v: log_importance_weights(w.drawn_model, v, w.y, generator=w.generator)
    )
    return cases + one(
        "model", [None, 3, "m"], lambda w, v: log_importance_weights(v, w.drawn, w.y, generator=w.generator)
    )


def exact() -> list:
    mean, std = torch.zeros(1, 4, 4).double(), torch.ones(1, 4, 4).double()
    schedules = [None, 3, "vp", DDPMScheduler()]
    bad = [
        *NOT_A_TENSOR,
        torch.zeros(4, 4),
        torch.full((1, 4, 4), math.nan),
        torch.zeros(1, 4, 4).long(),
        torch.zeros(1, 0, 4),
    ]
    bad += [torch.zeros(1, 4, 4).cfloat(), torch.zeros(1, 4, 4).to_sparse()]
    cases = one("gaussian-mean", bad, lambda w, v: GaussianPrior(v, std, w.schedule))
    wrong = [
        "a",
        {},
        torch.zeros(1, 4, 4),
        torch.full((1, 4, 4), -1.0),
        torch.full((1, 4, 4), math.nan),
        torch.ones(1, 5, 5),
        None,
        math.inf,
        -1.0,
    ]
    cases += one("gaussian-std", wrong, lambda w, v: GaussianPrior(mean, v, w.schedule))
    cases += one("gaussian-schedule", schedules, lambda w, v: GaussianPrior(mean, std, v))
    covariances = [
        3,
        "a",
        torch.ones(3, 3),
        -torch.eye(16).double(),
        torch.full((16, 16), math.nan),
        torch.triu(torch.ones(16, 16)).double(),
        torch.zeros(16, 16),
    ]
    cases += one("gaussian-covariance", covariances, lambda w, v: GaussianPrior(mean, None, w.schedule, covariance=v))
    cases += one("gaussian-kernel", NOT_A_NAME, lambda w, v: GaussianPrior(mean, std, w.schedule, kernel=v))
    means = [
        *NOT_A_TENSOR,
        torch.zeros(3),
        torch.full((2, 3), math.nan),
        torch.zeros(2, 3).long(),
        torch.zeros(0, 3),
        torch.zeros(2, 0),
    ]
    ws = [
        None,
        "a",
        3,
        [1.0],
        torch.ones(3),
        torch.zeros(2),
        torch.tensor([1.0, -1.0]),
        torch.tensor([1.0, math.nan]),
        {},
        ["a", "b"],
    ]
    two = torch.zeros(2, 3).double()
    cases += one("mixture-means", means, lambda w, v: GaussianMixturePrior(torch.ones(2), v, w.schedule, variances=1.0))
    cases += one("mixture-weights", ws, lambda w, v: GaussianMixturePrior(v, two, w.schedule, variances=1.0))
    cases += one(
        "mixture-variances",
        [None, "a", math.nan, 0, -1, math.inf, torch.ones(7), {}, [], True],
        lambda w, v: GaussianMixturePrior(torch.ones(2), two, w.schedule, variances=v),
    )
    cases += one("mixture-schedule", schedules, lambda w, v: GaussianMixturePrior(torch.ones(2), two, v, variances=1.0))
    cases += one(
        "dataset-std", [*NUMBERS_ABOVE_0, None], lambda w, v: DatasetPrior(torch.zeros(2, 1, 4, 4), v, w.schedule)
    )
    cases += one(
        "dataset-images",
        [
            *NOT_A_TENSOR,
            torch.zeros(0, 1, 4, 4),
            torch.zeros(1, 4, 4),
            torch.zeros(2, 1, 4, 4).long(),
            torch.full((2, 1, 4, 4), math.nan),
        ],
        lambda w, v: DatasetPrior(v, 0.1, w.schedule),
    )
    cases += one(
        "dataset-weights",
        [v for v in ws if v is not None],
        lambda w, v: DatasetPrior(torch.zeros(2, 1, 4, 4), 0.1, w.schedule, weights=v),
    )
    cases += one("posterior-prior", [None, 3, "p"], lambda w, v: exact_posterior(v, w.operator, w.y, 0.1))
    cases += one("posterior-y", WRONG_Y, lambda w, v: exact_posterior(w.prior, w.operator, v, 0.1))
    cases += one("posterior-scale", [*NUMBERS_ABOVE_0, None], lambda w, v: exact_posterior(w.prior, w.operator, w.y, v))
    cases += one(
        "posterior-operator", [None, 3, "mask", lambda x: x], lambda w, v: exact_posterior(w.prior, v, w.y, 0.1)
    )
    cases += one(
        "posterior-samples",
        [*NOT_WHOLE, None],
        lambda w, v: exact_posterior(w.prior, w.operator, w.y, 0.1).sample(v, w.generator),
    )
    cases += one(
        "posterior-chunk",
        [*NOT_WHOLE, None],
        lambda w, v: exact_posterior(w.prior, w.operator, w.y, 0.1).sample(2, w.generator, v),
    )
    cases += one(
        "posterior-generator", NOT_A_GENERATOR, lambda w, v: exact_posterior(w.prior, w.operator, w.y, 0.1).sample(2, v)
    )
    cases += one("problems-d", [*NOT_WHOLE, None, 3], lambda w, v: mixture_problems(v, 1, [0]))
    cases += one("problems-d_y", [*NOT_WHOLE, None, 9], lambda w, v: mixture_problems(8, v, [0]))
    seeds = [None, 3, [], [-1], ["a"], [1.5], [math.nan], [HUGE], "ab", [True]]
    cases += one("problems-seeds", seeds, lambda w, v: mixture_problems(8, 1, v))
    cases += one("problems-kernel", NOT_A_NAME, lambda w, v: mixture_problems(8, 1, [0], kernel=v))
    cases += one("problems-dtype", [None, 3, "float64", torch.long], lambda w, v: mixture_problems(8, 1, [0], dtype=v))
    cases += one("toy-operator", NOT_A_NAME, lambda w, v: stein_toy(v, 0.2, [0]))
    cases += one("toy-sigma", [*NUMBERS_ABOVE_0, None], lambda w, v: stein_toy("A1", v, [0]))
    cases += one("toy-seeds", seeds, lambda w, v: stein_toy("A1", 0.2, v))
    for name in ("variance_preserving", "variance_exploding"):
        make = getattr(NoiseSchedule, name)
        cases += one(f"{name}-times", [*NOT_WHOLE, None, 1], lambda w, v, make=make: make(v))
        cases += one(f"{name}-low", [*NUMBERS_ABOVE_0, None], lambda w, v, make=make: make(10, v))
        cases += one(f"{name}-high", [*NUMBERS_ABOVE_0, None], lambda w, v, make=make: make(10, 0.01, v))
    tables = [None, "a", 3, [], [1.0], [0.9, math.nan], ["a", "b"], {}, torch.ones(2, 2), [0.5, -0.9], [math.inf, 0.1]]
    cases += one("alpha", tables, lambda w, v: NoiseSchedule(v, [0.1, 0.9]))
    cases += one("sigma", tables, lambda w, v: NoiseSchedule([0.9, 0.1], v))
    cases += one("terminal", [*NUMBERS_ABOVE_0, None], lambda w, v: NoiseSchedule([0.9, 0.1], [0.1, 0.9], v))
    cases += one(
        "scheduler", [None, 3, "ddpm", {}, torch.nn.Linear(1, 1)], lambda w, v: NoiseSchedule.from_scheduler(v)
    )
    return cases + one("ratio", [*NUMBERS_ABOVE_0, None], lambda w, v: w.schedule.time_of_ratio(v))


def diagnostics() -> list:
    def t(*shape):
        return torch.linspace(0.1, 0.9, math.prod(shape)).double().reshape(shape)

    def bad(*shape):
        wrong = [v for v in NOT_A_TENSOR] + [
            t(*shape) * math.nan,
            t(*shape) * math.inf,
            t(*shape, 1, 1),
            torch.tensor(1.0),
            torch.zeros(0),
        ]
        return [*wrong, t(*shape).cfloat(), t(*shape) > 0.5, t(*shape).to_sparse(), torch.ones(shape, device="meta")]

    truths, samples = t(5, 2), t(5, 7, 2)
    calls = {
        "sbc": (calibration.sbc, {"truths": truths, "samples": samples}),
        "tarp": (calibration.tarp, {"truths": truths, "samples": samples, "references": t(5, 2)}),
        "interval": (calibration.interval_coverage, {"truths": truths, "samples": samples}),
        "coverage": (calibration.coverage, {"truth_log_prob": t(5), "sample_log_prob": t(5, 7)}),
        "psis": (calibration.psis, {"log_weights": t(30)}),
        "ksd": (calibration.ksd, {"samples": t(5, 2), "scores": t(5, 2)}),
        "sliced": (calibration.sliced_wasserstein, {"a": t(5, 2), "b": t(6, 2)}),
        "modes": (
            calibration.mode_total_variation,
            {"responsibilities": torch.eye(3).double(), "weights": torch.ones(3).double()},
        ),
    }
    cases = []
    for name, (function, good) in calls.items():
        for argument, value in good.items():
            values = [v for v in bad(*value.shape) if not (v is None and argument == "references")]
            if name in ("sbc", "interval"):  # a quantity may be yes or no
                values = [v for v in values if not (isinstance(v, torch.Tensor) and v.dtype == torch.bool)]
            if name == "psis":
                values = [v for v in values if not (isinstance(v, torch.Tensor) and v.shape == (30, 1, 1))]
            cases += one(f"{name}-{argument}", values, lambda w, v, f=function, g=good, a=argument: f(**{**g, a: v}))
    for name in ("sbc", "tarp", "interval", "coverage"):
        function, good = calls[name]
        cases += one(f"{name}-generator", NOT_A_GENERATOR, lambda w, v, f=function, g=good: f(**g, generator=v))
    for name in ("interval", "coverage"):
        function, good = calls[name]
        levels = [None, "a", 2, [], [0], [1], [math.nan], ["0.5"], {}, [-0.5, 0.5]]
        cases += one(f"{name}-levels", levels, lambda w, v, f=function, g=good: f(**g, levels=v))
    cases += one("sbc-names", [3, ["a"], "abc", {}], lambda w, v: calibration.sbc(truths, samples, names=v))
    cases += one("ksd-c", [*NUMBERS_ABOVE_0, None], lambda w, v: calibration.ksd(t(5, 2), t(5, 2), v))
    cases += one("psis-dim", ["a", 1.5, 3, -2, None, True], lambda w, v: calibration.psis(t(30), v))
    return cases


AREAS = {
    "operators": operators,
    "measurements": measurements,
    "samplers": samplers,
    "inference": inference,
    "weights": weights,
    "exact": exact,
    "diagnostics": diagnostics,
}
