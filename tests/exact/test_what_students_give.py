"""The laboratory says in one line what is wrong with what it is given, or takes it without loss."""

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO

from vipaint_pyro import NoiseSchedule, fit
from vipaint_pyro.exact import DatasetPrior, GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import draw, draw_path
from vipaint_pyro.measurements import Gaussian, Measurement, Noiseless
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel

SCHEDULE = NoiseSchedule.variance_preserving()
MEANS = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.0]], dtype=torch.float64)
PRIOR = GaussianMixturePrior([1, 1, 1], MEANS, SCHEDULE, variances=0.1)
FIRST = Matrix(torch.tensor([[1.0, 0.0]]).double())
Y = torch.full((1, 1, 1, 1), 0.3).double()


def model_of(operator=FIRST, times=(400, 100), prior=PRIOR):
    return DiffusionModel(prior, operator, times, ExactGaussian(0.2), form="marginal")


def taken_by(y):
    """Everything that takes a y, asked with this one."""
    model = model_of()
    guide = make_guide("hierarchical", model, Y)
    return {
        "exact_posterior": lambda: exact_posterior(PRIOR, FIRST, y, 0.2),
        "Measurement": lambda: Measurement(FIRST, Gaussian(0.2), y),
        "make_guide": lambda: make_guide("hierarchical", model, y),
        "fit": lambda: fit(model, guide, y, num_steps=1),
        "model": lambda: model(y),
        "svi": lambda: SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO()).step(y),
    }


TAKERS = list(taken_by(Y))


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("given", [Y.numpy(), [0.3], 0.3, Y > 0], ids=["numpy", "list", "float", "bool"])
def test_a_y_that_is_no_tensor_of_numbers(taker, given):
    with pytest.raises(TypeError, match=r"^y is a (dense )?tensor of .*N, C', H', W'") as caught:
        taken_by(given)[taker]()
    assert ("torch.as_tensor makes one of it" in str(caught.value)) == isinstance(given, (np.ndarray, list))


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 1)])
def test_a_y_without_its_axes_is_told_which(taker, shape):
    with pytest.raises(ValueError, match=r"y has .*\(1, 1, 1, 1\)") as caught:
        taken_by(Y.reshape(shape))[taker]()
    if taker not in ("model", "svi"):
        assert str(caught.value).endswith("y.reshape(1, 1, 1, 1) has it")


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (1, 1, 2, 1)])
def test_a_y_of_more_entries_than_are_measured(taker, shape):
    with pytest.raises(ValueError, match=r"y has .*\(1, 1, 1, 1\)"):
        taken_by(Y.expand(shape))[taker]()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.int64])
def test_a_y_of_another_precision_is_brought_to_the_priors(dtype):
    y = torch.ones(1, 1, 1, 1)
    same = exact_posterior(PRIOR, FIRST, y.double(), 0.2)
    other = exact_posterior(PRIOR, FIRST, y.to(dtype), 0.2)
    assert other.mean.dtype == torch.float64 and torch.equal(other.mean, same.mean)
    losses = []
    for given in (y.double(), y.to(dtype)):
        model = model_of()
        guide = make_guide("hierarchical", model, given)
        assert guide.mu_400.dtype == torch.float64
        losses += fit(model, guide, given, num_steps=2, generator=torch.Generator().manual_seed(0)).losses
        assert guide.mu_400.dtype == torch.float64 and model(given).dtype == torch.float64
    assert losses[:2] == losses[2:]


