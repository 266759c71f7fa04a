"""The README's Python runs as it stands, block after block."""

import re
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent


def test_readme_python_blocks(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 4
    scope: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert len(scope["out"].images) == 8
    assert scope["restored"].images.shape == (2, 3, 64, 64)
    # The SVI script's guide reproduces the known half better than where it started.
    prior, y, observed = scope["prior"], scope["y"], scope["observed"]
    with torch.no_grad():
        x = prior.decode(prior.denoise(scope["guide"](), 553))
    observed = observed.expand_as(y)
    assert (x - y)[observed].abs().mean() < 0.2 < y[observed].abs().mean()
