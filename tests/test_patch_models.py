"""The Gaussian and the mixture that photo-patches is compared with, against dense formulas; and its judge's tables."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.priors.schedules import NoiseSchedule

SCRIPTS = Path(__file__).parent.parent / "examples" / "priors"
OURS = ("patch_models", "photographs", "judge_photo_patches", "train_photo_patches", "training")


@pytest.fixture
def script(monkeypatch):
    """A module among the scripts, by name."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)


def patches(count, side=4):
    """Correlated between neighbours and colours, with a mean."""
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(count, 3, side, side, generator=generator)
    return 0.3 * white.cumsum(-1) + 0.2 * white.mean(1, keepdim=True) + torch.linspace(-1, 1, side)


def test_the_basis_is_orthonormal_and_comes_back(script):
    models, x = script("patch_models"), patches(50)
    basis = models.CosineBasis(x)
    c = basis.to(x)
    assert torch.allclose(c.flatten(1).norm(dim=1), x.double().flatten(1).norm(dim=1))
    assert torch.allclose(basis.back(c), x, atol=1e-6)
    flat = basis.to(torch.ones(1, 3, 4, 4))[0]
    assert flat[:, 0, 0].norm() == pytest.approx(48**0.5)
    assert flat.flatten(1)[:, 1:].abs().max() < 1e-12  # a flat patch is the lowest frequency alone


def test_the_gaussian_is_the_one_of_the_patches_and_their_mirror_images(script):
    x = patches(400)
    both = torch.cat([x, x.flip(-1)]).double().flatten(1)
    cov = torch.cov(both.T, correction=0)
    gaussian = script("patch_models").CosineGaussian(x)
    for alpha, sigma in ((1.0, 0.1), (0.6, 0.8)):
        z = alpha * x[:7] + sigma * torch.randn(7, 3, 4, 4)
        noised = alpha**2 * cov + sigma**2 * torch.eye(48)
        rest = z.double().flatten(1) - alpha * both.mean(0)
        exact = both.mean(0) + alpha * torch.linalg.solve(noised, rest.T).T @ cov
        assert torch.allclose(gaussian.denoise(z, alpha, sigma).flatten(1).double(), exact, atol=1e-5)


def test_the_mixture_denoises_as_bayes_rule_says(script):
    models, x = script("patch_models"), patches(300)
    mixture = models.CosineMixture(x, 3, torch.Generator().manual_seed(0), rounds=4)
    assert all(b >= a - 1e-9 for a, b in zip(mixture.bounds, mixture.bounds[1:]))
    assert mixture.weights.sum().item() == pytest.approx(1)
    alpha, sigma = 0.8, 0.5
    z = alpha * x[:5] + sigma * torch.randn(5, 3, 4, 4)
    c = mixture.basis.to(z).flatten(1)
    weighted, exact = [], 0
    for w, m, v in zip(mixture.weights, mixture.means, mixture.variances):
        marginal = torch.distributions.Normal(alpha * m, (alpha**2 * v + sigma**2).sqrt())
        weighted.append(w.log() + marginal.log_prob(c).sum(1))
    r = torch.stack(weighted, 1).softmax(1)
    for k, (m, v) in enumerate(zip(mixture.means, mixture.variances)):
        exact = exact + r[:, k, None] * (m + alpha * v / (alpha**2 * v + sigma**2) * (c - alpha * m))
    assert torch.allclose(mixture.denoise(z, alpha, sigma), mixture.basis.back(exact.view(5, 3, 4, 4)), atol=1e-6)


def test_patches_of_two_kinds_are_told_apart(script):
    """Quiet and loud ones: the mixture knows which, a single Gaussian does not."""
    loud = (torch.arange(600) % 2).bool()
    x = torch.randn(600, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    x[~loud] *= 0.05
    models = script("patch_models")
    mixture = models.CosineMixture(x, 2, torch.Generator().manual_seed(0))
    assert mixture.weights.tolist() == pytest.approx([0.5, 0.5], abs=1e-6)
    z = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    errors = {
        name: (model.denoise(z, 1.0, 0.3) - x)[~loud].pow(2).mean().item()
        for name, model in (("mixture", mixture), ("Gaussian", models.CosineGaussian(x)))
    }
    assert errors["mixture"] == pytest.approx(0.05**2, rel=0.1) and errors["Gaussian"] > 10 * errors["mixture"]


def test_the_errors_of_an_exact_prior_are_the_known_ones(script):
    """A white Gaussian of variance v: the error is v s / (v + s) with s the squared ratio of the level."""
    judge = script("judge_photo_patches")
    schedule = NoiseSchedule.variance_preserving()
    prior = GaussianPrior(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.4), schedule)
    x = 0.4 * torch.randn(2000, 3, 4, 4, generator=torch.Generator().manual_seed(5))
    found = judge.errors(judge.of_prior(prior, [None] * len(x)), schedule, x, levels=(10, 100))
    assert found.shape == (2, 2000)
    for row, level in zip(found, (10, 100)):
        t = schedule.time_of_ratio(level / 127.5)
        s = float(schedule.sigma(t) / schedule.alpha(t)) ** 2
        assert row.mean().item() == pytest.approx(0.16 * s / (0.16 + s), rel=0.02)


def test_the_tables_by_hand(script):
    judge = script("judge_photo_patches")
    found = {"prior": torch.tensor([[0.04, 0.04], [0.4, 0.4]]), "other": torch.tensor([[0.05, 0.03], [0.8, 0.8]])}
    lines = judge.error_table(found, "other", levels=(5, 50)).splitlines()
    assert lines[2] == "| prior | 20.00 | 10.00 |" and lines[3] == "| other | 20.00 | 6.99 |"
    assert lines[4] == "| patches where the prior beats the other | 50% | 100% |"
    lines = judge.class_table(found, torch.tensor([0, 3]), 5, levels=(5, 50)).splitlines()
    assert lines[2] == "| prior | 20.00 |  |  | 20.00 |" and lines[3] == "| other | 19.03 |  |  | 21.25 |"


def test_the_training_runs_goes_on_and_writes_a_prior_with_classes(script, tmp_path):
    pictures = {f"{i}": torch.randint(256, (64 + i, 400 * i + 64, 3), dtype=torch.uint8) for i in range(3)}
    save_file(pictures, tmp_path / "train.safetensors")
    train = script("train_photo_patches")
    command = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--smoke"]
    first = CliRunner().invoke(train.main, [*command, "--stop-at", "2"], catch_exceptions=False)
    second = CliRunner().invoke(train.main, command, catch_exceptions=False)
    assert "step 2" in first.output and "resumed at step 2" in second.output and "step 3" in second.output
    prior = DiffusionPrior.from_pretrained(tmp_path / "out" / "prior")
    assert prior.latent_shape == (3, 64, 64)
    assert [*prior.class_names] == ["detail", "part", "object", "scene"]
    # Without a label is another class of the network than any of the four.
    z = torch.randn(1, 3, 64, 64)
    own = [prior.conditioned([label]).denoise(z, 500) for label in (None, 0, 1, 2, 3)]
    assert all(not torch.equal(own[0], other) for other in own[1:])


def test_the_network_is_small(script):
    unet = script("train_photo_patches").new_unet()
    assert sum(p.numel() for p in unet.parameters()) * 2 < 10e6  # bytes in half precision
