"""The errors of a prior whose denoiser is known in closed form; what is hidden has no part in them."""

import pytest
import torch

from tests.kind.conftest import drawn
from vipaint_pyro.kind.check import CALLS
from vipaint_pyro.kind.measuring import masks_for
from vipaint_pyro.kind.statistic import RATIOS, local, names_of
from vipaint_pyro.priors.counting import count_calls


def tweedie(prior, z, t):
    """E[z_0 | z_t] under the Gaussian of ``pixels``."""
    a, s = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    mean = torch.linspace(-0.5, 0.5, 8, dtype=torch.float64)[:, None]
    return mean + a * 0.01 / (a**2 * 0.01 + s**2) * (z - a * mean)


@pytest.mark.parametrize("name", ["pixels", "network_prior"])
def test_errors_are_those_of_the_walk_written_out(request, name):
    """Of a half-hidden picture, with Tweedie's mean of a Gaussian, and with a network, where hidden pixels matter."""
    prior = request.getfixturevalue(name)
    x, predicted = drawn(prior, 2, 1), tweedie if name == "pixels" else lambda p, z, t: p.denoise(z, t)
    prior = prior if name == "pixels" else prior.conditioned(None)
    seen = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    seen[..., :4] = True
    found = local(prior, x, seen)
    noise = torch.randn(len(RATIOS), 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    x_hat = torch.zeros_like(x)
    for k, ratio in enumerate(RATIOS):
        t = prior.schedule.time_of_ratio(ratio)
        a, s = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
        z = a * torch.where(seen, x, x_hat) + s * noise[k]
        x_hat = predicted(prior, z, t).detach().clamp(-1, 1)
        error = torch.where(seen, (x_hat - x) ** 2, 0).flatten(1)  # 8x8 pixels, a cell each
        torch.testing.assert_close(found.squares[:, 1 + k], error, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.seen, seen.flatten(1).double())
    assert len(names_of(prior)) == found.squares.shape[1] == 1 + len(RATIOS)


def test_roughness_is_of_neighbours_that_are_both_seen(pixels):
    x = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    x[..., 3, 3] = 0.5
    everything = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    cells = local(pixels, x, everything).squares[0, 0].reshape(8, 8)
    rough = torch.zeros(8, 8, dtype=torch.float64)
    rough[3, 3], rough[2, 3], rough[3, 2] = 0.25, 0.125, 0.125  # to the right and below; of the others one of two
    torch.testing.assert_close(cells, rough)
    everything[..., 3, 3] = False
    assert local(pixels, x, everything).squares[0, 0].count_nonzero() == 0


def test_hidden_pixels_and_neighbours_in_a_batch_play_no_part(pixels):
    x, seen = drawn(pixels, 3, 2), masks_for(3, (8, 8), 5)
    found = local(pixels, x, seen)
    other = local(pixels, torch.where(seen, x, torch.nan), seen)
    alone = local(pixels, x[1:2], seen[1:2])
    torch.testing.assert_close(found.squares, other.squares, rtol=0, atol=0)
    torch.testing.assert_close(found.squares[1:2], alone.squares, rtol=1e-12, atol=1e-14)


def test_calls_are_as_many_as_are_said_and_no_random_number_is_taken(pixels):
    counted, calls = count_calls(pixels)
    state = torch.get_rng_state()
    local(counted, drawn(pixels, 3, 2), masks_for(3, (8, 8), 5))
    assert calls.total == 3 * CALLS and torch.equal(state, torch.get_rng_state())
