"""The operator's own estimate as a method, the least that any other has to better."""

import torch

from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers.estimate import Estimate


def test_every_sample_is_the_operators_estimate(gaussian):
    operator = GaussianBlur((1, 2, 3), kernel_size=3, std=1.0, num_images=2)
    y = torch.linspace(-0.5, 0.6, 12).double().reshape(2, 1, 2, 3)
    samples = Estimate()(gaussian, Measurement.of(operator, y), 4)
    assert torch.equal(samples.images, y.expand(4, 2, 1, 2, 3)) and samples.calls == {}
    assert not torch.allclose(operator.adjoint(y), y)
