"""The estimate that methods start from, as a row for scale."""

import pytest
import torch
from click.testing import CliRunner

from vipaint_pyro.cli.main import main
from vipaint_pyro.measurements import Measurement, make_operator, measure
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.tasks import TASKS
from vipaint_pyro.samplers import METHODS, make_sampler
from vipaint_pyro.samplers.registry import FOR_SCALE


@pytest.mark.parametrize("task", sorted(TASKS))
def test_all_samples_are_the_operators_own_estimate(network_prior, task):
    network_prior.latent_shape = (3, 8, 8)
    truth = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    operator = make_operator(task, (3, 8, 8), 2)
    y = measure(operator, truth, 0.05, torch.Generator().manual_seed(2))
    samples = make_sampler("estimate")(network_prior, Measurement.of(operator, y), 2)
    assert torch.equal(samples.images, operator.estimate(y).expand(2, -1, -1, -1, -1)) and samples.calls == {}


def test_what_is_seen_goes_on_in_holes(gaussian):
    observed = torch.tensor([True, False, True]).expand(1, 1, 2, 3)
    y = torch.tensor([0.5, 0.0, -0.25]).double().expand(1, 1, 2, 3)
    x = make_sampler("estimate")(gaussian, Measurement.of(Inpainting(observed), y), 1).images[0]
    torch.testing.assert_close(x, torch.tensor([0.5, 0.125, -0.25]).double().expand(1, 1, 2, 3), rtol=0, atol=1e-14)


def test_it_is_known_by_its_name_and_no_method():
    assert not FOR_SCALE.keys() & METHODS.keys()
    with pytest.raises(ValueError, match="Did you mean 'estimate'"):
        make_sampler("estimates")
    with pytest.raises(TypeError, match="unknown setting 'zeta' of estimate"):
        make_sampler("estimate", zeta=1.0)
    listed = CliRunner().invoke(main, ["methods"]).output
    told = CliRunner().invoke(main, ["methods", "estimate"]).output
    assert FOR_SCALE["estimate"].summary in listed and told.startswith(f"estimate: {FOR_SCALE['estimate'].summary}")
