"""Noise streams and the effect handler that feeds them to a guide."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.randomness import Draws, NoiseStreams, isolated


def test_each_image_has_its_own_stream():
    like = torch.zeros((), dtype=torch.float64)
    generators = [torch.Generator().manual_seed(k) for k in (5, 6)]
    both = NoiseStreams(generators, 2).normal((3, 2, 4), 1, like)
    alone = NoiseStreams([torch.Generator().manual_seed(6)], 1).normal((3, 1, 4), 1, like)
    assert torch.equal(both[:, 1:], alone) and both.dtype == torch.float64


@pytest.mark.parametrize("bad", [0, "seed", [0, 1]])
def test_a_seed_is_no_generator(bad):
    with pytest.raises(TypeError, match="manual_seed"):
        NoiseStreams(bad, 2)


def test_one_generator_per_image():
    with pytest.raises(ValueError, match="3 generators for 2 images"):
        NoiseStreams([torch.Generator() for _ in range(3)], 2)


def test_noise_levels_are_stratified_and_uniform():
    counts = torch.zeros(10)
    handler = PerImageNoise(NoiseStreams(None, 1))
    for _ in range(4000):
        with handler, poutine.trace() as tracer:
            with pyro.plate("levels", 10, subsample_size=5, dim=-1):
                pass
        index = tracer.trace.nodes["levels"]["value"]
        assert (index // 2 == torch.arange(5)).all()  # one from each part
        counts[index] += 1
    assert ((counts / 4000 - 0.5).abs() < 0.04).all()


def test_draws_come_in_antithetic_pairs():
    with PerImageNoise(NoiseStreams(torch.Generator().manual_seed(0), 4)):
        with pyro.plate("images", 4, dim=-1), pyro.plate("draws", 2, dim=-3):
            z = pyro.sample("z", dist.Normal(torch.full((1, 1, 4), 3.0), 2.0))
    assert z.shape == (2, 1, 4)
    torch.testing.assert_close(z.mean(0), torch.full((1, 4), 3.0))
    assert z.std() > 0.5


def test_a_gaussian_site_is_its_mean_and_its_width_times_the_streams_noise():
    loc, scale = torch.linspace(-1, 1, 12).double().reshape(3, 4, 1, 1, 1), torch.tensor(2.5).double()
    streams = [NoiseStreams([torch.Generator().manual_seed(k) for k in range(4)], 4) for _ in range(2)]
    with PerImageNoise(streams[0]), pyro.plate("chains", 3, dim=-2), pyro.plate("images", 4, dim=-1):
        z = pyro.sample("z", dist.Normal(loc, scale).to_event(3))
    torch.testing.assert_close(z, loc + scale * streams[1].normal(loc.shape, 1, loc))


def test_other_distributions_are_left_to_pyro():
    with PerImageNoise(NoiseStreams(None, 2)), pyro.plate("images", 2, dim=-1):
        assert (pyro.sample("z", dist.Exponential(torch.ones(2))) > 0).all()


def test_isolated_restores_the_global_state():
    before = torch.get_rng_state()
    with isolated(3):
        first = torch.rand(2)
    assert torch.equal(torch.get_rng_state(), before)
    with isolated(3):
        assert torch.equal(torch.rand(2), first)


def test_a_transformed_gaussian_is_left_to_pyro():
    # Drawing its base and calling it z would be another distribution.
    shifted = dist.TransformedDistribution(
        dist.Normal(torch.zeros(1, 1, 1, 1), 1e-3).to_event(3), [dist.transforms.AffineTransform(5.0, 1.0, event_dim=3)]
    )
    with PerImageNoise(NoiseStreams(torch.Generator().manual_seed(0), 1)), pyro.plate("images", 1, dim=-1):
        assert abs(float(pyro.sample("z", shifted)) - 5) < 0.1


def test_seeds_are_an_images_own_and_never_the_same_twice():
    def streams(*numbers):
        return NoiseStreams([torch.Generator().manual_seed(n) for n in numbers], len(numbers))

    both, alone = streams(1, 2), streams(2)
    first, second = both.seeds(), both.seeds()
    assert len({*first, *second}) == 4
    assert [first[1], second[1]] == [*alone.seeds(), *alone.seeds()]
    shared = NoiseStreams(torch.Generator().manual_seed(1), 3).seeds()
    assert len(set(shared)) == 3


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("kind", ["one", "each", "global"])
def test_parts_of_the_samples_are_cut_out_of_the_noise_of_all(kind, first):
    def streams():
        torch.manual_seed(3)
        given = {"one": torch.Generator().manual_seed(3), "global": None}
        each = [torch.Generator().manual_seed(k) for k in (5, 6)]
        return NoiseStreams(each if kind == "each" else given[kind], 2)

    def asked(noise, samples):
        """Of each kind one, and whether it is of all samples alike; every kind comes first once."""
        like, found = torch.zeros((), dtype=torch.float64), []
        kinds = [
            (lambda: noise.normal((samples, 2, 3), 1, like), False),
            (lambda: noise.uniform(like), True),
            (lambda: noise.uniforms((samples, 1, 2), 2, like), False),
            (lambda: torch.tensor(noise.seeds()), True),
        ]
        for kind, same in [*kinds[first:], *kinds[:first], kinds[0]]:
            found.append((kind(), same))
        return found

    with torch.random.fork_rng():
        whole = asked(streams(), 5)
        left = torch.get_rng_state()
        draws = Draws(streams(), 5)
        for start, stop in ((0, 2), (2, 4), (4, 5)):
            noise = draws.part(start, stop)
            assert noise.first == start and noise.num_images == 2
            for (found, same), (known, _) in zip(asked(noise, stop - start), whole, strict=True):
                assert torch.equal(found, known if same else known[start:stop])
        assert torch.equal(torch.get_rng_state(), left)


@pytest.mark.parametrize("shape, dim", [((3, 2), 1), ((2, 3), 0)])
def test_noise_of_a_part_is_of_its_samples(shape, dim):
    noise = Draws(NoiseStreams(None, 2), 5).part(1, 3)
    with pytest.raises(ValueError, match=r"noise of 2 samples has the shape \(2, ...\)"):
        noise.normal(shape, dim, torch.zeros(()))
