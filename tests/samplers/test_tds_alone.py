"""TDS as a method of its own: from noise, its weights against exact posteriors."""

import math

import pytest
import torch

from tests.conftest import standard_error
from tests.exact.brute_force import SCHEDULES
from tests.inference.test_smc import unbiased
from tests.samplers.half_seen import seeded
from vipaint_pyro.exact import GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement, Nonlinear
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import MMPSSampler, TDSSampler, VIPaintSampler
from vipaint_pyro.samplers.run import Stop

#: Of six pixels three are seen.
HOLES = torch.tensor([[True, False, True], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.linspace(-0.5, 0.6, 6).double().reshape(1, 1, 2, 3) * HOLES


def holed(n=1, sigma=0.3):
    return Measurement(Inpainting(HOLES.expand(n, 1, 2, 3)), Gaussian(sigma), Y.expand(n, 1, 2, 3))


def two_modes():
    means = torch.tensor([[1.5, -1.0], [-1.5, 1.0]]).double()
    return GaussianMixturePrior(torch.tensor([0.5, 0.5]).double(), means, SCHEDULES["vp"], variances=0.1)


def as_a_network(prior):
    """No more is known of it than its denoiser: moments are the Jacobian's, the last step is the ancestral one."""
    return DiffusionPrior(prior.schedule, prior.denoiser, prior.latent_shape)


def test_behind_a_mask_it_is_the_posterior():
    """A cloud an image: means of p(y)^ x / p(y) are those of x given y, of what is seen and of correlated holes."""
    root = torch.eye(6).double() + 0.5 * torch.linspace(-1, 1, 36).double().reshape(6, 6).sin()
    mean, n = torch.linspace(-0.3, 0.4, 6).double()[None], 1500
    prior = GaussianMixturePrior(torch.ones(1).double(), mean, SCHEDULES["vp"], covariances=0.3 * root @ root.T)
    observed, y = HOLES.reshape(1, 1, 1, 6).expand(n, 1, 1, 6), Y.reshape(1, 1, 1, 6).expand(n, 1, 1, 6)
    seen = Measurement(Inpainting(observed), Gaussian(0.3), y)
    drawn = TDSSampler(num_steps=8, particles=6)(prior, seen, 1, seeded(1))
    exact = exact_posterior(prior, seen.operator, seen.y, 0.3)
    z = (torch.tensor(drawn.diagnostics["log_evidence"]).double() - exact.log_evidence).exp()
    x, mean = drawn.images[0].flatten(1), exact.mean[0].flatten()
    assert unbiased(z) and unbiased(z[:, None] * x, mean)
    assert unbiased(z[:, None] * (x - mean) ** 2, exact.variance[0].flatten())


@pytest.mark.parametrize("own_cloud", [False, True])
def test_modes_come_at_their_weights(own_cloud):
    prior, n = two_modes(), 60
    observed = torch.tensor([True, False]).expand(n, 1, 1, 2)
    seen = Measurement(Inpainting(observed), Gaussian(1.2), torch.tensor([0.6, 0.0]).double().expand(n, 1, 1, 2))
    s = TDSSampler(num_steps=30, particles=60, own_cloud=own_cloud)
    images = s(prior, seen, 4, seeded(3)).images
    exact = exact_posterior(prior, seen.operator, seen.y, 1.2)
    share, right = exact.log_responsibilities(images).exp()[..., 0].mean(0), exact.weights[0, 0]
    assert right > 0.75 and (share.mean() - right).abs() < 3 * standard_error(share)
    assert standard_error(share) < 0.03


def test_of_a_network_its_weights_mend_what_its_steps_do():
    """Of a denoiser alone: modes at their weights, where MMPS, the same steps without weights, has them elsewhere."""
    exact_prior = two_modes()
    prior, n = as_a_network(exact_prior), 150
    observed = torch.tensor([True, False]).expand(n, 1, 1, 2)
    seen = Measurement(Inpainting(observed), Gaussian(1.2), torch.tensor([0.6, 0.0]).double().expand(n, 1, 1, 2))
    exact = exact_posterior(exact_prior, seen.operator, seen.y, 1.2)
    right = exact.weights[0, 0]

    def share(sampler):
        images = sampler(prior, seen, 5, seeded(3)).images
        return exact.log_responsibilities(images).exp()[..., 0].mean(0)

    weighed = share(TDSSampler(num_steps=40, particles=30, own_cloud=False))
    unweighed = share(MMPSSampler(num_steps=40, iterations=2))
    assert (weighed.mean() - right).abs() < 3 * standard_error(weighed) and standard_error(weighed) < 0.03
    assert unweighed.mean() < right - 4 * standard_error(unweighed)


@pytest.mark.parametrize("kind", ["gaussian", "latent"])
@pytest.mark.parametrize("own_cloud", [False, True])
def test_three_images_are_the_three_alone(request, kind, own_cloud):
    prior = request.getfixturevalue(kind)
    observed = torch.ones(3, 1, *prior.image_shape[1:], dtype=torch.bool)
    y = torch.full((3, *prior.image_shape), 0.2).double()
    seen = Measurement(Inpainting(observed), Gaussian(0.3), y)
    s = TDSSampler(num_steps=5, particles=4, own_cloud=own_cloud)
    samples = s(prior, seen, 2, [seeded(i) for i in range(3)])
    assert set(samples.diagnostics) == {"likelihood", "log_evidence", "ess", "ancestors", "collapsed"}
    assert samples.diagnostics["likelihood"] == "Gaussian(scale=0.3)"
    for i in range(3):
        alone = s(prior, seen.part(i, i + 1), 2, [seeded(i)]).images
        torch.testing.assert_close(samples.images[:, i : i + 1], alone, rtol=0, atol=1e-9)
    if own_cloud:
        assert samples.diagnostics["ancestors"] == [2, 2, 2]  # one draw for each sample


@pytest.mark.parametrize("name, steps", [("flow", 3), ("flow", 2), ("vp", 2)])
def test_where_they_begin(name, steps):
    """At alpha_T = 0 Cov[z_0 | z_T] = sigma^2 / alpha J^T has no value: the first step is the prior's own."""
    schedule, n = SCHEDULES[name], 3000
    exact_prior = GaussianPrior(torch.zeros(1, 2, 3).double(), torch.full((1, 2, 3), 0.5).double(), schedule)
    seen = holed(n)
    drawn = TDSSampler(num_steps=steps, particles=6)(exact_prior, seen, 1, seeded(1))
    law = torch.distributions.Normal(0.0, math.hypot(0.5, 0.3))
    z = (torch.tensor(drawn.diagnostics["log_evidence"]).double() - (law.log_prob(Y) * HOLES).sum()).exp()
    assert (float(schedule.alpha(schedule.last)) == 0) == (name == "flow") and unbiased(z)
    x = drawn.images[0].flatten(1)
    hidden, shown = x[:, ~HOLES.flatten()], x[:, HOLES.flatten()]
    assert unbiased(z[:, None] * hidden, torch.zeros(3).double())
    assert unbiased(z[:, None] * hidden**2, torch.full((3,), 0.25).double())
    assert unbiased(z[:, None] * shown, Y[HOLES] * 0.25 / (0.25 + 0.09))


@pytest.mark.parametrize("own_cloud", [False, True])
def test_several_samples_begin_there_too(own_cloud):
    """Clouds of their own once asked the run for the noise of one sample, and had none for their particles."""
    prior = GaussianPrior(torch.zeros(1, 2, 3).double(), torch.full((1, 2, 3), 0.5).double(), SCHEDULES["flow"])
    s = TDSSampler(num_steps=3, particles=4, own_cloud=own_cloud)
    samples = s(prior, holed(400), 3, seeded(0))
    hidden = samples.images[:, ~HOLES.expand(400, 1, 2, 3)]
    assert (hidden.var(1) - 0.25).abs().max() < 4 * 0.25 * (2 / 1200) ** 0.5


def test_steps_are_reported_and_a_stop_is_the_last(gaussian):
    steps = []

    def on_step(progress):
        steps.append((progress.phase, progress.step, progress.t, progress.z.shape[0]))
        return Stop() if len(steps) == 3 else None

    s = TDSSampler(num_steps=5, particles=4, own_cloud=False)
    samples = s(gaussian, holed(), 2, seeded(0), on_step)
    times = gaussian.times(gaussian.schedule.last, -1, 5)
    assert steps == [("refinement", i, times[i], 8) for i in range(3)]
    assert samples.images.shape == (2, 1, 1, 2, 3) and not samples.diagnostics
    steps.clear()
    s(gaussian, holed(), 2, seeded(0), lambda progress: steps.append(progress.step))
    assert steps == list(range(5)) and s.phases() == {"refinement": 5}


@pytest.mark.parametrize("iterations", [1, 3])
def test_what_it_costs(gaussian, iterations):
    s = TDSSampler(num_steps=5, particles=4, iterations=iterations)
    for prior, moments in ((gaussian, 0), (as_a_network(gaussian), 1)):  # whose moments are known, or the Jacobian's
        drawn = s(prior, holed(), 2, seeded(0))
        assert drawn.calls == {"refinement": 8 * 5}
        assert drawn.backward == {"refinement": 8 * 5 * (iterations + moments)}


def test_one_draw_that_is_left_is_said(gaussian):
    sharp = Measurement(Inpainting(torch.ones_like(HOLES)), Gaussian(1e-3), torch.full((1, 1, 2, 3), 2.0).double())
    said = r"all 6 particles go back to one draw of noise; .* take more particles, or method mmps"
    with pytest.warns(RuntimeWarning, match=said):
        TDSSampler(num_steps=2, particles=3, iterations=1, own_cloud=False)(as_a_network(gaussian), sharp, 2, seeded(0))


@pytest.mark.parametrize(
    "settings, samples, message",
    [
        ({"particles": 1, "own_cloud": False}, 1, "1 particle cannot be weighed: raise particles"),
        ({"particles": 1}, 5, "1 particle cannot be weighed: raise particles"),
        ({"num_steps": 2000}, 2, "from noise there are at most 1000 steps to the clean image, not 2000: give fewer"),
        ({"measurement_scale": 0.0}, 2, "measurement_scale is .*above 0, but is 0"),
        ({"eta": 0.0}, 2, "eta is .*above 0"),
    ],
)
def test_what_cannot_be(gaussian, monkeypatch, settings, samples, message):
    monkeypatch.setattr(gaussian, "denoise", None)
    with pytest.raises(ValueError, match=message):
        TDSSampler(**settings)(gaussian, holed(), samples)


def test_one_step_from_nothing(gaussian, monkeypatch):
    monkeypatch.setattr(gaussian, "schedule", SCHEDULES["flow"])
    with pytest.raises(ValueError, match="noise says nothing of the image on this .* give num_steps of at least 2"):
        TDSSampler(num_steps=1)(gaussian, holed(), 2)


def test_what_is_not_linear_or_not_gaussian_is_refused_before_anything_is_computed(gaussian, monkeypatch):
    operator = Nonlinear(lambda x: x**3, lambda m: torch.distributions.Normal(m, 0.1), (1, 2, 3), 1)
    cubes = Measurement(operator, Gaussian(0.1), torch.zeros(1, 1, 2, 3).double())
    monkeypatch.setattr(gaussian, "denoise", None)
    with pytest.raises(ValueError, match="tds is for linear measurements: take 'dps' or 'mmps'"):
        TDSSampler()(gaussian, cubes, 2)
    with pytest.raises(ValueError, match="tds is for Gaussian noise, or none"):
        TDSSampler()(gaussian, Measurement(Inpainting(HOLES), Laplace(0.3), Y), 2)


@pytest.mark.parametrize(
    "sampler",
    [TDSSampler(num_steps=4, particles=3), TDSSampler(num_steps=4, particles=3, own_cloud=False),
     VIPaintSampler((500, 100), fit_steps=1, refinement_steps=4, refine="tds"),
     VIPaintSampler((500, 100), fit_steps=1, refinement_steps=4, refine="tds", own_cloud=False)],
)  # fmt: skip
def test_as_many_steps_are_reported_as_are_told_ahead(gaussian, sampler):
    """Of clouds one after the other each reports its own; a bar of VIPaint's once ran over its end."""
    steps, settled = [], sampler.settle(gaussian, holed())
    sampler(gaussian, holed(), 3, seeded(0), steps.append)
    told = settled.phases()["refinement"] * -(-3 // settled.at_once(3))
    assert len([p for p in steps if p.phase == "refinement"]) == told


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("as_network", [False, True])
def test_clouds_side_by_side_are_those_one_after_the_other(size, as_network):
    """Particles, weights and what is said of them: no cloud has anything of another's."""
    prior = GaussianMixturePrior(
        torch.ones(2).double(), torch.linspace(-1, 1, 12).double().reshape(2, 6).sin(), SCHEDULES["vp"], variances=0.2
    )
    y = Y.reshape(1, 1, 1, 6) * torch.tensor([1.0, 2.0, -1.0]).double().reshape(3, 1, 1, 1)
    seen = Measurement(Inpainting(HOLES.reshape(1, 1, 1, 6).expand(3, 1, 1, 6)), Gaussian(0.3), y)
    prior = as_a_network(prior) if as_network else prior
    drawn = [
        TDSSampler(num_steps=6, particles=size, chunk=chunk)(prior, seen, 5, [seeded(i) for i in range(3)])
        for chunk in (1, 2 * size, 5 * size)
    ]
    for part in drawn[1:]:
        torch.testing.assert_close(part.images, drawn[0].images, rtol=1e-9, atol=1e-9)
        assert part.calls == drawn[0].calls and part.backward == drawn[0].backward
        assert part.diagnostics.keys() == drawn[0].diagnostics.keys()
        for name in ("log_evidence", "ess", "ancestors", "collapsed"):
            assert part.diagnostics[name] == pytest.approx(drawn[0].diagnostics[name], rel=1e-9)
    assert drawn[0].images.unique(dim=0).shape[0] == 5


@pytest.mark.parametrize(
    "settings, at_once", [({"chunk": 25}, 2), ({"chunk": 3}, 1), ({}, 7), ({"own_cloud": False}, 7)]
)
def test_how_many_clouds_are_drawn_at_once(gaussian, settings, at_once):
    assert TDSSampler(num_steps=2, **settings).settle(gaussian, holed()).at_once(7) == at_once
    with pytest.raises(ValueError, match="chunk is of clouds of their own, and own_cloud is False: leave chunk out"):
        TDSSampler(chunk=5, own_cloud=False)(gaussian, holed(), 2)
