"""A penalty by LPIPS beside a step's pull: one step by hand, and the samplers that take it."""

from dataclasses import dataclass

import pytest
import torch
from pyro.infer import Trace_ELBO

from tests.masked_pictures import by_hand, problem
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements import lpips as lpips_module
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihood import Noise
from vipaint_pyro.measurements.likelihoods import Laplace, Noiseless
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.perceptual import Perceptual
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler, draw, refine
from vipaint_pyro.samplers.reverse import ReverseSampler


def one_step(prior, operator, y, z, t, likelihood=Noiseless(), **options):
    """The first step's z, without noise."""
    steps = []
    measurement, sampler = Measurement(operator, likelihood, y), DPSSampler(4, 0.0, **options)
    refine(prior, measurement, z, t, sampler, on_step=lambda progress: steps.append(progress.z))
    return steps[0]


@pytest.mark.parametrize("zeta, limit", [(0.7, False), (0.7, True), (50.0, True)])
def test_one_step_is_that_of_the_hand(smooth, lpips, zeta, limit):
    t, s, weight = 400, 300, 12.0
    operator, y, _ = problem()
    z = torch.randn(2, 3, 1, 8, 8).double().requires_grad_()
    step = {"zeta": zeta, "limit": limit}
    found = one_step(smooth, operator, y, z, t, perceptual_refinement=weight, **step)
    assert smooth.times(t, CLEAN, 4)[1] == s
    # The Jacobian of a Gaussian's E[x | z_t] is diagonal and known.
    alpha, sigma = float(smooth.schedule.alpha(t)), float(smooth.schedule.sigma(t))
    jacobian = alpha * smooth.std**2 / (alpha**2 * smooth.std**2 + sigma**2)
    x = smooth.denoise(z, t).detach().requires_grad_()
    (slope,) = torch.autograd.grad(by_hand(lpips, operator, y, x).sum(), x)
    r = torch.where(operator.observed, y - x.detach(), 0)
    norm = r.square().sum((-3, -2, -1), keepdim=True).sqrt()
    size = norm.clamp_max(zeta) if limit else zeta
    shift = jacobian * (size * r / norm - weight * slope)
    mean, _ = smooth.reverse(z, t, s, 0.0)
    torch.testing.assert_close(found, (mean + shift).detach(), rtol=1e-5, atol=1e-6)
    hidden = (~operator.observed).expand_as(found)
    without = one_step(smooth, operator, y, z, t, **step)
    assert torch.equal(found[hidden], without[hidden]) and not torch.equal(found, without)


class Enlarged(Codec):
    """A decoder: a grey latent becomes a picture of twice the size in three shades."""

    factor, channels = 2, 3

    def encode(self, x):
        raise NotImplementedError

    def decode(self, z):
        return torch.cat([z.repeat_interleave(2, -1).repeat_interleave(2, -2) * c for c in (1.0, 0.6, -0.4)], -3)


def test_one_step_through_a_decoder(smooth, lpips):
    smooth.codec = Enlarged()
    operator, y, _ = problem(channels=3, size=16)
    z = torch.randn(2, 3, 1, 8, 8).double().requires_grad_()
    found = one_step(smooth, operator, y, z, 400, zeta=0.7, perceptual_refinement=12.0)
    x = Enlarged().decode(smooth.denoise(z, 400))
    norm = ((y - x) * operator.observed).square().sum((-3, -2, -1)).sqrt()
    (slope,) = torch.autograd.grad((0.7 * norm + 12 * by_hand(lpips, operator, y, x)).sum(), z)
    torch.testing.assert_close(found, (smooth.reverse(z, 400, 300, 0.0)[0] - slope).detach(), rtol=1e-5, atol=1e-6)


@pytest.fixture
def doubled(monkeypatch):
    """LPIPS in float64: in float32 kernels round by batch, and a maximum that changes its place turns the gradient."""
    prepared, network = LPIPS._prepare, lpips_module.shared_lpips("alex", None, torch.device("cpu"))
    monkeypatch.setattr(LPIPS, "_prepare", staticmethod(lambda x: prepared(x).double()))
    network.double()
    yield
    network.float()


def test_samples_and_images_do_not_see_each_other(smooth, doubled):
    operator, y, _ = problem()
    z = torch.randn(2, 3, 1, 8, 8).double()

    def run(images, samples):
        own = Inpainting(operator.observed[images])
        sampler = DPSSampler(5, 0.0, zeta=2.0, limit=True, perceptual_refinement=5.0)
        return refine(smooth, Measurement.of(own, y[images]), z[samples][:, images], 500, sampler)

    together = run([0, 1, 2], [0, 1])
    for i in range(3):
        for k in range(2):
            torch.testing.assert_close(run([i], [k])[0, 0], together[k, i], rtol=1e-6, atol=1e-6)


class Distant(Noise):
    """A likelihood that pulls by the sum of absolute errors."""

    def __call__(self, loc):
        return Laplace()(loc)

    def distance(self, operator, y, x):
        return ((y - operator(x)) * operator.observed).abs().sum((-3, -2, -1))


