"""The flow guide: a density that is one, a start that is known, a flow of its own for every image."""

import sys

import pytest
import torch

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.guides import FlowGuide, HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel

TIMES = (500, 100)


def bent(prior, n=2, **settings):
    """A guide whose flows are far from the identity, and differ."""
    observed, y = OBSERVED.expand(n, 1, 2, 3), Y.expand(n, 1, 2, 3)
    guide = FlowGuide(DiffusionModel(prior, Inpainting(observed), TIMES, form="marginal"), y, **settings)
    with torch.no_grad():
        for k, flow in enumerate(guide.flows):
            generator = torch.Generator().manual_seed(k)
            for p in flow.parameters():
                p.add_(0.15 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return guide


def test_the_density_is_that_of_the_draws(gaussian):
    # log q(z) = log N(eps) - log |det dz/deps|, the Jacobian by automatic differentiation.
    guide = bent(gaussian)
    q = guide.top()

    def push(eps):
        x = torch.stack([f.inv(e) for f, e in zip(q.transforms, eps.unbind(-2))], -2)
        return (q.loc + q.scale * x.reshape(2, 1, 2, 3)).flatten(-3)

    eps = torch.randn(2, 6).double()
    z = push(eps).reshape(2, 1, 2, 3)
    jacobian = torch.autograd.functional.jacobian(push, eps)
    for n in range(2):
        expected = (
            torch.distributions.Normal(0, 1).log_prob(eps[n]).sum() - torch.linalg.slogdet(jacobian[n, :, n]).logabsdet
        )
        torch.testing.assert_close(q.log_prob(z)[n], expected)
        assert (jacobian[n, :, 1 - n] == 0).all()
    torch.manual_seed(5)
    draw = q.rsample()
    torch.manual_seed(5)
    torch.testing.assert_close(draw, push(torch.randn(2, 1, 2, 3).double().flatten(-3)).reshape(2, 1, 2, 3))
    # It is bent, so the test says something.
    assert (push(2 * eps) - 2 * push(eps) + push(0 * eps)).abs().max() > 0.1
    many = q.expand((3, 1, 2))
    torch.testing.assert_close(many.log_prob(z.expand(many.shape())), q.log_prob(z).expand(3, 1, 2))


def test_it_starts_near_the_gaussian_of_the_hierarchical_guide(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, form="marginal")
    flow, plain = FlowGuide(model, Y).top(), HierarchicalGuide(model, Y).top()
    z = plain.sample((500,))
    assert (flow.log_prob(z) - plain.log_prob(z)).abs().max() < 0.1


def test_every_image_starts_alike_and_leaves_the_global_state(gaussian):
    state = torch.get_rng_state()
    observed, y = OBSERVED.expand(3, 1, 2, 3), Y.expand(3, 1, 2, 3)
    guides = [
        FlowGuide(DiffusionModel(gaussian, Inpainting(observed[:n]), TIMES, form="marginal"), y[:n]) for n in (1, 3)
    ]
    assert torch.equal(torch.get_rng_state(), state)
    flows = [flow.state_dict() for guide in guides for flow in guide.flows]
    assert len(flows) == 4
    for flow in flows[1:]:
        assert all(torch.equal(flow[k], v) for k, v in flows[0].items())


def test_its_networks_learn_slowly(gaussian):
    guide = bent(gaussian)
    rates = {name: guide.learning_rate(f"{guide._pyro_name}.{name}") for name, _ in guide.named_parameters()}
    assert {rate for name, rate in rates.items() if name.startswith("flows.")} == {2e-3}
    assert rates["mu_500_unconstrained"] == 0.1


def test_says_what_to_install(gaussian, monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, form="marginal")
    with pytest.raises(ImportError, match=r"pip install 'vipaint-pyro\[flow\]'"):
        FlowGuide(model, Y)


def test_refuses_what_it_cannot_bend(gaussian, schedule):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, form="marginal")
    with pytest.raises(ValueError, match="at least 2"):
        FlowGuide(model, Y, num_transforms=1)
    dot = GaussianPrior(torch.zeros(1, 1, 1).double(), torch.ones(1, 1, 1).double(), schedule)
    model = DiffusionModel(dot, Inpainting(OBSERVED[..., :1, :1]), TIMES, form="marginal")
    with pytest.raises(ValueError, match="two entries"):
        FlowGuide(model, Y[..., :1, :1])
    bridged = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES)
    with pytest.raises(ValueError, match="form='marginal'"):
        FlowGuide(bridged, Y)(Y)
