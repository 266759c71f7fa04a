"""A tiny scene, and a tiny plan for every figure."""

from dataclasses import replace

import torch

from tests.samplers.linear_codec import LinearCodec
from tests.samplers.test_registry import CHEAP
from vipaint_pyro.evaluation.figures import FIGURES, Plan, Scene
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement

#: Without what the figures set themselves.
VIPAINT = {"num_chains": 1, "num_levels": 1, "refinement_steps": 3}
_FIT = {"vipaint": {**VIPAINT, "fit_steps": 2}}
_SETTINGS = {
    2: {"vipaint": VIPAINT}, 4: {"vipaint": VIPAINT}, 10: {"vipaint": VIPAINT}, 5: CHEAP, 6: CHEAP, 7: CHEAP, 9: _FIT,
    24: _FIT,
}  # fmt: skip


def plan_of(number: int) -> Plan:
    """The quick plan, with few of everything."""
    quick = FIGURES[number].quick
    few = {"images": 2, "samples": 2, "iterations": (1, 3)}
    few = {name: value for name, value in few.items() if vars(quick)[name] is not None}
    return replace(quick, **few, settings=_SETTINGS[number])


def tiny_scene(prior, number: int) -> Scene:
    """Two 8x8 images, or the one that a figure is of, from number 200 on."""
    if number == 6:
        prior.codec = LinearCodec()
    images = plan_of(number).images or 1
    truth = torch.rand(images, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    observed = torch.stack([rotated_window((8, 8), torch.Generator().manual_seed(i)) for i in range(images)])
    operator = Inpainting(observed)
    return Scene(prior, truth, Measurement.of(operator, operator(truth)), [1, 2][:images], first=200, seed=5)
