"""Least squares by conjugate gradients against the closed form, at the limit of the precision too."""

import pytest
import torch

from vipaint_pyro.measurements import Matrix
from vipaint_pyro.measurements.least_squares import least_squares


@pytest.mark.parametrize("dtype, near", [(torch.float64, 1e-13), (torch.float32, 1e-4)])
@pytest.mark.parametrize("rank", [3, 6])
def test_all_of_many_images_stay_at_the_answer(dtype, near, rank):
    # Few measurements: it is there after as many steps, and goes on with a gradient that is rounding. One image of ten
    # thousand left for infinity then.
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": torch.float64}
    rows = torch.linalg.qr(torch.randn(200, 8, rank, **draw))[0].mT
    A = (torch.rand(200, rank, 1, **draw) * rows).to(dtype)
    damping = 10 ** (torch.rand(200, 1, 1, 1, **draw) * 4 - 3).to(dtype)
    y = torch.randn(200, 200, 1, 1, rank, **draw).to(dtype)
    x = least_squares(Matrix(A), y, damping=damping).flatten(2).double()

    A, y, damping = A.double(), y.double().flatten(2), damping.double().reshape(-1, 1, 1)
    middle = A @ A.mT + damping * torch.eye(rank, dtype=torch.float64)
    expected = (A.mT @ torch.linalg.solve(middle, y[..., None]))[..., 0]
    error = (x - expected).norm(dim=-1) / expected.norm(dim=-1)
    assert error.max() < near


@pytest.mark.parametrize("dtype, near", [(torch.float64, 1e-11), (torch.float32, 1e-3)])
def test_every_entry_of_y_may_have_its_own_damping(dtype, near):
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": torch.float64}
    A, y = torch.randn(3, 5, 8, **draw), torch.randn(4, 3, 1, 1, 5, **draw)
    damping = 10 ** (torch.rand(3, 1, 1, 5, **draw) * 3 - 2)
    x = least_squares(Matrix(A.to(dtype)), y.to(dtype), damping=damping.to(dtype)).flatten(2).double()
    middle = A @ A.mT + torch.diag_embed(damping.flatten(1))
    expected = (A.mT @ torch.linalg.solve(middle, y.flatten(2)[..., None]))[..., 0]
    assert ((x - expected).norm(dim=-1) / expected.norm(dim=-1)).max() < near


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_no_image_is_worked_on_beyond_rounding(dtype):
    # The gradient of one in ten thousand stays a little above its own first length times the precision, for ever.
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(20, 2, 80, generator=generator, dtype=dtype)
    y = torch.randn(2000, 20, 1, 1, 2, generator=generator, dtype=dtype)
    counted = Counted(A)
    least_squares(counted, y, damping=0.01)
    assert counted.calls <= 5


class Counted(Matrix):
    """How often it is applied."""

    calls = 0

    def __call__(self, x):
        self.calls += 1
        return super().__call__(x)
