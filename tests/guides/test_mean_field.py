"""The mean-field guide: where it starts, and what its levels are."""

import torch

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import MeanFieldGuide
from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.kernels import posterior_std


def test_its_levels_are_independent_gaussians_that_start_at_the_observation(gaussian):
    schedule = gaussian.schedule
    guide = MeanFieldGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 300, 100)), Y, std_scale=0.4)
    top, lower = guide.top(), guide.kernel(torch.full((5, 1, 1, 2, 3), 9.0).double(), 300, 100)
    torch.testing.assert_close(top.mean.detach(), float(schedule.alpha(500)) * continued(Y, OBSERVED))
    torch.testing.assert_close(top.stddev.detach(), schedule.sigma(500).expand(1, 1, 2, 3))
    assert lower.batch_shape == (5, 1)
    mean = float(schedule.alpha(100)) * continued(Y, OBSERVED)
    torch.testing.assert_close(lower.mean.detach(), mean.expand(5, 1, 1, 2, 3))
    std = 0.4 * posterior_std(schedule, 300, 100)
    torch.testing.assert_close(lower.stddev.detach(), std.expand(5, 1, 1, 2, 3))
    default = MeanFieldGuide(guide.model, Y)
    torch.testing.assert_close(default.tau_300.detach(), (0.7 * posterior_std(schedule, 500, 300)).expand(1, 1, 2, 3))
