"""Energy distances whose values are known, and the posteriors that exact draws are of."""

import itertools
import math

import pytest
import torch
from diffusers import DDPMScheduler

from vipaint_pyro.datasets.cartoon_faces.faces import draw_attributes, render
from vipaint_pyro.datasets.cartoon_faces.posterior import face_posterior
from vipaint_pyro.evaluation.study.energy import energy_distance, energy_scores, exact_draws, posterior_draws
from vipaint_pyro.exact import DatasetPrior, GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement, make_operator
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.priors import NoiseSchedule

SCHEDULE = NoiseSchedule.from_scheduler(DDPMScheduler(beta_schedule="squaredcos_cap_v2"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def of_gaussians(mean, std, other):
    """Between N(mean, std^2) and N(0, other^2), as E|N(m, s^2)| = s sqrt(2/pi) exp(-m^2/2s^2) + m erf(m/(s sqrt 2))."""
    s = math.hypot(std, other)
    across = s * math.sqrt(2 / math.pi) * math.exp(-(mean**2) / (2 * s**2)) + mean * math.erf(mean / s / math.sqrt(2))
    return 2 * across - 2 * (std + other) / math.sqrt(math.pi)


def test_by_hand():
    # across: (0 + 2 + 1 + 1) / 4 = 1; within: 1 and 2
    assert energy_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])) == 2 * 1 - 1 - 2
    # in two dimensions: across 5 and 0, 5 and 0
    x, y = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    assert energy_distance(x, y) == 2 * 2.5 - 5 - 0


@pytest.mark.parametrize("mean, std, other", [(0, 1, 1), (0.7, 1, 1), (0, 2, 1), (-1.5, 0.5, 1)])
def test_of_gaussians_without_bias_for_few_draws(mean, std, other):
    x, y = mean + std * normal(3000, 3, 1), other * normal(3000, 5, 1, seed=1)
    values = torch.tensor([energy_distance(a, b) for a, b in zip(x, y)])
    assert abs(values.mean() - of_gaussians(mean, std, other)) < 3.5 * values.std() / math.sqrt(3000)


def test_of_gaussians_at_their_quantiles():
    """Draws at the middles of 2,000 equally likely parts: the integral itself, to three digits."""
    u = (torch.arange(2000).double() + 0.5) / 2000
    z = torch.special.ndtri(u)[:, None]
    for mean, std in ((0.7, 1.0), (0.0, 2.0)):
        assert energy_distance(mean + std * z, z) == pytest.approx(of_gaussians(mean, std, 1), abs=4e-3)


