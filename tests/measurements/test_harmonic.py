"""The smoothest continuation into a hole, against Laplace's equation solved densely and its known solutions."""

import itertools

import pytest
import torch

from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.inpainting import Inpainting

HEIGHT, WIDTH = 9, 11
DOWN, RIGHT = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
#: Pictures of which every pixel is the mean of its four neighbours, and so their own continuation.
HARMONIC = {
    "level": 0 * DOWN + 0.3,
    "ramp": 0.1 * DOWN - 0.07 * RIGHT + 0.2,
    "saddle": DOWN * RIGHT / 90,
    "hyperbola": (DOWN**2 - RIGHT**2) / 100,
}


def dense(y, observed):
    """One channel by the linear system: a hidden pixel times the number of its neighbours is their sum."""
    h, w = y.shape
    system, right = torch.eye(h * w).double(), torch.where(observed, y, 0).flatten()
    for i, j in itertools.product(range(h), range(w)):
        if not observed[i, j]:
            near = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
            near = [a * w + b for a, b in near if 0 <= a < h and 0 <= b < w]
            system[i * w + j, i * w + j] = len(near)
            system[i * w + j, near] = -1
    return torch.linalg.solve(system, right).reshape(h, w)


@pytest.mark.parametrize("name", HARMONIC)
def test_a_harmonic_picture_is_found_again(name):
    x = HARMONIC[name][None, None]
    observed = torch.ones(1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    observed[..., 2:7, 1:9] = False  # the rim is known, and with it everything
    torch.testing.assert_close(continued(x, observed), x, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seen", [0.1, 0.3, 0.7])
def test_any_mask_is_laplaces_equation(seen):
    g = torch.Generator().manual_seed(int(10 * seen))
    y = torch.rand(2, 3, 2, HEIGHT, WIDTH, generator=g).double() * 2 - 1
    observed = torch.rand(3, 2, HEIGHT, WIDTH, generator=g) < seen
    observed[0, :, 4:, :] = False  # a hole over the border, where slopes are 0
    x = continued(y, observed)
    for s, n, c in itertools.product(range(2), range(3), range(2)):
        torch.testing.assert_close(x[s, n, c], dense(y[s, n, c], observed[n, c]), rtol=0, atol=1e-10)


def test_what_is_seen_stays_bit_for_bit_and_one_mask_stands_for_all_channels():
    y = torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)).double()
    observed = (RIGHT < 5).expand(2, 1, HEIGHT, WIDTH)
    x = Inpainting(observed).estimate(torch.where(observed, y, torch.nan).nan_to_num(7.0))
    assert torch.equal(x[..., :5], y[..., :5])
    for n, c in itertools.product(range(2), range(3)):
        torch.testing.assert_close(x[n, c], dense(y[n, c], observed[n, 0]), rtol=0, atol=1e-10)
    assert torch.equal(continued(y, observed.expand_as(y)), continued(y, observed))


def test_where_nothing_is_seen_there_is_mid_grey():
    y = torch.ones(1, 2, 4, 4).double()
    observed = torch.ones(1, 2, 4, 4, dtype=torch.bool)
    observed[:, 1] = False
    x = continued(y, observed)
    assert torch.equal(x[:, 0], y[:, 0]) and torch.equal(x[:, 1], torch.zeros(1, 4, 4).double())


def test_an_image_does_not_see_the_others_of_its_batch():
    g = torch.Generator().manual_seed(3)
    y, observed = torch.rand(4, 1, 16, 16, generator=g), torch.rand(4, 1, 16, 16, generator=g) < 0.3
    whole = continued(y, observed)
    alone = torch.cat([continued(y[i : i + 1], observed[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(whole, alone, rtol=0, atol=1e-6)
    assert whole.dtype == torch.float32


def test_a_large_hole_is_crossed():
    x = torch.linspace(-1, 1, 200).double().expand(1, 1, 200, 200)
    observed = torch.ones(1, 1, 200, 200, dtype=torch.bool)
    observed[..., 20:180, 20:180] = False
    torch.testing.assert_close(continued(x, observed), x, rtol=0, atol=1e-6)