@pytest.mark.parametrize("limit", [False, True])
@pytest.mark.parametrize("wrap", [lambda own: own, lambda own: Perceptual(1.0, own)])
def test_a_likelihoods_own_distance_takes_the_norms_place(smooth, limit, wrap):
    t, s, zeta = 400, 300, 5.0
    operator, y, _ = problem()
    z = torch.randn(2, 3, 1, 8, 8).double()
    z[0] *= 3
    found = one_step(smooth, operator, y, z, t, wrap(Distant()), zeta=zeta, limit=limit)
    alpha, sigma = float(smooth.schedule.alpha(t)), float(smooth.schedule.sigma(t))
    jacobian = alpha * smooth.std**2 / (alpha**2 * smooth.std**2 + sigma**2)
    r = (y - smooth.denoise(z, t)) * operator.observed
    size = r.abs().sum((-3, -2, -1), keepdim=True).clamp_max(zeta) if limit else zeta
    torch.testing.assert_close(found, smooth.reverse(z, t, s, 0.0)[0] + size * jacobian * r.sign())


def test_samplers_follow_the_likelihood_an_operator_brings(network_prior):
    prior = network_prior.conditioned([0, 1])
    operator, y = halves()
    operator.likelihood = Distant()
    own, plain = Measurement.of(operator, y), Measurement.of(Inpainting(operator.observed), y)
    assert fitted(VIPaintSampler(**SMALL), prior, own).likelihood is operator.likelihood
    assert fitted(VIPaintSampler(**SMALL, perceptual=1.0), prior, own).likelihood.pixel is operator.likelihood
    guide = HierarchicalGuide(DiffusionModel(prior, operator, (800, 400)), y)
    for sampler in (VIPaintSampler(**SMALL).from_guide(guide), DPSSampler(5)):
        images = [sampler(prior, seen, 1, torch.Generator().manual_seed(0)).images for seen in (own, plain)]
        assert not torch.equal(*images)


def test_a_refinement_needs_a_step():
    with pytest.raises(TypeError, match="abstract"):
        ReverseSampler(4)


def test_not_finite_names_both_weights(smooth, monkeypatch):
    operator, y, _ = problem()
    monkeypatch.setattr(Perceptual, "penalty", lambda self, operator, y, x: x.sum((-3, -2, -1)) * torch.inf)
    with pytest.raises(FloatingPointError, match="zeta or the weight of the penalty"):
        refine(smooth, Measurement.of(operator, y), y[None], 300, DPSSampler(3, perceptual_refinement=1.0))


# -- the samplers ---------------------------------------------------------------------------------

SMALL = {"timesteps": (800, 400), "fit_steps": 3, "num_chains": 1, "refinement_steps": 4}


def halves():
    observed = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    observed[0, :, :5], observed[1, :, :, 2:] = True, True
    return Inpainting(observed), torch.linspace(-1, 1, 128).reshape(2, 1, 8, 8).double() * observed


def fitted(sampler, prior, measurement):
    """The model that is fitted."""
    return sampler.settle(prior, measurement).model(prior, measurement)


def sampled(sampler, prior):
    counted, calls = count_calls(prior)
    samples = sampler(counted, Measurement.of(*halves()), 2, torch.Generator().manual_seed(0))
    assert 2 * sum(samples.calls.values()) == calls.total
    return samples


@dataclass(frozen=True)
class Published(ReverseSampler):
    """DPS as it was before there was a penalty."""

    zeta: float = 2.0
    limit: bool = True

    def step(self, run, z, t, s):
        operator, y = run.measurement.operator, run.measurement.y
        z = z.detach().requires_grad_()
        z0 = run.prior.denoise(z, t)
        mean, std = run.prior.reverse(z, t, s, self.eta, z0)
        if s == CLEAN:
            return mean.detach(), z0.detach()
        residual = torch.where(operator.observed, y - operator(run.prior.decode(z0)), 0)
        norm = residual.pow(2).sum((-3, -2, -1)).clamp_min(1e-20).sqrt()
        (gradient,) = torch.autograd.grad(norm.sum(), z)
        size = norm.detach().clamp_max(self.zeta) if self.limit else torch.full_like(norm, self.zeta)
        shift = -size[..., None, None, None] * gradient
        return (mean + std * run.normal(z) + shift).detach(), z0.detach()


def test_no_weight_is_what_was_to_the_last_bit(network_prior):
    # The sampler's parts by hand, without a word of perceptual terms.
    prior, generator = network_prior.conditioned([0, 1]), torch.Generator().manual_seed(0)
    operator, y = halves()
    model = DiffusionModel(prior, operator, (800, 400), Laplace(), num_levels=2)
    guide = HierarchicalGuide(model, y)
    elbo = Trace_ELBO(1, vectorize_particles=True, max_plate_nesting=3)
    record = fit(model, guide, y, num_steps=3, loss=elbo, generator=generator)
    z = draw(model, guide, 2, generator)[400]
    x = refine(prior, Measurement.of(operator, y), z, 400, Published(4), generator)
    samples = sampled(VIPaintSampler(**SMALL, guide_name="hierarchical"), prior)
    assert samples.fit.losses == record.losses and torch.equal(samples.images, x)

    noise = torch.randn(2, 2, 1, 8, 8, generator=generator.manual_seed(0), dtype=torch.float64)
    x = refine(prior, Measurement.of(operator, y), noise, 999, Published(5, zeta=0.5, limit=False), generator)
    assert torch.equal(sampled(DPSSampler(5), prior).images, x)


