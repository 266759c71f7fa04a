"""DPS refinement: against diffusers' samplers, and its pull against the analytic gradient."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from tests.conftest import float64_tables, tiny_unet
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.reverse import DPS, refine


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_no_pull_is_the_schedulers_ancestral_sampling(prediction):
    scheduler = float64_tables(
        DDPMScheduler(prediction_type=prediction, clip_sample=False, beta_schedule="scaled_linear")
    )
    unet = tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    z = torch.randn(3, 1, 8, 8, generator=seeded(1), dtype=torch.float64)
    times = prior.times(600, -1, 6)[:-1]
    scheduler.set_timesteps(timesteps=times)
    own, generator = z, seeded(2)
    with torch.no_grad():
        for t in times:
            own = scheduler.step(unet(own, t).sample, t, own, generator=generator).prev_sample

    operator = Inpainting(torch.ones(3, 1, 8, 8, dtype=torch.bool))
    y = torch.zeros(3, 1, 8, 8).double()
    ours = refine(prior, operator, y, z[None], 600, num_steps=6, step=DPS(0.0), generator=seeded(2))[0]
    torch.testing.assert_close(ours, own, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_no_pull_is_the_schedulers_ddim(eta):
    scheduler = float64_tables(DDIMScheduler(clip_sample=False))
    unet = tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    z = torch.randn(2, 1, 8, 8, generator=seeded(1), dtype=torch.float64)
    scheduler.set_timesteps(10)  # 900, 800 ... 0
    own, generator = z, seeded(2)
    with torch.no_grad():
        for t in scheduler.timesteps[3:].tolist():
            own = scheduler.step(unet(own, t).sample, t, own, eta=eta, generator=generator).prev_sample
    prior.times = lambda start, stop, steps: [600, 500, 400, 300, 200, 100, 0, -1]
    operator = Inpainting(torch.ones(2, 1, 8, 8, dtype=torch.bool))
    y = torch.zeros(2, 1, 8, 8).double()
    ours = refine(
        prior, operator, y, z[None], 600, num_steps=7, eta=eta, step=DPS(0.0), generator=seeded(2)
    )[0]
    torch.testing.assert_close(ours, own, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("limit", [False, True])
def test_the_pull_is_the_gradient_of_each_samples_own_norm(gaussian, limit):
    # For a Gaussian prior the Jacobian of E[x | z_t] is diagonal and known.
    t, zeta = 400, 0.7
    observed = torch.tensor([[True, False, True], [True, True, False]]).reshape(1, 1, 2, 3)
    z = torch.randn(4, 1, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    y = torch.rand(1, 1, 2, 3).double()
    residual = torch.where(observed, y - gaussian.denoise(z, t), 0)
    shift = DPS(zeta, limit)(z, residual)
    alpha, sigma = float(gaussian.schedule.alpha(t)), float(gaussian.schedule.sigma(t))
    jacobian = alpha * gaussian.std**2 / (alpha**2 * gaussian.std**2 + sigma**2)
    for i in range(4):
        r = residual[i].detach()
        size = min(zeta, r.norm().item()) if limit else zeta
        torch.testing.assert_close(shift[i], size * jacobian * r / r.norm())


def test_a_limited_step_lands_on_the_measurement():
    z = torch.tensor([0.3, -0.2]).double().reshape(1, 1, 1, 1, 2).requires_grad_()
    y = torch.tensor([0.5, 0.1]).double().reshape(1, 1, 1, 2)
    torch.testing.assert_close(z + DPS(10.0, limit=True)(z, y - z), y[None])


def test_samples_and_images_do_not_see_each_other(network_prior):
    prior = network_prior.conditioned([0, 3])
    observed = torch.rand(2, 1, 8, 8) < 0.5
    y = torch.rand(2, 1, 8, 8).double() * observed
    z = torch.randn(3, 2, 1, 8, 8).double()

    def run(images, samples):
        p = network_prior.conditioned([[0, 3][i] for i in images])
        return refine(
            p, Inpainting(observed[images]), y[images], z[samples][:, images], 500,
            num_steps=5, eta=0.0, step=DPS(2.0, limit=True),
        )  # fmt: skip

    together = run([0, 1], [0, 1, 2])
    for i in (0, 1):
        for s in (0, 1, 2):
            torch.testing.assert_close(run([i], [s])[0, 0], together[s, i], rtol=1e-9, atol=1e-11)
    assert prior.class_labels.tolist() == [0, 3]


def test_the_measurement_is_met(gaussian):
    # With a strong pull the observed pixels of a Gaussian prior end at y.
    observed = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
    y = torch.where(observed, 0.8, 0.0).double()
    z = torch.randn(50, 1, 1, 2, 3).double()
    x = refine(gaussian, Inpainting(observed), y, z, 999, num_steps=100, step=DPS(1.0, limit=True))
    error = (x - y)[observed.expand_as(x)].abs().mean()
    far = refine(gaussian, Inpainting(observed), y, z, 999, num_steps=100, step=DPS(0.0))
    assert error < 0.05 < 0.4 < (far - y)[observed.expand_as(x)].abs().mean()


def test_the_last_step_is_the_prediction_itself(gaussian):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    z = torch.randn(1, 1, 1, 2, 3).double()
    x = refine(gaussian, operator, torch.ones(1, 1, 2, 3).double(), z, 5, num_steps=1, step=DPS(9.0))
    torch.testing.assert_close(x, gaussian.denoise(z, 5))


def test_a_callback_may_replace_z(gaussian):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    y = torch.zeros(1, 1, 2, 3).double()
    seen = []

    def last_to_zero(i, t, z, z0):
        seen.append(t)
        return torch.zeros_like(z) if i == 4 else None

    z = torch.randn(1, 1, 1, 2, 3).double()
    x = refine(gaussian, operator, y, z, 499, num_steps=5, callback=last_to_zero)
    assert seen == [499, 399, 299, 199, 99] and not x.any()


def test_not_finite_names_step_and_time(gaussian):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    y = torch.zeros(1, 1, 2, 3).double()
    z = torch.randn(1, 1, 1, 2, 3).double()
    with pytest.raises(FloatingPointError, match=r"refinement step 0 \(time 300\)"):
        refine(gaussian, operator, y, z, 300, num_steps=5, step=DPS(float("inf"), limit=False))


@pytest.mark.parametrize(
    "y, words",
    [
        (torch.zeros(1, 1, 4, 6), "shape of what is observed"),
        (torch.zeros(2, 1, 2, 3), "2 images, but 1"),
        (torch.full((1, 1, 2, 3), float("nan")), "not finite"),
    ],
)
def test_y_that_was_not_measured(gaussian, y, words):
    operator, z = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool)), torch.zeros(1, 1, 1, 2, 3).double()
    with pytest.raises(ValueError, match=words):
        refine(gaussian, operator, y.double(), z, 300, num_steps=5)


@pytest.mark.parametrize("options, words", [({"num_steps": 0}, "at least 1"), ({"start": 1000}, "must lie in")])
def test_options_that_cannot_be(gaussian, options, words):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    y = torch.zeros(1, 1, 2, 3).double()
    with pytest.raises(ValueError, match=words):
        refine(gaussian, operator, y, y[None], **{"start": 300, **options})




def test_a_limited_step_leaves_what_noise_explains():
    from vipaint_pyro.measurements.inpainting import Inpainting
    from vipaint_pyro.samplers.reverse import DPS, noise_floor

    z = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    observed = torch.ones(2, 1, 3, 3, dtype=torch.bool)
    observed[1, :, 0] = False
    target = torch.zeros_like(z)
    norm = torch.where(observed, z, target).detach().pow(2).sum((1, 2, 3)).sqrt()
    # sqrt(9) and sqrt(6) observed entries: a noise of .1 leaves .3 and .245 of the norm.
    floor = noise_floor(Inpainting(observed), target, 0.1)
    torch.testing.assert_close(floor, torch.tensor([0.3, 0.1 * 6**0.5], dtype=torch.float64))
    shift = DPS(zeta=1e6, limit=True, floor=floor)(z, torch.where(observed, z, target))
    left = torch.where(observed, z + shift, target).detach().pow(2).sum((1, 2, 3)).sqrt()
    torch.testing.assert_close(left, torch.minimum(norm, floor))
    # A residual that noise explains is left alone, and no noise is no floor.
    small = (0.01 * z.detach()).requires_grad_()
    assert not DPS(zeta=2.0, limit=True, floor=floor)(small, torch.where(observed, small, target)).any()
    assert noise_floor(Inpainting(observed), target, None) == 0


def test_a_mask_of_one_channel_counts_for_every_channel():
    from vipaint_pyro.measurements.inpainting import Inpainting
    from vipaint_pyro.samplers.reverse import noise_floor

    observed = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    assert noise_floor(Inpainting(observed), torch.zeros(1, 3, 2, 2), 0.5) == 0.5 * 12**0.5


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_a_step_takes_away_no_more_than_its_fraction_of_the_residual(fraction):
    # Behind a linear map by 10 a step of the residual's own length would overshoot a hundredfold.
    z = torch.randn(3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    norm = 10 * z.detach().pow(2).sum((1, 2, 3)).sqrt()
    shift = DPS(zeta=1e6, limit=True, fraction=fraction)(z, 10 * z)
    left = 10 * (z + shift).detach().pow(2).sum((1, 2, 3)).sqrt()
    torch.testing.assert_close(left, (1 - fraction) * norm)
    # Where the bound does not bind, the step is the one without it; a penalty adds its own gradient.
    free = DPS(zeta=0.01, limit=True)(z, 10 * z)
    bound = DPS(zeta=0.01, limit=True, fraction=fraction)
    torch.testing.assert_close(bound(z, 10 * z), free)
    torch.testing.assert_close(bound(z, 10 * z, z.pow(2).sum((1, 2, 3))), free - 2 * z.detach())


def test_the_defaults_of_a_sampler_follow_the_prior():
    from tests.priors.pretrained.tiny import latent_kl, pixel
    from vipaint_pyro.measurements.tasks import make_operator
    from vipaint_pyro.samplers import VIPaintSampler

    sampler = VIPaintSampler(timesteps=(600, 300))
    for pipe, fraction in ((latent_kl(), 0.3), (pixel(), None)):
        prior = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=getattr(pipe, "vqvae", None))
        operator = Inpainting(torch.ones(1, 1, *prior.image_shape[1:], dtype=torch.bool))
        model = sampler.model(prior, operator)
        assert model.likelihood.scale == 1
        halved = make_operator("super-resolution", prior.image_shape, scale=2)
        assert sampler.model(prior, halved).likelihood.scale == 1 / 4
        assert model.prior.checkpointing == (fraction is not None)
        step = sampler._step(prior, operator, torch.zeros(1, *prior.image_shape))
        assert step == DPS(2.0, True, 0.0, fraction)


def test_no_pull_decodes_once_and_takes_no_gradient(network_prior):
    asked = []

    class Counting(type(network_prior.codec)):
        def decode(self, z):
            asked.append(z.requires_grad)
            return super().decode(z)

    network_prior.codec = Counting()
    operator = Inpainting(torch.ones(2, 1, 8, 8, dtype=torch.bool))
    y, z = torch.zeros(2, 1, 8, 8).double(), torch.randn(1, 2, 1, 8, 8, generator=seeded(0)).double()

    def go(step):
        asked.clear()
        return refine(network_prior, operator, y, z, 300, num_steps=5, step=step, generator=seeded(1))

    x = go(DPS(0.0))
    assert asked == [False]
    still = go(lambda z, residual: torch.zeros_like(z))  # the same by way of the decoder
    assert asked == [True] * 4 + [False] and torch.equal(x, still)
