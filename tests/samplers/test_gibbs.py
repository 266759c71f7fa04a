"""Sweeps that go up to a level of the guide and down again by its kernels."""

from dataclasses import dataclass

import pyro.distributions as dist
import pytest
import torch
from diffusers import DDPMScheduler

from vipaint_pyro.exact import GaussianMixturePrior, exact_posterior
from vipaint_pyro.guides import GUIDES, MarkovGuide, Recipe, make_guide
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.samplers import MMPSSampler, VIPaintSampler
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run, Stop
from vipaint_pyro.samplers.vipaint.gibbs import renewed, swept

TIMES = (800, 600, 400)
OBSERVED = torch.tensor([[[[False, True]]]])
Y = torch.tensor([[[[0.0, 0.6]]]]).double()
SIGMA = 0.4
SCHEDULE = NoiseSchedule.from_scheduler(DDPMScheduler(beta_schedule="squaredcos_cap_v2"))
SEEN = Measurement(Inpainting(OBSERVED), Gaussian(SIGMA), Y)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mixture(*means, weights, variances):
    means = torch.tensor(means, dtype=torch.float64).reshape(-1, 1, 1, 2)
    return GaussianMixturePrior(torch.tensor(weights).double(), means, SCHEDULE, variances=variances)


def one_gaussian():
    """Two pixels that are alike, of which one is seen."""
    covariance = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
    mean = torch.tensor([0.2, -0.3], dtype=torch.float64).reshape(1, 1, 1, 2)
    return GaussianMixturePrior(torch.ones(1).double(), mean, SCHEDULE, covariances=covariance)


def two_modes():
    return mixture([-1.5, 0.3], [1.5, -0.3], weights=[0.4, 0.6], variances=0.05)


def given_y(prior):
    """The posterior as a prior: its transitions are p(z_s | z_t, y)."""
    known = exact_posterior(prior, SEEN.operator, Y, SIGMA)
    means = known.means[0].reshape(-1, 1, 1, 2)
    each = known.covariances[0]
    return GaussianMixturePrior(known.weights[0], means, SCHEDULE, covariances=each if len(each) > 1 else each[0])


class ExactKernels(MarkovGuide):
    """A guide whose kernels are the posterior's; its top is wrong, and not looked at."""

    def __init__(self, model, posterior):
        super().__init__(model)
        self._posterior = posterior

    def top(self):
        return dist.Normal(torch.full((1, 1, 1, 2), 9.0).double(), 1.0).to_event(3)

    def kernel(self, z_t, t, s):
        return self._posterior.transition(z_t, t, s)


@dataclass(frozen=True)
class ExactWalk(ReverseSampler):
    """Steps that draw from p(z_s | z_t, y)."""

    posterior: object = None

    def step(self, run, z, t, s):
        return self.posterior.transition(z, t, s).sample(), self.posterior.denoise(z, t)


def exact_parts(prior):
    posterior = given_y(prior)
    guide = ExactKernels(DiffusionModel(prior, SEEN.operator, TIMES, form="marginal"), posterior)
    return posterior, guide, ExactWalk(num_steps=2, posterior=posterior)


def moments(z):
    """First and second moments of draws (S, 1, C, H, W), with their standard errors."""
    z = z.flatten(1)
    values = torch.cat([z, z.square(), z.prod(1, keepdim=True)], 1)
    return values.mean(0), values.std(0) / len(z) ** 0.5


def agree(z, others, bound=4.5):
    (a, error), (b, its) = moments(z), moments(others)
    return bool(((a - b).abs() < bound * (error**2 + its**2).sqrt()).all())


def asked(num_samples, seed=0):
    """Which levels are drawn for so many samples, and the noise, of a generator with this seed."""
    generator = seeded(seed)
    u = torch.rand(num_samples, 1, generator=generator, dtype=torch.float64)
    return (len(TIMES) * u[:, 0]).long(), torch.randn(num_samples, 1, 1, 1, 2, generator=generator, dtype=u.dtype)


@pytest.mark.parametrize("make", [one_gaussian, two_modes])
def test_sweeps_come_to_the_posterior_from_anywhere(make):
    """With exact kernels and steps, and latents at T_s that no posterior has."""
    prior = make()
    posterior, guide, walk = exact_parts(prior)
    torch.manual_seed(1)
    exact, start = posterior.mixture(CLEAN).sample((4000, 1)), torch.full((4000, 1, 1, 1, 2), 3.0).double()

    def after(sweeps):
        return swept(Run(prior, SEEN, len(start), seeded()), walk, start, guide, TIMES, sweeps)[0]

    assert not agree(after(0), exact, 20) and agree(after(24), exact)


