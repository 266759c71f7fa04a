"""VIPaint refined by TDS: what is drawn, and what is refused."""

import pytest
import torch

from tests.samplers.half_seen import seeded
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.samplers import VIPaintSampler


def of(prior, n=1):
    observed = torch.ones(n, 1, *prior.image_shape[1:], dtype=torch.bool)
    y = torch.full((n, *prior.image_shape), 0.2).double()
    return Measurement(Inpainting(observed), Gaussian(0.3), y)


@pytest.mark.parametrize("kind", ["gaussian", "latent"])
def test_three_images_are_the_three_alone(request, kind):
    prior = request.getfixturevalue(kind)
    s, seen = VIPaintSampler((500, 100), fit_steps=2, refinement_steps=3, refine="tds"), of(prior, 3)
    samples = s(prior, seen, 2, [seeded(i) for i in range(3)])
    assert set(samples.diagnostics) == {"log_evidence", "smallest_ess", "ancestors"}
    for i in range(3):
        alone = s(prior, seen.part(i, i + 1), 2, [seeded(i)]).images
        torch.testing.assert_close(samples.images[:, i : i + 1], alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"correct": "smc"}, "refine='tds' has weights of its own"),
        ({"correct": "psis"}, "refine='tds' has weights of its own"),
        ({"zeta": 1.0}, "zeta is of a DPS step"),
    ],
)
def test_what_excludes_it(gaussian, settings, message):
    with pytest.raises(ValueError, match=message):
        VIPaintSampler(refine="tds", **settings).settle(gaussian, of(gaussian))


def test_too_few_particles(gaussian):
    with pytest.raises(ValueError, match="raise num_particles"):
        VIPaintSampler(refine="tds", num_particles=3)(gaussian, of(gaussian), 2)