@pytest.mark.parametrize("ask", ["log_prob", "log_responsibilities", "marginal", "denoise", "operator"])
def test_points_have_the_shape_of_images(ask):
    posterior = exact_posterior(PRIOR, FIRST, Y, 0.2)
    answer = {
        "log_prob": posterior.log_prob,
        "log_responsibilities": posterior.log_responsibilities,
        "marginal": PRIOR.marginal(100).log_prob,
        "denoise": lambda x: PRIOR.denoise(x, 100),
        "operator": FIRST,
    }[ask]
    x = torch.randn(5, 1, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(answer(x), answer(x.double()), check_dtype=False, rtol=1e-6, atol=1e-6)
    for wrong in (x.flatten(1), x[0, 0, 0, 0], x[..., :1], x.mT):
        with pytest.raises(ValueError, match=r"[xz] has shape \(\*, N, 1, 1, 2\), but came with"):
            answer(wrong)
    if ask != "denoise":
        with pytest.raises(TypeError, match=r"[xz] is a tensor of shape .*, not ndarray; torch.as_tensor makes one"):
            answer(x.numpy())


def test_priors_and_matrices_say_what_they_take():
    with pytest.raises(TypeError, match=r"means is a tensor of shape .*, not ndarray; torch.as_tensor makes one of it"):
        GaussianMixturePrior([1, 1, 1], MEANS.numpy(), SCHEDULE, variances=0.1)
    with pytest.raises(ValueError, match=r"means are floating-point numbers, not \(3, 2\) of torch.int64"):
        GaussianMixturePrior([1, 1, 1], MEANS.long(), SCHEDULE, variances=0.1)
    with pytest.raises(TypeError, match=r"matrix is a tensor of shape .*, not list; torch.as_tensor makes one of it"):
        Matrix([[1.0, 0.0]])
    with pytest.raises(ValueError, match=r"matrix has .* of floating-point numbers, but is \(1, 2\) of torch.int64"):
        Matrix(torch.tensor([[1, 0]]))
    with pytest.raises(ValueError, match=r"mean has shape \(C, H, W\), but came with \(1, 1, 2\) of torch.int64"):
        GaussianPrior(torch.zeros(1, 1, 2).long(), torch.ones(1, 1, 2), SCHEDULE)
    with pytest.raises(ValueError, match=r"not torch.uint8: vipaint_pyro.images.from_bytes brings 0 ... 255 there"):
        DatasetPrior(torch.zeros(4, 1, 2, 2).byte(), 0.1, SCHEDULE)
    # Everything beside the means may be of any precision, or a list, or an array: it becomes theirs.
    prior = GaussianMixturePrior(np.ones(3, "f4"), MEANS, SCHEDULE, covariances=np.eye(2, dtype="f4"))
    assert prior.weights.dtype == prior.components.eigenvalues.dtype == torch.float64
    single, double = (exact_posterior(prior, Matrix(m), Y, 0.2).mean for m in (FIRST.matrix.float(), FIRST.matrix))
    assert torch.equal(single, double)


def test_a_guide_of_another_model():
    guide = make_guide("hierarchical", model_of(), Y)
    wider = GaussianMixturePrior([1], torch.zeros(1, 3).double(), SCHEDULE, variances=0.1)
    three = Matrix(torch.ones(1, 3).double())
    others = {"timesteps": model_of(times=(300, 100)), "latents": model_of(three, prior=wider)}
    asks = (lambda m: fit(m, guide, Y, num_steps=1), lambda m: draw(m, guide, 2), lambda m: draw_path(m, guide, 2))
    for what, other in others.items():
        said = rf"the guide was made for a model of .*'{what}'.*, but this model has .*: make it anew"
        for ask in asks:
            with pytest.raises(ValueError, match=said):
                ask(other)
    with pytest.raises(TypeError, match="the model comes first and then the guide"):
        fit(guide, model_of(), Y)
    # An equal model is as good as its own.
    assert len(fit(model_of(), guide, Y, num_steps=1).losses) == 1


@pytest.mark.parametrize("name", ["hierarchical-guided", "AutoRegressiveMessenger"])
def test_a_guide_that_looks_at_y_is_fitted_to_that_y(name):
    model = model_of()
    guide = make_guide(name, model, Y)
    with pytest.raises(ValueError, match="looks at the y it was made for, which is another: make it anew"):
        fit(model, guide, Y + 1, num_steps=1)
    assert len(fit(model, guide, Y, num_steps=1).losses) == 1


def test_a_guide_that_starts_at_y_may_go_on_with_another():
    model = model_of()
    for name in ("hierarchical", "AutoNormal"):
        assert len(fit(model, make_guide(name, model, Y), Y + 1, num_steps=1).losses) == 1


def test_the_noise_may_be_given_as_its_likelihood():
    by_number, by_likelihood = (exact_posterior(PRIOR, FIRST, Y, noise) for noise in (0.2, Gaussian(0.2)))
    torch.testing.assert_close(by_likelihood.mean, by_number.mean, rtol=0, atol=0)
    for wrong in (Noiseless(), "0.2", 0.0):
        with pytest.raises(ValueError, match="^scale is sigma of the Gaussian noise, positive and finite, but is "):
            exact_posterior(PRIOR, FIRST, Y, wrong)
