"""Samples drawn some at a time are those drawn at once."""

import subprocess
import sys

import pyro.distributions as dist
import pytest
import torch

from tests.samplers.counted import Counted
from tests.samplers.linear_codec import LinearCodec
from tests.samplers.test_registry import CHEAP
from vipaint_pyro.faults import NonFiniteError, OutOfMemory, Stopped
from vipaint_pyro.measurements import Inpainting, Measurement, Nonlinear
from vipaint_pyro.samplers import METHODS, make_sampler
from vipaint_pyro.samplers.chunk import chunk_for
from vipaint_pyro.samplers.run import Stop

CHUNKED = {
    **{name: CHEAP[name] for name in METHODS if name != "vipaint" and "chunk" in METHODS[name].open()},
    "tds": {"num_steps": 4, "particles": 2},
    "vipaint": {"fit_steps": 2, "num_chains": 1, "refinement_steps": 3},
    "vipaint+psis": {"fit_steps": 2, "num_chains": 1, "refinement_steps": 3, "correct": "psis", "num_particles": 9},
    "vipaint+smc": {"fit_steps": 2, "num_chains": 1, "refinement_steps": 3, "correct": "smc", "num_particles": 9},
    "vipaint gibbs": {
        "fit_steps": 2, "num_chains": 1, "refinement_steps": 2, "refine": "gibbs", "sweeps": 2, "sweep_levels": 3,
    },
    "vipaint tds": {"fit_steps": 2, "num_chains": 1, "refinement_steps": 3, "refine": "tds", "num_particles": 8},
    "vipaint mixture": {"fit_steps": 2, "num_chains": 1, "refinement_steps": 3, "guide_name": "mixture"},
}
GENERATORS = {
    "one": lambda: torch.Generator().manual_seed(4),
    "each": lambda: [torch.Generator().manual_seed(s) for s in (4, 5)],
    "global": lambda: torch.manual_seed(4) and None,
}


def sampler(name, **settings):
    return make_sampler(name.split("+")[0].split()[0], **CHUNKED[name], **settings)


@pytest.fixture
def double(network_prior):
    """A network in float64, so that batches of another size round alike."""
    network_prior.denoiser.network.double()
    return network_prior.conditioned([0, 1])


@pytest.fixture
def seen(double):
    draw = torch.Generator().manual_seed(3)
    observed = torch.rand(2, *double.image_shape, generator=draw) < 0.5
    y = torch.rand(2, *double.image_shape, generator=draw, dtype=torch.float64) * 2 - 1
    return Measurement.of(Inpainting(observed), y * observed)


FAST = {
    ("dps", "one"), ("dps", "global"), ("blended", "each"), ("vipaint", "each"), ("vipaint gibbs", "each"),
    ("vipaint+psis", "one"), ("tds", "one"), ("tds", "each"),
}  # fmt: skip


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore:importance weights")
@pytest.mark.parametrize(
    "name, generator",
    [
        pytest.param(name, g, marks=[] if (name, g) in FAST else pytest.mark.slow)
        for name in CHUNKED
        for g in GENERATORS
    ],
)
def test_no_result_depends_on_the_chunk(double, seen, name, generator):
    if name in METHODS and "latent" in METHODS[name].needs:
        double.codec = LinearCodec()

    def draw(chunk):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            return sampler(name, chunk=chunk)(double, seen, 4, GENERATORS[generator]())

    whole = draw(4)
    for chunk in (1, 3, 25):
        part = draw(chunk)
        torch.testing.assert_close(part.images, whole.images, rtol=1e-10, atol=1e-10)
        assert part.calls == whole.calls and part.backward == whole.backward
        assert part.levels.keys() == whole.levels.keys()
        for t, x in whole.levels.items():
            torch.testing.assert_close(part.levels[t], x, rtol=1e-10, atol=1e-10)


def test_the_stream_goes_on_where_it_would(double, seen):
    """What is drawn next from a generator does not depend on the chunk either."""
    states = []
    for chunk in (2, 7):
        generator = torch.Generator().manual_seed(1)
        sampler("dps", chunk=chunk)(double, seen, 7, generator)
        states.append(generator.get_state())
    assert torch.equal(*states)


