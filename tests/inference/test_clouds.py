"""Clouds side by side on one axis, and their noise."""

import pytest
import torch

from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.inference.clouds import NoiseOfClouds, apart, joined
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.randomness import Draws, NoiseStreams

K, N, SIZE = 3, 2, 4


def seeded():
    return [torch.Generator().manual_seed(s) for s in range(N)]


def test_apart_is_a_cloud_a_column():
    values = torch.arange(K * SIZE * N * 5).reshape(K * SIZE, N, 5)
    columns = apart(values, K)
    for k in range(K):
        for n in range(N):
            assert torch.equal(columns[:, k * N + n], values[k * SIZE : (k + 1) * SIZE, n])
    assert torch.equal(joined(columns, K), values) and torch.equal(apart(values, 1), values)


@pytest.mark.parametrize("before", [(), (2,)])
def test_some_of_the_clouds_have_their_part_of_the_noise(before):
    like = torch.zeros(1).double()

    def drawn(streams, clouds):
        noise, shape = NoiseOfClouds(streams, clouds), (*before, clouds * SIZE, N, 3)
        axis = len(before)
        parts = [draw(shape, axis + 1, like).unflatten(axis, (clouds, SIZE)) for draw in (noise.normal, noise.uniforms)]
        return [p.movedim(axis, 0) for p in parts] + [noise.uniform(like).reshape(clouds, N)]

    whole = drawn(NoiseStreams(seeded(), N), K)
    draws = Draws(NoiseStreams(seeded(), N), K)
    parts = [drawn(draws.part(0, 2), 2), drawn(draws.part(2, 3), 1)]
    for at_once, some in zip(whole, zip(*parts), strict=True):
        assert torch.equal(at_once, torch.cat(some))
    assert (whole[0].std() - 1).abs() < 0.5 and whole[1].min() >= 0 and whole[2].unique().numel() == K * N


def test_what_cannot_be():
    with pytest.raises(ValueError, match="7 particles are not 2 clouds of equal size"):
        SMC(7, clouds=2)
    zeros = torch.zeros(1, 1, 2).double()
    prior = GaussianPrior(zeros, zeros + 1, NoiseSchedule.variance_preserving())
    operator = Inpainting(torch.ones(1, 1, 1, 2, dtype=torch.bool))
    seen = Measurement(operator, Gaussian(0.3), zeros[None])
    with pytest.raises(ValueError, match="noise of clouds is for particles that have a start: give start, or"):
        run_smc(DiffusionModel(prior, operator, (300,)), None, seen, SMC(4), generator=NoiseStreams(None, 1))
