"""What the training scripts share: resume bit for bit, the average, the rate, the diffusion loss."""

import math
import sys
from pathlib import Path

import click
import pytest
import torch
from diffusers import DDPMScheduler
from safetensors.torch import load_file
from torch import nn

SCRIPTS = Path(__file__).parent.parent / "examples" / "priors"


@pytest.fixture
def training(monkeypatch):
    """The module, which lies among the scripts."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delitem(sys.modules, "training", raising=False)
    import training

    yield training
    monkeypatch.delitem(sys.modules, "training", raising=False)


def new_network():
    """With weights that train, and statistics and a whole number that do not."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


def new_trainer(training, out, steps=9, **options):
    trainer = training.Trainer(new_network(), out, steps, lr=1e-2, seed=5, **options)

    def loss():
        x = torch.randn(6, 3, generator=trainer.generator)
        return (trainer.network(x) - x.sum(1, keepdim=True)).pow(2).mean()

    return trainer, loss


def everything(trainer):
    state = {f"network.{k}": v for k, v in trainer.network.state_dict().items()}
    state |= {f"average.{k}": v for k, v in trainer.average.items()}
    for i, entry in trainer.optimizer.state_dict()["state"].items():
        state |= {f"adam.{i}.{k}": torch.as_tensor(v) for k, v in entry.items()}
    return state | {"generator": trainer.generator.get_state(), "losses": torch.tensor(trainer.losses)}


def assert_equal(a, b):
    a, b = everything(a), everything(b)
    assert a.keys() == b.keys()
    for name, v in a.items():
        assert torch.equal(v, b[name]), name


@pytest.mark.parametrize("stop_at", [1, 4, 8])
def test_a_run_that_was_stopped_equals_one_that_was_not(training, tmp_path, stop_at):
    whole, loss = new_trainer(training, tmp_path / "whole")
    whole.run(loss, lambda: None, every=3, stop_at=None)
    first, loss = new_trainer(training, tmp_path / "halves")
    first.run(loss, lambda: None, every=3, stop_at=stop_at)
    assert first.step == len(first.losses) == stop_at
    torch.manual_seed(123)  # the global dice have no part in it
    second, loss = new_trainer(training, tmp_path / "halves")
    assert_equal(first, second)
    second.run(loss, lambda: None, every=3, stop_at=None)
    assert second.step == len(second.losses) == 9
    assert_equal(whole, second)
    kept, other = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "halves"))
    assert kept.keys() == other.keys() and all(torch.equal(v, other[k]) for k, v in kept.items())


def test_a_run_that_died_goes_on_from_its_last_checkpoint(training, tmp_path):
    whole, loss = new_trainer(training, tmp_path / "whole")
    whole.run(loss, lambda: None, every=2, stop_at=None)
    first, loss = new_trainer(training, tmp_path / "died")

    def dies():
        if first.step == 5:
            raise KeyboardInterrupt
        return loss()

    with pytest.raises(KeyboardInterrupt):
        first.run(dies, lambda: None, every=2, stop_at=None)
    assert [p.name for p in (tmp_path / "died").iterdir()] == ["checkpoint.safetensors"]
    second, loss = new_trainer(training, tmp_path / "died")
    assert second.step == 4
    second.run(loss, lambda: None, every=2, stop_at=None)
    assert_equal(whole, second)


def test_a_finished_run_is_left_as_it_is(training, tmp_path):
    done, loss = new_trainer(training, tmp_path)
    done.run(loss, lambda: None, every=4, stop_at=None)
    again, _ = new_trainer(training, tmp_path)
    again.run(lambda: pytest.fail("trained on"), lambda: pytest.fail("released anew"), every=4, stop_at=None)
    assert_equal(done, again)


def test_it_is_released_at_each_checkpoint_with_the_average_of_then(training, tmp_path):
    trainer, loss = new_trainer(training, tmp_path)
    released = []

    def release():
        kept = load_file(tmp_path / "checkpoint.safetensors")
        assert all(torch.equal(v, kept[f"average.{k}"]) for k, v in trainer.average.items())
        released.append(trainer.step)

    trainer.run(loss, release, every=4, stop_at=None)
    assert released == [4, 8, 9]


def test_the_rate_rises_over_a_hundred_steps_and_falls_along_a_cosine(training, tmp_path):
    trainer, loss = new_trainer(training, tmp_path, steps=200)
    rates = []

    def spied():
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        return loss()

    trainer.run(spied, lambda: None, every=200, stop_at=None)
    for k, rate in enumerate(rates):
        assert rate == pytest.approx(1e-2 * min(1, (k + 1) / 100) * (1 + math.cos(math.pi * k / 200)) / 2)


@pytest.mark.parametrize("from_nothing", [True, False])
def test_the_average_by_hand(training, tmp_path, from_nothing):
    trainer, loss = new_trainer(training, tmp_path, ema=0.6, from_nothing=from_nothing)
    expected = {k: v.clone().double() for k, v in trainer.network.state_dict().items()}
    for k in range(1, 8):
        trainer.run(loss, lambda: None, every=100, stop_at=k)
        decay = min(0.6, (1 + k) / (10 + k)) if from_nothing else 0.6
        for name, v in trainer.network.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * v if v.is_floating_point() else v
    for name, v in trainer.average.items():
        assert torch.allclose(v.double(), expected[name].double(), atol=1e-6), name
    assert trainer.average["1.num_batches_tracked"] == 7


def test_a_loss_that_is_not_finite_stops_it(training, tmp_path):
    trainer, loss = new_trainer(training, tmp_path)
    with pytest.raises(click.ClickException, match="not finite at step 3; lower --lr"):
        trainer.run(lambda: loss() * (math.nan if trainer.step == 3 else 1), lambda: None, every=2, stop_at=None)
    assert new_trainer(training, tmp_path)[0].step == 2


def test_the_diffusion_loss_by_hand(training):
    """A network that is off by 0.5 everywhere: the loss is a quarter of the mean weight, whatever the noise."""
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False)
    x, times = torch.randn(8, 1, 2, 2), []

    def clean(z, t):
        """The clean image is 0.3 everywhere, so that the noise, and with it v, can be told from z."""
        times.append(t)
        a = scheduler.alphas_cumprod[t].sqrt()[:, None, None, None]
        s = (1 - a**2).sqrt()
        return a * (z - a * 0.3) / s - s * 0.3 + 0.5

    loss = training.v_loss(clean, scheduler, torch.full_like(x, 0.3), torch.Generator().manual_seed(0))
    t = times[0]
    snr = scheduler.alphas_cumprod[t] / (1 - scheduler.alphas_cumprod[t])
    assert loss.item() == pytest.approx((0.25 * snr.clamp(max=5) / (snr + 1)).mean().item(), rel=1e-4)
    generator = torch.Generator().manual_seed(0)
    own = training.v_loss(clean, scheduler, torch.full_like(x, 0.3), generator, lambda snr: 0 * snr + 3)
    assert own.item() == pytest.approx(0.75, rel=1e-4)
    # One time from each eighth of the schedule.
    assert (t // 125).tolist() == [*range(8)]
