"""fit(): guards, seeds, independence of neighbours, and the record of the bound."""

from concurrent.futures import ThreadPoolExecutor

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO, TraceMeanField_ELBO

from vipaint_pyro.faults import OutOfMemory
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.fit import NonFiniteError, fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.randomness import NoiseStreams

TIMES = (700, 500, 300)


def setup(prior, n=1, likelihood=None, shape=(1, 2, 3), **options):
    generator = torch.Generator().manual_seed(5)
    observed = torch.rand(n, *shape, generator=generator) < 0.5
    y = torch.rand(n, *shape, generator=generator).double() * observed
    model = DiffusionModel(prior, Inpainting(observed), TIMES, likelihood, **options)
    return model, HierarchicalGuide(model, y), y


def params(guide):
    return {k: v.clone() for k, v in guide.state_dict().items()}


class _BadAfter:
    """A Gaussian likelihood that turns bad, in its value or in its gradient, at the n-th call."""

    def __init__(self, n, where):
        self.n, self.where, self.calls = n, where, 0

    def __call__(self, loc):
        self.calls += 1
        if self.calls > self.n and self.where == "value":
            loc = loc * float("nan")
        if self.calls > self.n and self.where == "gradient":
            # Its value is zero, its gradient 0 * inf.
            loc = loc + 0 * (loc - loc.detach()).abs().sqrt()
        return dist.Normal(loc, 0.1, validate_args=False)


@pytest.mark.parametrize("where, name", [("value", "y"), ("gradient", "mu_700")])
def test_what_is_not_finite_stops_with_the_last_good_parameters(gaussian, where, name):
    model, guide, y = setup(gaussian, likelihood=_BadAfter(3, where))
    model.likelihood.function.calls = -1  # the first call is the check's
    seen = []
    with pytest.raises(NonFiniteError) as caught:
        fit(model, guide, y, num_steps=10, callback=lambda *_: seen.append(params(guide)))
    assert caught.value.step == 3 and caught.value.name.endswith(name)
    assert "step 3" in str(caught.value) and name in str(caught.value)
    assert len(seen) == 3
    for k, v in guide.state_dict().items():
        assert torch.equal(v, seen[-1][k]) and torch.isfinite(v).all()


class _Breaking:
    """The network, whose calls from the n-th on give NaN or raise."""

    def __init__(self, prior, n, trouble):
        self.predict, self.n, self.trouble, self.calls = prior._denoised, n, trouble, 0
        prior._denoised = self

    def __call__(self, z, t):
        self.calls += 1
        if self.calls < self.n:
            return self.predict(z, t)
        if isinstance(self.trouble, BaseException):
            raise self.trouble
        return self.predict(z, t) * self.trouble


@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize(
    "trouble, kind, said",
    [
        (float("nan"), NonFiniteError, "the network's prediction is not finite at fit step 2 (time "),
        (float("-inf"), NonFiniteError, "the network's prediction is not finite at fit step 2 (time "),
        (torch.OutOfMemoryError("CUDA out of memory\nof GPU 0"), OutOfMemory, "out of memory at fit step 2; "),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "out of memory at fit step 2; "),
    ],
)
def test_what_breaks_on_the_way_is_one_line(gaussian, trouble, kind, said, validation):
    pyro.enable_validation(validation)
    model, guide, y = setup(gaussian)
    count, seen = _Breaking(gaussian, 10**6, None), []
    fit(model, guide, y, num_steps=1)
    per_step = count.calls
    gaussian._denoised = count.predict
    broken = _Breaking(gaussian, 2 * per_step + 1, trouble)
    optim = pyro.optim.Adam({"lr": 0.05})
    with pytest.raises(kind) as caught:
        fit(model, guide, y, num_steps=5, optim=optim, callback=lambda *_: seen.append(params(guide)))
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value) and caught.value.step == 2
    assert (kind is NonFiniteError) or caught.value.__cause__ is not None
    assert "the guide keeps the parameters of the step before" in str(caught.value) and len(seen) == 2
    for k, v in guide.state_dict().items():
        assert torch.equal(v, seen[-1][k])
    assert all(p.grad is None or not p.grad.any() for p in guide.parameters())
    gaussian._denoised = broken.predict
    fit(model, guide, y, num_steps=1)  # and the fit can go on


