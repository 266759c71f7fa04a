"""What one gets wrong in a sampler of one's own: one sentence with the class and what was expected."""

from dataclasses import dataclass

import pytest
import torch

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.samplers import Sampler, Samples
from vipaint_pyro.samplers.chunked import ChunkedSampler
from vipaint_pyro.samplers.reverse import ReverseSampler


@dataclass(frozen=True)
class Steps(ReverseSampler):
    num_steps: int = 3
    gives: object = None

    def step(self, run, z, t, s):
        return self.gives(z)


@dataclass(frozen=True)
class Draws(Sampler):
    gives: object = None

    def draw(self, run):
        return self.gives


@dataclass(frozen=True)
class Images(ChunkedSampler):
    def images(self, run):
        return None


STEP = r"Steps.step gives two tensors, z_s and E\[z_0 . z_t\], \(S, N, C, H, W\) each, but gave "


@pytest.mark.parametrize(
    "sampler, words",
    [
        (Steps(gives=lambda z: z), STEP + "tensor"),
        (Steps(gives=lambda z: None), STEP + "None"),
        (Steps(gives=lambda z: (z, z, z)), STEP + r"\(tensor"),
        (Steps(gives=lambda z: (z, None)), STEP + r"\(tensor"),
        (Draws(gives=torch.zeros(2, 1, 1, 2, 3)), "Draws.draw gives its images in a vipaint_pyro.samplers.Samples"),
        (Draws(), "Draws.draw gives its images in a vipaint_pyro.samplers.Samples, but gave None"),
        (Draws(gives=Samples([1])), r"Draws gives images \(S, N, C, H, W\), a tensor, but gave \[1\]"),
        (Images(chunk=1), r"Images.images gives a tensor \(S, N, C, H, W\), but gave None"),
    ],
)
def test_what_is_given_is_looked_at(gaussian, sampler, words):
    seen = Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y)
    with pytest.raises(TypeError, match=words):
        sampler(gaussian, seen, 2)
    right = Steps(gives=lambda z: (z, z))
    assert right(gaussian, seen, 2).images.shape == (2, 1, 1, 2, 3)


@dataclass(frozen=True)
class Unsettled(Draws):
    def settle(self, prior, measurement):
        super().settle(prior, measurement)


@pytest.mark.parametrize(
    "sampler, words",
    [
        (Steps(gives=lambda z: (z[..., :2], z)), r"gives z_s and .*, but gave \(2, 1, 1, 2, 2\) of"),
        (Steps(gives=lambda z: (z, z[0])), r"but gave \(2, 1, 1, 2, 3\) of torch.float64 and \(1, 1, 2, 3\) of"),
        (Steps(gives=lambda z: (z.float(), z)), r"but gave \(2, 1, 1, 2, 3\) of torch.float32 and"),
        (Draws(gives=Samples(torch.zeros(1, 1, 1, 2, 3))), r"here \(2, 1, 1, 2, 3\), but gave \(1, 1, 1, 2, 3\)"),
        (Draws(gives=Samples(torch.zeros(2, 1, 2, 3))), r"Draws.draw gives .*, but gave \(2, 1, 2, 3\)"),
        (Draws(gives=Samples(torch.zeros(2, 1, 1, 3, 2))), r"Draws.draw gives .*, but gave \(2, 1, 1, 3, 2\)"),
    ],
)
def test_images_and_steps_have_the_shape_of_what_is_drawn(gaussian, sampler, words):
    with pytest.raises(ValueError, match=words):
        sampler(gaussian, Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y), 2)


def test_settle_gives_the_method(gaussian):
    with pytest.raises(TypeError, match=r"Unsettled.settle gives the settled method, .*, but gave None"):
        Unsettled()(gaussian, Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y), 2)