def test_the_noise_of_a_family_is_that_of_the_sample(gaussian):
    operator = Nonlinear(lambda x: 5 * x.exp(), dist.Poisson, gaussian.image_shape, 1, dtype=torch.float64)
    y = torch.full((1, *gaussian.image_shape), 6.0, dtype=torch.float64)
    seen = Measurement(operator, operator.likelihood, y)
    draws = [
        make_sampler("vipaint", fit_steps=1, refinement_steps=4, timesteps=(500, 300), chunk=chunk)(
            gaussian, seen, 5, torch.Generator().manual_seed(2)
        ).images
        for chunk in (1, 2, 5)
    ]
    torch.testing.assert_close(draws[0], draws[2], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(draws[1], draws[2], rtol=1e-10, atol=1e-10)


@pytest.mark.battery
@pytest.mark.parametrize("name", ["dps", "blended", "vipaint", "vipaint+psis"])
@pytest.mark.filterwarnings("ignore:importance weights")
def test_the_network_is_given_no_more_samples_than_a_chunk(double, seen, name, monkeypatch):
    biggest, network = [], type(double.denoiser).output

    def output(self, z, time, condition):
        biggest.append((len(z), z.requires_grad))
        return network(self, z, time, condition)

    monkeypatch.setattr(type(double.denoiser), "output", output)
    sampler(name, chunk=2, **({"num_levels": 1} if "vipaint" in name else {}))(double, seen, 7)
    assert max(n for n, _ in biggest) == 2 * 2


def test_steps_are_told_of_every_chunk(double, seen):
    told = []

    def on_step(progress):
        told.append((progress.first, len(progress.z), progress.step))

    settled = sampler("dps", chunk=3).settle(double, seen)
    assert settled.at_once(7) == 3 and settled.at_once(2) == 2
    settled(double, seen, 7, None, on_step)
    assert told == [(first, n, i) for first, n in ((0, 3), (3, 3), (6, 1)) for i in range(4)]


def test_where_the_caller_stops_there_is_no_next_chunk(double, seen):
    told = []

    def on_step(progress):
        told.append((progress.first, progress.step))
        return Stop() if told[-1] == (3, 1) else None

    samples = sampler("dps", chunk=3)(double, seen, 9, torch.Generator().manual_seed(0), on_step)
    assert told == [(0, 0), (0, 1), (0, 2), (0, 3), (3, 0), (3, 1)]
    whole = sampler("dps", chunk=3)(double, seen, 9, torch.Generator().manual_seed(0))
    assert len(samples.images) == 6 and torch.equal(samples.images[:3], whole.images[:3])


def test_by_itself_a_chunk_holds_25_samples_or_more_of_small_images(double, seen):
    assert sampler("dps").settle(double, seen).chunk == chunk_for((1, 8, 8)) == 4096
    assert sampler("vipaint").settle(double, seen).refinement().chunk == 4096
    assert chunk_for((3, 64, 64)) == chunk_for((3, 256, 256)) == 25


@pytest.mark.parametrize("chunk", [0, -1, 2.5, "all"])
def test_a_chunk_is_a_number(double, seen, chunk):
    for name in ("dps", "vipaint"):
        with pytest.raises(ValueError, match="chunk is a whole number of at least 1"):
            sampler(name, chunk=chunk)(double, seen, 2)


@pytest.mark.battery
@pytest.mark.parametrize("name", ["dps", "vipaint"])
@pytest.mark.parametrize(
    "trouble, kind",
    [
        (KeyboardInterrupt(), Stopped),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory),
        (None, NonFiniteError),
    ],
)
def test_what_is_finished_is_kept(double, seen, name, trouble, kind):
    """Something happens in the third chunk: the first two come back, as they would have been."""
    whole = sampler(name, chunk=3)(double, seen, 9, torch.Generator().manual_seed(0))
    steps = []

    class Broken(Counted):
        def __call__(self, z, t, condition=None):
            z0 = super().__call__(z, t, condition)
            if steps and steps[-1] == (3, 1):  # the second chunk's second step has been made
                if trouble is not None:
                    raise trouble
                return z0 * float("nan")
            return z0

    double.denoiser = Broken(double.denoiser)
    with pytest.raises(kind) as caught:
        sampler(name, chunk=3)(
            double, seen, 9, torch.Generator().manual_seed(0), lambda p: steps.append((p.first, p.step))
        )
    kept = caught.value.samples
    assert torch.equal(kept.images, whole.images[:3]) and kept.calls.keys() == whole.calls.keys()
    assert all(torch.equal(x, whole.levels[t][:3]) for t, x in kept.levels.items())
    if kind is not Stopped:
        assert "refinement step 2" in str(caught.value) and "\n" not in str(caught.value)


def test_ctrl_c_in_the_first_chunk_is_ctrl_c(double, seen):
    def on_step(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        sampler("dps", chunk=1)(double, seen, 3, None, on_step)
    assert not isinstance(caught.value, Stopped)


def test_methods_that_are_not_chunked_say_no(double, seen):
    assert {name for name in METHODS if "chunk" not in METHODS[name].open()} == {"red-diff", "red-diff-v"}
    with pytest.raises(TypeError, match="chunk"):
        make_sampler("red-diff", chunk=3)


MEASURED = """
import resource, sys, torch
from diffusers import DDPMScheduler
from tests.conftest import tiny_unet
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.samplers import make_sampler
samples, chunk, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
prior = DiffusionPrior.from_components(tiny_unet(size=32), DDPMScheduler(clip_sample=False))
seen = Measurement.of(Inpainting(torch.rand(1, 1, 32, 32) < 0.5), torch.zeros(1, 1, 32, 32))
few = {"num_steps": 2} if name == "dps" else {"fit_steps": 1, "num_chains": 1, "refinement_steps": 2}
make_sampler(name, chunk=chunk, **few)(prior, seen, samples, torch.Generator().manual_seed(0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
"""


def peak(samples, chunk, name):
    """Peak memory of a process in MiB."""
    run = [sys.executable, "-c", MEASURED, str(samples), str(chunk), name]
    return float(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()[-1])


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", ["dps", "vipaint"])
def test_a_thousand_samples_need_no_more_memory_than_a_chunk(name):
    """But for the samples themselves and what is known of each, 4 MiB a tensor of them here."""
    few, many, at_once = peak(25, 25, name), peak(1000, 25, name), peak(1000, 1000, name)
    assert many - few < 120 < 600 < at_once - few, (few, many, at_once)
