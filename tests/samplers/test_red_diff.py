"""REDDiffSampler: what it counts, what it is given, and where its restarts end."""

import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO

from tests.samplers.counted import Counted
from vipaint_pyro.guides import REDDiffGuide
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import REDDiffModel
from vipaint_pyro.samplers.red_diff import REDDiffSampler

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)
SEEN = Measurement.of(Inpainting(OBSERVED), Y)


@pytest.mark.parametrize(
    "sampler", [REDDiffSampler(6), REDDiffSampler(4, random_times=True, weight="bound", std=0.1, init_std=1.0)]
)
def test_calls_are_those_of_the_network(network_prior, sampler):
    prior = network_prior.conditioned([0, 1])
    prior.denoiser = Counted(prior.denoiser)
    observed = torch.rand(2, 1, 8, 8) < 0.5
    seen = Measurement.of(Inpainting(observed), torch.rand(2, 1, 8, 8).double() * observed)
    steps = []
    samples = sampler(prior, seen, 3, torch.Generator().manual_seed(0), steps.append)
    assert samples.images.shape == (3, 2, 1, 8, 8) and not samples.images.requires_grad
    assert 2 * sum(samples.calls.values()) == prior.denoiser.asked
    assert len(steps) == len(samples.fit.losses) == sampler.num_steps
    assert [s.loss for s in steps] == samples.fit.losses and {s.phase for s in steps} == {"fit"}


def test_its_generator_alone_decides(gaussian):
    sampler = REDDiffSampler(10, init_std=0.3, std=0.1, random_times=True)
    state = torch.get_rng_state()
    first, second = (sampler(gaussian, SEEN, 4, torch.Generator().manual_seed(5)).images for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.std(0).min() > 0


def test_settings_reach_the_model_and_the_guide(gaussian):
    sampler = REDDiffSampler(7, weight="clip", lambda_=0.6, noise_scale=0.3)
    model = sampler.settle(gaussian, SEEN).model(gaussian, SEEN, 5)
    assert (len(model.times), model.weight, model.lambda_, model.num_restarts) == (7, "clip", 0.6, 5)
    assert model.likelihood == Gaussian(0.3) and model.schedule_of_t == "descending"
    model = REDDiffSampler(7, random_times=True).settle(gaussian, SEEN).model(gaussian, SEEN)
    assert len(model.times) == 1000 and model.schedule_of_t == "random" and model.likelihood == Gaussian(1.0)
    slow, fast = (REDDiffSampler(1, lr=lr)(gaussian, SEEN, 1).images for lr in (0.01, 0.2))
    torch.testing.assert_close((fast - Y * OBSERVED).abs(), 20 * (slow - Y * OBSERVED).abs(), rtol=1e-3, atol=1e-6)
    samples = REDDiffSampler(1, std=0.2)(gaussian, SEEN, 1)
    assert samples.guide.std == 0.2
    starts = REDDiffSampler(1, lr=1e-9, init_std=0.5)(gaussian, SEEN, 300).images
    assert ((starts.std(0) / 0.5 - 1).abs() < 4 / 600**0.5).all()


def test_it_is_a_fit_by_adam_with_the_published_betas(gaussian):
    samples = REDDiffSampler(12, lr=0.3)(gaussian, SEEN, 3, torch.Generator().manual_seed(2))
    model = REDDiffModel(gaussian, SEEN.operator, num_steps=12, restarts=3)
    guide, adam = REDDiffGuide(model, Y), pyro.optim.Adam({"lr": 0.3, "betas": (0.9, 0.99)})
    loss, generator = Trace_ELBO(max_plate_nesting=2), torch.Generator().manual_seed(2)
    record = fit(model, guide, Y, num_steps=12, optim=adam, loss=loss, generator=generator)
    assert samples.fit.losses == record.losses and torch.equal(samples.images, guide.mu_0.detach())


def test_a_likelihood_of_the_measurements_own_is_kept(gaussian):
    own = Laplace(0.7)
    seen = Measurement(SEEN.operator, own, Y)
    assert REDDiffSampler(7).model(gaussian, seen).likelihood is own
    assert REDDiffSampler(7, noise_scale=0.3).model(gaussian, seen).likelihood is own


def test_random_times_may_be_more_than_there_are(gaussian):
    assert REDDiffSampler(1001, random_times=True).settle(gaussian, SEEN).num_steps == 1001


def test_restarts_are_no_draws_from_the_posterior(gaussian):
    # Where nothing is observed the posterior is the prior: they find its mean and none of its width.
    sampler = REDDiffSampler(200, lr=0.02, random_times=True)
    images = sampler(gaussian, SEEN, 30, torch.Generator().manual_seed(0)).images[:, 0]
    hidden = ~OBSERVED[0]
    assert (images.std(0)[hidden] < 0.3 * gaussian.std[hidden]).all()
    assert ((images.mean(0) - gaussian.mean)[hidden].abs() < 0.1 * gaussian.std[hidden]).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_steps": 0}, "num_steps is a whole number of at least 1, but is 0"),
        ({"num_steps": 1001}, "num_steps lies in 1 ... 1000"),
        ({"lr": 0}, "lr is a finite number, above 0"),
        ({"noise_scale": -1}, "noise_scale is a finite number, above 0"),
        ({"weight": "snr"}, "weight is one of"),
    ],
)
def test_refuses_what_it_cannot_do(gaussian, options, message):
    with pytest.raises(ValueError, match=message):
        REDDiffSampler(**options).settle(gaussian, SEEN)
