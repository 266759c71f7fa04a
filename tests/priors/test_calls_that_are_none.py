"""Calls of a prior that are none: z of another shape, times that are none or rise; said before the network is asked."""

import pytest
import torch

from vipaint_pyro.priors.schedules import CLEAN


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (1, 1, 4, 6), (1, 3, 2, 3)])
def test_z_of_another_shape(gaussian, shape):
    came = ", ".join(map(str, shape))
    with pytest.raises(ValueError, match=rf"^z has shape \(\*, N, 1, 2, 3\), but came with \({came}\)$"):
        gaussian.denoise(torch.zeros(shape).double(), 500)


@pytest.mark.parametrize("t", [5000, -1, -3, torch.tensor([500, -2])])
def test_t_that_is_no_time(gaussian, t):
    z = torch.zeros(2, 1, 2, 3).double()
    with pytest.raises(ValueError, match=f"^times are whole numbers 0 ... {gaussian.schedule.last}, but t = .* came$"):
        gaussian.denoise(z, t)


@pytest.mark.parametrize("t, s", [(601, 701), (601, -3), (5000, 601), (torch.tensor([601, 10]), 20)])
def test_a_step_that_is_none(gaussian, t, s):
    z = torch.zeros(2, 1, 2, 3).double()
    with pytest.raises(ValueError, match="but t = .* came with s = .*, which is not noisier than t, or -1, the clean"):
        gaussian.reverse(z, t, s, z0=z)


def test_the_ends_are_times(gaussian):
    z = torch.ones(1, 1, 2, 3).double()
    for t in (0, gaussian.schedule.last):
        mean, std = gaussian.reverse(z, t, CLEAN, z0=0.3 * z)
        assert torch.equal(mean, 0.3 * z) and std.isfinite().all() and gaussian.denoise(z, t).shape == z.shape
