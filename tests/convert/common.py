"""Random originals: every tensor drawn, norms and biases too, which start as ones and zeros."""

import torch


def randomise(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for name, p in module.named_parameters():
        if p.ndim > 1:
            p.data.normal_(0, p[0].numel() ** -0.5, generator=generator)
        else:
            p.data.normal_(0.0 if name.endswith("bias") else 1.0, 0.3, generator=generator)
    return module.eval().requires_grad_(False)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def close(given, expected):
    """Equal to 1e-4, and of a size at which that says something."""
    assert expected.std() > 0.1
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