@pytest.mark.parametrize("make", [one_gaussian, two_modes])
def test_the_posterior_stays_as_it_is(make):
    """z_0 given y becomes z_{T_s} given y, from whichever level, and z_0 given y again."""
    prior = make()
    posterior, guide, walk = exact_parts(prior)
    torch.manual_seed(2)
    n = 24000
    z_0, z_s = (posterior.mixture(t).sample((n, 1)) for t in (CLEAN, TIMES[-1]))
    drawn, (level, _) = renewed(Run(prior, SEEN, n, seeded()), z_0, guide, TIMES), asked(n)
    for k in range(len(TIMES)):
        assert (level == k).double().mean() == pytest.approx(1 / 3, abs=0.015)
        assert agree(drawn[level == k], z_s)
    images, _ = swept(Run(prior, SEEN, n, seeded()), walk, z_s, guide, TIMES, 1)
    assert agree(images, posterior.mixture(CLEAN).sample((n, 1)))


class Counting(ExactKernels):
    """Its kernels add 1000 each, and hardly any noise."""

    def kernel(self, z_t, t, s):
        return dist.Normal(z_t + 1000, 1e-300).to_event(3)


def test_each_sample_is_noised_to_its_own_level_and_led_down_by_the_kernels_below():
    prior = two_modes()
    guide = Counting(exact_parts(prior)[1].model, None)
    z_0 = torch.arange(120.0).double().reshape(60, 1, 1, 1, 2)
    level, noise = asked(60)
    alpha, sigma = (f(torch.tensor(TIMES))[level].reshape(-1, 1, 1, 1, 1) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
    below = (2 - level).reshape(-1, 1, 1, 1, 1)
    assert set(level.tolist()) == {0, 1, 2}
    found = renewed(Run(prior, SEEN, 60, seeded()), z_0, guide, TIMES)
    torch.testing.assert_close(found, alpha * z_0 + sigma * noise + 1000 * below, rtol=1e-13, atol=1e-11)
    # For T_s alone no kernel is needed.
    alone = renewed(Run(prior, SEEN, 60, seeded()), z_0, lambda y=None: None, TIMES[-1:])
    alpha, sigma = (float(f(TIMES[-1])) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
    torch.testing.assert_close(alone, alpha * z_0 + sigma * noise, rtol=1e-13, atol=1e-13)


def test_each_image_of_a_batch_has_levels_of_its_own():
    prior, operator = two_modes(), Inpainting(OBSERVED.repeat(2, 1, 1, 1))
    two = Measurement(operator, Gaussian(SIGMA), Y.repeat(2, 1, 1, 1))
    guide = Counting(DiffusionModel(prior, operator, TIMES, form="marginal"), None)
    passed = renewed(Run(prior, two, 30, seeded()), torch.zeros(30, 2, 1, 1, 2).double(), guide, TIMES)
    below = (passed[:, :, 0, 0, 0] / 1000).round()
    assert {(float(a), float(b)) for a, b in below} == {(a, b) for a in (0.0, 1.0, 2.0) for b in (0.0, 1.0, 2.0)}


@pytest.mark.battery
@pytest.mark.parametrize("correct", ["none", "psis"])
@pytest.mark.filterwarnings("ignore:importance weights")
def test_modes_that_a_walk_leaves_wrong_come_to_their_weights(correct):
    """The guide's draws lie all in one mode: MMPS's steps alone leave them there."""
    prior = two_modes()
    guide = exact_parts(prior)[1]
    given = {"timesteps": TIMES, "refinement_steps": 10, "correct": correct}
    if correct == "psis":
        given["num_particles"] = 1000
    right = float(exact_posterior(prior, SEEN.operator, Y, SIGMA).weights[0, 0])

    def error(**refined):
        x = VIPaintSampler(**refined, **given).from_guide(guide)(prior, SEEN, 1000, seeded()).images
        return abs(float((x[..., 0] < 0).double().mean()) - right)

    assert error(refine="mmps") > 0.7
    assert error(refine="gibbs", sweeps=2) < 0.5 and error(refine="gibbs", sweeps=10) < 0.06
    # From T_s alone they are slower, and come as near.
    assert 0.2 < error(refine="gibbs", sweep_levels=1, sweeps=10) < 0.7
    assert error(refine="gibbs", sweep_levels=1, sweeps=100) < 0.06


def quick(**more):
    return VIPaintSampler(**{"refine": "gibbs", "fit_steps": 1, "timesteps": TIMES, "refinement_steps": 3, **more})


def test_how_many_sweeps_is_settled():
    prior = two_modes()
    settled = quick().settle(prior, SEEN)
    assert (settled.sweeps, settled.sweep_levels) == (4, 3) and settled.settle(prior, SEEN) == settled
    assert settled.refinement() == MMPSSampler(3, measurement_scale=0.03, chunk=settled.chunk)
    assert settled.phases() == {"fit": 1, "refinement": 3 * 5}
    assert settled.from_guide(exact_parts(prior)[1]).phases() == {"refinement": 3 * 5}
    plain = VIPaintSampler().settle(prior, SEEN)
    assert (plain.sweeps, plain.sweep_levels) == (0, 0) and plain.settle(prior, SEEN) == plain


def test_what_is_refused():
    prior = two_modes()
    for name in ("sweeps", "sweep_levels"):
        with pytest.raises(ValueError, match=f"^{name} is of refine='gibbs', and refine is 'mmps': leave {name} out$"):
            VIPaintSampler(refine="mmps", **{name: 2}).settle(prior, SEEN)
        with pytest.raises(ValueError, match=f"^{name} is a whole number of at least 1, but is 0$"):
            quick(**{name: 0}).settle(prior, SEEN)
    with pytest.raises(ValueError, match="^sweep_levels is at most 3 levels, those of the guide, but is 4$"):
        quick(sweep_levels=4).settle(prior, SEEN)
    with pytest.raises(ValueError, match="twisted steps of its own below T_s: leave refine out"):
        quick(correct="smc").settle(prior, SEEN)
    with pytest.raises(ValueError, match="^zeta is of a DPS step, and refine is 'gibbs': leave zeta out"):
        quick(zeta=1.0).settle(prior, SEEN)


def test_steps_are_told_through_all_sweeps_and_a_stop_ends_them():
    prior, told, last = two_modes(), [], []

    def on_step(progress):
        if progress.phase == "refinement":
            told.append((progress.first, progress.step, progress.t))
            last[:] = [progress.z]
        return Stop() if told and told[-1][:2] == (2, 4) else None

    sampler = quick(sweeps=2, chunk=2)
    times = prior.times(TIMES[-1], CLEAN, 3)[:-1]
    images = sampler(prior, SEEN, 6, seeded(), on_step).images
    of_one = [(i, times[i % 3]) for i in range(9)]
    assert told == [(0, *step) for step in of_one] + [(2, *step) for step in of_one[:5]]
    whole = sampler(prior, SEEN, 6, seeded()).images
    assert len(images) == 4 and torch.equal(images[:2], whole[:2]) and torch.equal(images[2:], last[0])


def test_a_guide_without_kernels_is_swept_from_its_lowest_level_alone(monkeypatch):
    prior, says = two_modes(), "kernels of the guide lead down from, and {} has none: leave sweep_levels out"
    two = quick(guide_name="AutoNormal", sweep_levels=2)
    with pytest.raises(ValueError, match=says.format("PyroAutoGuide")):
        two.settle(prior, SEEN)
    assert quick(guide_name="AutoNormal").settle(prior, SEEN).sweep_levels == 1
    fitted = quick(guide_name="AutoNormal")(prior, SEEN, 2, seeded()).guide
    again = quick().from_guide(fitted)
    assert again.settle(prior, SEEN).sampler.sweep_levels == 1
    assert again(prior, SEEN, 2, seeded()).images.isfinite().all()
    for guide, name in ((fitted, "PyroAutoGuide"), (lambda y=None: None, "function")):
        with pytest.raises(ValueError, match=says.format(name)):
            quick(sweep_levels=2).from_guide(guide).settle(prior, SEEN)
    # A recipe that is a function says only when it is called what it makes: before it is fitted.
    made = Recipe("made", "", lambda model, y: make_guide("AutoNormal", model, y), "marginal")
    monkeypatch.setitem(GUIDES, "made", made)
    told = []
    with pytest.raises(ValueError, match=says.format("PyroAutoGuide")):
        quick(guide_name="made", sweep_levels=2)(prior, SEEN, 2, seeded(), told.append)
    assert told == []


@pytest.mark.parametrize(
    "name", ["hierarchical", "hierarchical-guided", "hierarchical-x0", "mean-field", "mixture", "flow"]
)
def test_kernels_are_asked_once_a_sweep(name):
    if name == "flow":
        pytest.importorskip("zuko")
    prior, n = two_modes(), 3
    drawn = [quick(guide_name=name, sweeps=2, sweep_levels=k)(prior, SEEN, n, seeded()) for k in (1, 3)]
    each = 0 if name == "mean-field" else 2
    assert drawn[1].calls["refinement"] - drawn[0].calls["refinement"] == n * 2 * each
    assert drawn[0].calls["refinement"] == n * (len(TIMES) - 1 + 3 * 3)
    assert drawn[1].levels.keys() == set(TIMES)