def half(channels=1, size=4):
    observed = torch.ones(1, 1, size, size, dtype=torch.bool)
    observed[..., size // 2 :] = False
    return Measurement.of(Inpainting(observed), torch.zeros(1, channels, size, size).double())


def test_scores_look_at_the_hole_alone_and_not_at_its_size():
    # In the hole all entries alike: distances are those of one number.
    levels = torch.tensor([0.0, 1.0, 0.0, 2.0, 0.5, 3.0, 0.0]).double()
    for size in (4, 8):
        x = levels.reshape(-1, 1, 1, 1, 1).expand(-1, 1, 1, size, size).clone()
        x[..., : size // 2] = torch.rand(7, 1, 1, size, size // 2, generator=generator()).double()
        scores = energy_scores(x[:2], x[2:], half(size=size))
        hand = [energy_distance(v[:, None], levels[4:, None]) for v in (levels[:2], levels[2:4])]
        assert [*scores.values()] == pytest.approx(hand, abs=1e-12)
    assert [*scores] == ["energy_distance", "energy_distance_of_exact"]


def test_a_restoration_is_compared_in_the_whole_image():
    operator = make_operator("super-resolution", (1, 8, 8), scale=4)
    measurement = Measurement(operator, Gaussian(0.1), operator(torch.zeros(1, 1, 8, 8)))
    x = normal(7, 1, 1, 8, 8)
    expected = energy_distance(x[:2].flatten(1), x[4:].flatten(1)) / 8
    assert energy_scores(x[:2], x[2:], measurement)["energy_distance"] == pytest.approx(expected, abs=1e-12)


def test_one_sample_has_none():
    x = normal(5, 1, 1, 4, 4)
    assert set(energy_scores(x[:1], x[1:], half()).values()) == {None}


@pytest.mark.parametrize(
    "samples, exact, message",
    [
        (2, 3, r"exact draws are \(2 \+ 2 or more, 1, 1, 4, 4\) for 2 samples, but came with \(3, 1, 1, 4, 4\)"),
        (0, 4, "images are samples"),
    ],
)
def test_too_few_draws_are_refused(samples, exact, message):
    with pytest.raises(ValueError, match=message):
        energy_scores(normal(samples, 1, 1, 4, 4), normal(exact, 1, 1, 4, 4), half())


def test_distances_of_what_is_no_two_sets_are_refused():
    with pytest.raises(ValueError, match="two draws of each or more, but there are 1 and 3"):
        energy_distance(torch.zeros(1, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="differ in D"):
        energy_distance(torch.zeros(2, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="y has to be finite"):
        energy_distance(torch.zeros(2, 2), torch.full((3, 2), math.nan))


def test_draws_of_a_gaussians_posterior():
    prior = GaussianPrior(torch.full((1, 1, 2), 0.5).double(), torch.ones(1, 1, 2).double(), SCHEDULE)
    observed = torch.tensor([[[[True, False]]]])
    measurement = Measurement(Inpainting(observed), Gaussian(1.0), torch.tensor([[[[1.5, 0.0]]]]).double())
    x = posterior_draws(prior, measurement, 4000, generator())
    assert x.shape == (4000, 1, 1, 1, 2)
    # seen: N(1, 1/2); hidden: the prior
    torch.testing.assert_close(x.mean(0).flatten(), torch.tensor([1.0, 0.5]).double(), rtol=0, atol=0.06)
    torch.testing.assert_close(x.var(0).flatten(), torch.tensor([0.5, 1.0]).double(), rtol=0.1, atol=0)
    scores = energy_scores(1.7 + x[:1000], x[1000:], measurement)
    assert scores["energy_distance"] == pytest.approx(of_gaussians(1.7, 1, 1), abs=0.15)
    assert abs(scores["energy_distance_of_exact"]) < 0.01


def test_draws_of_a_data_sets_posterior():
    images = torch.stack([torch.full((1, 4, 4), v) for v in (-0.5, 0.5, 0.5)]).double()
    images[2, :, :, 2:] = -0.5
    y = torch.full((1, 1, 4, 4), 0.5).double() * half().operator.observed
    measurement = Measurement(half().operator, Gaussian(0.1), y)
    x = posterior_draws(DatasetPrior(images, 0.01, SCHEDULE), measurement, 400, generator())
    hole = x[..., 2:].mean((-3, -2, -1)).flatten()
    assert (hole - 0.5).abs().minimum((hole + 0.5).abs()).max() < 0.05
    assert abs((hole > 0).double().mean() - 0.5) < 0.1  # two of the three agree with what is seen, each as likely


def test_posteriors_that_are_not_known():
    prior = GaussianPrior(torch.zeros(1, 4, 4).double(), torch.ones(1, 4, 4).double(), SCHEDULE)
    y = half().y
    assert posterior_draws(prior, Measurement(half().operator, Laplace(), y), 2) is None
    assert posterior_draws(prior, half(), 2) is None  # no noise
    assert exact_draws("fashion-mnist", 0, half(), 2) is None


def face(image, observed=None, split="test"):
    truth = render(draw_attributes(split, image))[None]
    if observed is None:
        observed = torch.ones(1, 1, 64, 64, dtype=torch.bool)
        observed[..., 40:, :] = False
    return truth, Measurement.of(Inpainting(observed), truth * observed)


@pytest.mark.slow
def test_draws_of_a_face_agree_with_what_is_seen_and_differ_as_often_as_they_should():
    truth, measurement = face(1)
    observed = measurement.operator.observed
    x = exact_draws("cartoon-faces", 1, measurement, 300, generator())
    assert x.shape == (300, 1, 3, 64, 64) and x.dtype == torch.float32
    assert (torch.where(observed, x - truth, 0) == 0).all()
    assert torch.equal(x, exact_draws("cartoon-faces", 1, measurement, 300, generator()))
    posterior = face_posterior(draw_attributes("test", 1), observed[0], 1e-3)
    chances: dict[bytes, float] = {}
    for parts in itertools.product(*(zip(choices, p.tolist()) for choices, p in posterior.parts)):
        attributes = {k: v for choice, _ in parts for k, v in choice.items()}
        chance = math.prod(p for _, p in parts)
        if chance > 0.01:
            key = render(attributes).numpy().tobytes()
            chances[key] = chances.get(key, 0) + chance
    for key, chance in chances.items():
        share = sum(v.numpy().tobytes() == key for v in x) / 300
        assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / 300) + 0.01


def test_faces_that_differ_faintly_where_it_is_seen_are_no_draws():
    observed = rotated_window((64, 64), generator(0))[None]  # under noise of 0.05 a sixth of the faces would be others
    truth, measurement = face(0, observed)
    x = exact_draws("cartoon-faces", 0, measurement, 60, generator())
    assert (torch.where(observed, x - truth, 0) == 0).all() and (x != truth).any()


def test_a_face_under_noise_is_known_only_where_none_was_drawn():
    truth, measurement = face(1)
    noisy = Measurement(measurement.operator, Gaussian(0.05), measurement.y)
    assert exact_draws("cartoon-faces", 1, noisy, 2, generator()).shape == (2, 1, 3, 64, 64)
    drawn = measurement.y + 0.05 * measurement.operator.observed
    assert exact_draws("cartoon-faces", 1, Measurement(measurement.operator, Gaussian(0.05), drawn), 2) is None
    assert exact_draws("cartoon-faces", 1, Measurement(measurement.operator, Laplace(), measurement.y), 2) is None
    operator = make_operator("deblur", (3, 64, 64))
    assert exact_draws("cartoon-faces", 1, Measurement.of(operator, operator(truth)), 2) is None


def test_another_face_is_refused():
    _, measurement = face(1)
    with pytest.raises(ValueError, match="not what the mask shows of face 2 of the test split"):
        exact_draws("cartoon-faces", 2, measurement, 2)
    with pytest.raises(ValueError, match="face 1 of the train split"):
        exact_draws("cartoon-faces", 1, measurement, 2, split="train")
    with pytest.raises(ValueError, match="num is a whole number"):
        exact_draws("cartoon-faces", 1, measurement, 0)