def test_an_error_that_is_no_fault_is_as_it_was_raised(gaussian):
    """Pyro adds the shapes of all sites at every frame; they say nothing of a mistake in an operator."""
    model, guide, y = setup(gaussian)
    mistake = ValueError("of my own")
    _Breaking(gaussian, 3, mistake)
    with pytest.raises(ValueError) as caught:
        fit(model, guide, y, num_steps=5)
    assert caught.value is mistake


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_one_entry_that_is_not_finite_is_enough(gaussian, bad):
    model, guide, y = setup(gaussian, 2)
    # Of a gradient: the third entry's alone, on its way back.
    hook = guide.mu_700_unconstrained.register_hook(lambda g: torch.where(torch.arange(6).reshape(2, 3) == 2, bad, g))
    with pytest.raises(NonFiniteError, match="the gradient of .*mu_700"):
        fit(model, guide, y, num_steps=1)
    assert all(p.grad is None or not p.grad.any() for p in guide.parameters())  # nothing bad is left behind
    hook.remove()
    fit(model, guide, y, num_steps=1)

    # Of the bound: one image's likelihood alone.
    def likelihood(loc):
        second = torch.arange(2).reshape(2, 1, 1, 1) == 1
        return dist.Normal(torch.where(second, loc + bad, loc), 0.1, validate_args=False)

    model, guide, y = setup(gaussian, 2, likelihood)
    with pytest.raises(NonFiniteError, match="the bound's term of y"):
        fit(model, guide, y, num_steps=1)


def test_the_loss_is_left_as_it_was(gaussian):
    model, guide, y = setup(gaussian)
    elbo = Trace_ELBO(2, vectorize_particles=True, max_plate_nesting=3)
    before = dict(vars(elbo))
    fit(model, guide, y, num_steps=1, loss=elbo)
    assert vars(elbo).keys() - before.keys() <= {"_guess_max_plate_nesting"} and "_get_trace" not in vars(elbo)


def test_same_generator_same_bits_and_the_global_state_is_left(network_prior):
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        model, guide, y = setup(network_prior.conditioned([0, 1]), 2, shape=(1, 8, 8))
        before = torch.get_rng_state()
        fit(model, guide, y, num_steps=3, generator=torch.Generator().manual_seed(0))
        assert torch.equal(torch.get_rng_state(), before)
        results.append(params(guide))
    for k, v in results[0].items():
        assert torch.equal(v, results[1][k])


def test_the_default_is_svi_in_a_loop_with_adam_and_four_chains(gaussian):
    model, guide, y = setup(gaussian, 2)
    result = fit(model, guide, y, num_steps=5, generator=torch.Generator().manual_seed(0))
    _, own, _ = setup(gaussian, 2)
    rates = {"mu": 0.1, "tau": 0.02, "gamma": 0.05}
    adam = pyro.optim.Adam(lambda name: {"lr": rates[name.split(".")[-1].split("_")[0]], "betas": (0.9, 0.99)})
    svi = SVI(model, own, adam, Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=3))
    noise = PerImageNoise(NoiseStreams(torch.Generator().manual_seed(0), 2))
    losses = []
    for _ in range(5):
        with noise:
            losses.append(svi.step(y))
    assert result.losses == losses
    for k, v in own.state_dict().items():
        assert torch.equal(v, guide.state_dict()[k])
    assert all(p.grad is None or not p.grad.any() for p in guide.parameters())


def test_a_function_is_a_guide_too_with_a_rate_of_its_own(gaussian):
    def model(y):
        x = pyro.sample("x", dist.Normal(torch.zeros(()).double(), 1.0))
        with pyro.plate("images", 2, dim=-1):
            pyro.sample("y", dist.Normal(x, 1.0), obs=y)

    def guide(y):
        pyro.sample("x", dist.Normal(pyro.param("loc", torch.zeros(()).double()), 0.1))

    record = fit(model, guide, torch.full((2,), 9.0).double(), num_steps=1)
    assert pyro.param("loc").item() == pytest.approx(0.05, rel=1e-6)  # Adam's first step is its rate
    assert len(record.losses) == 1 and record.terms["y"].shape == (1, 2)


def test_another_seed_is_another_fit(gaussian):
    results = []
    for seed in (0, 1):
        model, guide, y = setup(gaussian)
        fit(model, guide, y, num_steps=3, generator=torch.Generator().manual_seed(seed))
        results.append(guide.mu_700.detach())
    assert not torch.equal(*results)


