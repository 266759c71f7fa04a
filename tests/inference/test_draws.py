"""Draws of a guide resampled by their importance weights."""

import threading
import warnings

import pytest
import torch

from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference import draws
from vipaint_pyro.inference.weights import draw_path
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).expand(2, 1, 2, 3)
Y = torch.linspace(-0.4, 0.5, 12).double().reshape(2, 1, 2, 3) * OBSERVED


@pytest.fixture
def pair(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 300, 100))
    return model, HierarchicalGuide(model, Y)


def seeded():
    return torch.Generator().manual_seed(0)


def weighed(monkeypatch, log_weights):
    monkeypatch.setattr(draws, "log_importance_weights", lambda *_, **__: log_weights)


def test_all_levels_of_a_draw_are_one_particle_of_its_image(pair, monkeypatch):
    # All of the weight lies on particle 3 of the first image, and on particle 5 of the second.
    model, guide = pair
    log_weights = torch.full((8, 2), -1e6).double()
    log_weights[3, 0] = log_weights[5, 1] = 0.0
    weighed(monkeypatch, log_weights)
    with pytest.warns(RuntimeWarning, match="1.0 of 8 particles count"):
        z, predictions, diagnostics = draws.resampled(model, guide, Y, 8, 3, seeded())
    path = draw_path(model, guide, 8, seeded())
    assert list(z) == [500, 300, 100] and list(predictions) == [500, 300]
    for t, drawn in z.items():
        assert torch.equal(drawn, path.z[t][[3, 5], [0, 1]].expand(3, 2, 1, 2, 3))
    for t, z0 in predictions.items():
        assert torch.equal(z0, path.prediction(model, t)[[3, 5], [0, 1]].expand(3, 2, 1, 2, 3))
    assert diagnostics["ess"] == pytest.approx([1, 1])


@pytest.mark.parametrize("k, warned", [(0.2, False), (0.85, True), (1.5, True)])
def test_weights_that_are_not_to_be_relied_on_are_told(pair, monkeypatch, k, warned):
    u = (torch.arange(1000) + 0.5).double() / 1000
    weighed(monkeypatch, (-k * u.log())[:, None].expand(-1, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draws.resampled(*pair, Y, 1000, 2, seeded())
    assert bool(caught) == warned
    assert all("importance weights: 2 " in str(w.message) for w in caught)


def test_draws_of_several_threads_are_as_if_alone(pair):
    """Pyro keeps its handlers once for the whole process."""
    model, guide = pair

    def drawn(seed):
        return draws.draw(model, guide, 20, torch.Generator().manual_seed(seed))[model.timesteps[-1]]

    alone, medians = [drawn(seed) for seed in range(4)], guide.median(num_samples=20)
    wrong = []

    def work(thread):
        for _ in range(15):
            try:
                if thread == 4:
                    same = all(torch.equal(v, medians[k]) for k, v in guide.median(num_samples=20).items())
                else:
                    same = torch.equal(drawn(thread), alone[thread])
            except Exception as error:
                same = error
            if same is not True:
                wrong.append((thread, same))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
