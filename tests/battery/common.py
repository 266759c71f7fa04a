"""What a bad input has to come to: one clear error before anything is computed, and nothing left behind."""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import pyro
import torch

from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.inference import draw_path
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors import NoiseSchedule

#: What the package documents as errors of what it is given.
KINDS = (ValueError, TypeError, OSError, FloatingPointError, ImportError, MemoryError)
HUGE = 10**30

NOT_WHOLE = ["3", "", 1.5, math.nan, math.inf, -1, 0, True, HUGE, [3], np.float64(2.5), {}]
NOT_A_NUMBER = ["1", "", math.nan, math.inf, -math.inf, True, [1.0], {}, 1j, np.float64("nan")]
NOT_A_TENSOR = [None, "picture", 3, [[1.0]], {}, np.zeros((1, 1, 2, 2))]
NOT_A_GENERATOR = [3, "seed", np.random.default_rng(0), random.Random(0), [1], [], [None, None, None], {}]
NOT_A_NAME = [None, 3, "", "no such", ["box"], "Bicubic ", "\u00e9", {}]


class Spy:
    """How often a prior was asked to denoise; its copies share it."""

    calls = 0


class SpiedPrior(GaussianPrior):
    """A prior that counts its predictions."""

    spy: Spy

    def _denoised(self, z, t):
        self.spy.calls += 1
        return super()._denoised(z, t)


class World:
    """Two 1x4x4 images in float64, a prior, a measurement, a model of them: all of them good."""

    def __init__(self) -> None:
        self.schedule = NoiseSchedule.variance_preserving(50, 1e-3, 0.3)
        self.prior = SpiedPrior(torch.zeros(1, 4, 4).double(), torch.full((1, 4, 4), 0.5).double(), self.schedule)
        self.spy = self.prior.spy = Spy()
        self.observed = torch.ones(2, 1, 4, 4, dtype=torch.bool)
        self.observed[..., 2:] = False
        self.operator = Inpainting(self.observed)
        self.y = torch.where(self.observed, 0.3, 0.0).double()
        self.measurement = Measurement(self.operator, Gaussian(0.1), self.y)
        self.generator = torch.Generator().manual_seed(1)
        self.z = torch.zeros(3, 2, 1, 4, 4).double()

    @property
    def model(self):
        return DiffusionModel(self.prior, self.operator, (30, 20, 10))

    @property
    def guide(self):
        from vipaint_pyro.guides import make_guide

        return make_guide("hierarchical", self.model, self.y)

    def path(self):
        path = draw_path(self.model, self.guide, 3)
        self.spy.calls = 0
        return path

    def state(self) -> tuple:
        tensors = (self.y, self.observed, self.z)
        return (
            torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist(),
            torch.get_default_dtype(), torch.is_grad_enabled(), sorted(pyro.get_param_store().keys()),
            self.generator.get_state().tolist(), [t.tolist() for t in tensors], [t.requires_grad for t in tensors],
        )  # fmt: skip


def wrongs(call, world: World, before: tuple | None = None) -> list[str]:
    """What is wrong with how a call refuses a bad input; nothing where it is as it should be."""
    before, calls = before or copy.deepcopy(world.state()), world.spy.calls
    try:
        call()
    except KINDS as error:
        found = words_wrong(str(error))
    except Exception as error:
        found = [f"{type(error).__name__}: {str(error)[:150]}"]
    else:
        found = ["accepted"]
    found += [f"{world.spy.calls - calls} calls of the denoiser"] if world.spy.calls != calls else []
    found += ["left something behind"] if world.state() != before else []
    return found


#: Of errors that Python or torch raise themselves, where nobody has looked.
_UNKEMPT = (
    "object has no attribute", "not supported between", "unsupported operand", "must be real number", "is not iterable",
    "object is not callable", "cannot be interpreted as", "unhashable", "can't convert", "could not convert",
    "invalid literal", "must be Tensor", "argument 'input'", "has no len()", "not subscriptable",
    "The size of tensor", "invalid combination", "new(): ", "unexpected keyword",
    "must be str", "cannot unpack", "values to unpack", "Expected parameter", "infer dtype", "too many dimensions",
    "bad operand", "must be real", "got an invalid", "Boolean value of Tensor", "zip() argument",
    "slice indices", "int too large", "too large to convert", "dimension out of range", "einsum",
    "expected Tensor", "expected seq", "not a sequence",
)  # fmt: skip


def words_wrong(text: str) -> list[str]:
    """What is wrong with the words of an error."""
    found = [] if text.strip() else ["no words"]
    found += ["many lines"] if len(text.strip().splitlines()) > 1 else []
    found += ["long"] if len(text) > 700 else []
    return found + [f"unkempt: {text[:150]}" for part in _UNKEMPT if part in text][:1]


def named(prefix: str, values) -> list[tuple[str, object]]:
    """Values with an id each."""
    return [(f"{prefix}-{i}-{_short(v)}", v) for i, v in enumerate(values)]


def _short(value) -> str:
    text = f"{type(value).__name__}:{value!r}".replace("\n", " ")
    return text[:40]
