"""Where the widths of guides start: at the model's own step, whatever its eta."""

import pytest
import torch

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.guides import HierarchicalGuide, HierarchicalGuidedGuide, MeanFieldGuide, MixtureGuide, make_guide
from vipaint_pyro.measurements import Inpainting
from vipaint_pyro.models import DiffusionModel


@pytest.fixture
def prior(schedule):
    """Of independent pixels, with a network's kernel, whose width eta decides."""
    std = torch.linspace(0.3, 0.9, 6, dtype=torch.float64).reshape(1, 2, 3)
    return GaussianPrior(0 * std, std, schedule, kernel="gaussian")


@pytest.mark.parametrize("guide", [HierarchicalGuide, HierarchicalGuidedGuide, MeanFieldGuide, MixtureGuide])
@pytest.mark.parametrize("eta", [0.2, 0.7])
def test_tau_starts_at_its_share_of_the_models_step(prior, guide, eta):
    # posterior_std is the step of eta = 1; a guide as wide as that of a model of eta = .2 is 10 nats an entry away.
    form = "marginal" if guide is MixtureGuide else "bridge"
    model = DiffusionModel(prior, Inpainting(OBSERVED), (500, 300, 100), eta=eta, form=form)
    made, z = guide(model, Y, std_scale=0.4), torch.zeros(1, 1, 2, 3, dtype=torch.float64)
    for t, s in ((500, 300), (300, 100)):
        _, std = model.reverse(z, t, s)
        torch.testing.assert_close(getattr(made, f"tau_{s}").detach(), 0.4 * torch.as_tensor(std).expand(1, 1, 2, 3))


def test_so_does_pyros_own(prior):
    model = DiffusionModel(prior, Inpainting(OBSERVED), (500, 100), eta=0.3, form="marginal")
    made = make_guide("AutoNormal", model, Y, std_scale=0.4)
    _, std = model.reverse(torch.zeros(1, 1, 2, 3, dtype=torch.float64), 500, 100)
    scale = made.auto.scales.z_100.detach()
    torch.testing.assert_close(scale, 0.4 * torch.as_tensor(std, dtype=scale.dtype).expand(scale.shape))