@pytest.mark.parametrize("loss", [Trace_ELBO, TraceMeanField_ELBO])
def test_images_of_a_batch_are_fitted_each_for_itself(network_prior, loss):
    generators = [torch.Generator().manual_seed(k) for k in range(3)]
    elbo = loss(2, vectorize_particles=True, max_plate_nesting=3)
    model, guide, y = setup(network_prior.conditioned([0, 1, 2]), 3, shape=(1, 8, 8))
    fit(model, guide, y, num_steps=6, generator=generators, loss=elbo)
    for i in range(3):
        single = DiffusionModel(
            network_prior.conditioned([i]), Inpainting(model.operator.observed[i : i + 1]), TIMES
        )
        alone = HierarchicalGuide(single, y[i : i + 1])
        fit(single, alone, y[i : i + 1], num_steps=6, generator=[torch.Generator().manual_seed(i)], loss=elbo)
        for k, v in alone.state_dict().items():
            torch.testing.assert_close(v[0], guide.state_dict()[k][i], rtol=1e-6, atol=1e-8)


def test_terms_add_up_to_the_loss(gaussian):
    model, guide, y = setup(gaussian, 2, Gaussian(0.2), beta=2.0)
    result = fit(model, guide, y, num_steps=4)
    total = sum(term.sum(1) for term in result.terms.values()) * 6
    torch.testing.assert_close(total, torch.tensor(result.losses, dtype=torch.float64), rtol=1e-9, atol=1e-9)
    assert set(result.terms) == {"z_999", "z_700", "z_t", "z_s", "z_500", "z_300", "y"}
    assert result.terms["y"].shape == (4, 2) and not result.terms["z_700"].any()


@pytest.mark.slow
def test_stratified_antithetic_draws_leave_the_bound_unbiased(gaussian):
    # The loss fit() records at rate 0 has the mean of plain Trace_ELBO, with a smaller spread.
    model, guide, y = setup(gaussian, likelihood=Gaussian(0.3))
    rate0 = pyro.optim.Adam({"lr": 0.0})
    elbo = Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=3)
    ours = torch.tensor(fit(model, guide, y, num_steps=400, optim=rate0, loss=elbo).losses)
    plain = torch.tensor([elbo.loss(model, guide, y) for _ in range(400)])
    gap = ours.mean() - plain.mean()
    assert gap.abs() < 4 * ((ours.var() + plain.var()) / 400).sqrt()
    assert ours.std() < 0.7 * plain.std()


def test_steps_must_be_positive(gaussian):
    model, guide, y = setup(gaussian)
    with pytest.raises(ValueError, match="at least 1"):
        fit(model, guide, y, num_steps=0)


class _Tied(HierarchicalGuide):
    """One parameter under two names, both of which are met in a step."""

    def __init__(self, model, y):
        super().__init__(model, y)
        self.one = torch.nn.Parameter(torch.zeros(1, 1, 2, 3, dtype=torch.float64))
        self.two = self.one

    def top(self):
        q = super().top().base_dist
        return dist.Normal(q.loc + self.one + self.two, q.scale).to_event(3)


@pytest.mark.parametrize("local", [False, True])
def test_a_parameter_of_two_names_moves_once_a_step(gaussian, local):
    pyro.clear_param_store()
    model, _, y = setup(gaussian)
    guide = _Tied(model, y)
    gradients = []
    with pyro.settings.context(module_local_params=local):
        guide.one.register_post_accumulate_grad_hook(lambda p: gradients.append(p.grad.clone()))
        fit(model, guide, y, num_steps=1, optim=pyro.optim.SGD({"lr": 1e-3}))
        assert not local or not list(pyro.get_param_store().keys())
    assert guide.one is guide.two and gradients[-1].abs().min() > 0
    torch.testing.assert_close(guide.one.detach(), -1e-3 * gradients[-1], rtol=1e-12, atol=0)
    assert not local or not pyro.get_param_store()._param_to_name


def test_fits_of_several_threads_are_as_if_alone(gaussian):
    def fitted(seed):
        model, guide, y = setup(gaussian)
        fit(model, guide, y, num_steps=6, generator=torch.Generator().manual_seed(seed))
        return params(guide)

    alone = [fitted(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(fitted, range(3)))
    for one, other in zip(alone, found):
        assert one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())