@pytest.mark.filterwarnings("ignore:importance weights:RuntimeWarning")
@pytest.mark.parametrize("correct", ["none", "psis"])
def test_weights_change_the_draws_and_not_the_calls(network_prior, correct):
    prior = network_prior.conditioned([0, 1])
    options = {**SMALL, "correct": correct, "num_particles": 8 if correct == "psis" else None}
    plain = sampled(VIPaintSampler(**options), prior)
    assert "perceptual" not in plain.fit.terms
    for weights in ({"perceptual": 500.0}, {"perceptual_refinement": 5.0}):
        other = sampled(VIPaintSampler(**options, **weights), prior)
        assert other.calls == plain.calls and not torch.equal(other.images, plain.images)
        assert ("perceptual" in other.fit.terms) == ("perceptual" in weights)
        # The refinement's weight is not one of the fit.
        assert (other.fit.losses == plain.fit.losses) == ("perceptual" not in weights)
    plain, other = (sampled(DPSSampler(5, perceptual_refinement=w), prior) for w in (0.0, 5.0))
    assert other.calls == plain.calls and not torch.equal(other.images, plain.images)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"perceptual": True}, "perceptual is a finite number, at least 0, but is True"),
        ({"perceptual": -1.0}, "at least 0, but is -1"),
        ({"perceptual": float("nan")}, "at least 0, but is nan"),
        ({"perceptual": float("inf")}, "at least 0, but is inf"),
        ({"perceptual_refinement": -0.1}, "at least 0, but is -0.1"),
        ({"perceptual_net": "resnet"}, "perceptual_net is one of alex, vgg, but is 'resnet'"),
        ({"perceptual": 1.0, "correct": "smc"}, "leave the perceptual weights at 0"),
        ({"perceptual_refinement": 1.0, "correct": "smc"}, "leave the perceptual weights at 0"),
        ({"perceptual": 1.0, "guide_name": "red-diff", "timesteps": None}, "ask for method='red-diff'"),
    ],
)
def test_settings_that_cannot_be(network_prior, options, words):
    operator = Inpainting(torch.ones(1, 1, 8, 8, dtype=torch.bool))
    prior, measurement = network_prior.conditioned([0]), Measurement.of(operator, torch.zeros(1, 1, 8, 8))
    options = {"timesteps": (800, 400), **options}
    with pytest.raises(ValueError, match=words):
        VIPaintSampler(**options).settle(prior, measurement)
    names = ("perceptual_refinement", "perceptual_net")
    options = {k: v for k, v in options.items() if k in names}
    if len(options) and "smc" not in words and "leave" not in words:
        with pytest.raises(ValueError, match=words):
            DPSSampler(**options)(prior, measurement, 1)


@pytest.mark.parametrize("name, given", [("perceptual_weights", "/nowhere.safetensors"), ("perceptual_net", "vgg")])
def test_which_lpips_is_refused_where_none_is_asked_for(network_prior, name, given):
    prior, operator = network_prior.conditioned([0]), Inpainting(torch.ones(1, 1, 8, 8, dtype=torch.bool))
    seen = Measurement.of(operator, torch.zeros(1, 1, 8, 8))
    for sampler in (VIPaintSampler(timesteps=(800, 400), **{name: given}), DPSSampler(5, **{name: given})):
        with pytest.raises(ValueError, match=f"^{name} is of LPIPS, which has no weight here: .*leave {name} out"):
            sampler.settle(prior, seen)
    # It is of both weights of VIPaint's.
    for weight in ("perceptual", "perceptual_refinement"):
        settled = VIPaintSampler(timesteps=(800, 400), perceptual_net="alex", **{weight: 1.0}).settle(prior, seen)
        assert settled.settle(prior, seen) == settled


def test_what_only_the_weights_can_tell(network_prior, tmp_path):
    prior, operator = network_prior.conditioned([0]), Inpainting(torch.ones(1, 1, 8, 8, dtype=torch.bool))
    seen = Measurement.of(operator, torch.zeros(1, 1, 8, 8))
    numbers = Measurement.of(Matrix(torch.ones(5, 64).double(), (1, 8, 8)), torch.zeros(1, 1, 1, 5))
    for weight in ("perceptual", "perceptual_refinement"):
        settings = {"timesteps": (800, 400), weight: 1.0}
        missing = VIPaintSampler(**settings, perceptual_weights=str(tmp_path / "none.safetensors"))
        with pytest.raises(FileNotFoundError, match="none.safetensors"):
            missing.settle(prior, seen)
        with pytest.raises(ValueError, match="one of pictures"):
            VIPaintSampler(**settings).settle(prior, numbers)
        VIPaintSampler(timesteps=(800, 400)).settle(prior, numbers)


