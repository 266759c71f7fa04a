"""LPIPS, offline: the distance, and its gradient, of many samples to few pictures."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

__all__ = ["LPIPS", "shared_lpips"]

#: Pictures that go through the network at once.
CHUNK = 64


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al. 2018, arXiv:1801.03924), by the ``lpips`` package.

    Images smaller than 64 pixels are enlarged to 64 first (bilinearly), the size of the patches
    LPIPS was calibrated on; AlexNet cannot take less than about 32.

    Args:
        net: ``"alex"`` or ``"vgg"``.
        weights: a safetensors file (~ is one's home) with the backbone's convolutions under torchvision's names
            (``features.0.weight`` ...). By default the file named by the environment variable
            ``VIPAINT_LPIPS_ALEX`` or ``VIPAINT_LPIPS_VGG``, then AlexNet's that ship with this
            package (half precision), then torchvision's own download.

    Raises:
        ValueError: for another network, or a file that is no safetensors file of this backbone.
        FileNotFoundError: where ``weights`` is missing.
        OSError: where torchvision has to download weights and cannot.
    """

    def __init__(self, net: str = "alex", weights: str | Path | None = None) -> None:
        super().__init__()
        import lpips

        if net not in ("alex", "vgg"):
            raise ValueError(f"net is 'alex' or 'vgg', not {net!r}")
        weights = weights or os.environ.get(f"VIPAINT_LPIPS_{net.upper()}")
        if weights is None and net == "alex":
            weights = str(files("vipaint_pyro") / "assets" / "lpips" / "alexnet.safetensors")
        with warnings.catch_warnings():  # lpips calls torchvision by an older spelling
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
            try:
                self._net = lpips.LPIPS(net=net, pnet_rand=weights is not None, verbose=False)
            except OSError as error:
                raise OSError(
                    f"the weights of LPIPS's {net} network are not here, and torchvision cannot download them "
                    f"({error}): give a safetensors file of them as weights (perceptual_weights of a sampler) or in "
                    f"VIPAINT_LPIPS_{net.upper()}"
                ) from error
        if weights is not None:
            self._load(Path(str(weights)).expanduser())
        self.requires_grad_(False).eval()

    def _load(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"LPIPS weights {path} not found")
        if path.suffix != ".safetensors":
            raise ValueError(f"LPIPS weights come as a .safetensors file, not {path.name}")
        try:
            read = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"LPIPS weights {path} cannot be read as safetensors: {error}") from error
        given = {k.removeprefix("features."): v.float() for k, v in read.items()}
        # lpips cuts torchvision's `features` into slices and keeps the layers' numbers as names.
        slots = {k.split(".", 1)[1]: k for k in self._net.net.state_dict()}
        if slots.keys() - given.keys():
            missing = ", ".join(sorted(slots.keys() - given.keys()))
            raise ValueError(f"{path} lacks the backbone's tensors {missing}")
        state = self._net.net.state_dict()
        odd = [k for k in slots if given[k].shape != state[slots[k]].shape or not given[k].isfinite().all()]
        if odd:
            raise ValueError(f"{path} has tensors of other shapes than the backbone, or not finite: {', '.join(odd)}")
        self._net.net.load_state_dict({slots[k]: given[k] for k in slots})

    def forward(self, x: Tensor, truth: Tensor) -> Tensor:
        """LPIPS of each image of ``x`` (*, C, H, W) in [-1, 1] to ``truth``, which broadcasts.

        Greyscale images are repeated over three channels. Returns a tensor of shape (*).
        """
        truth = truth.expand(x.shape)
        batch, shape = x.shape[:-3], x.shape[-3:]
        pair = [self._prepare(v.reshape(-1, *shape)) for v in (x, truth)]
        parts = zip(*(v.split(CHUNK) for v in pair), strict=True)
        return torch.cat([self._net(a, b) for a, b in parts]).reshape(batch)

    def pairwise(self, x: Tensor) -> Tensor:
        """LPIPS between every two of images (S, C, H, W) in [-1, 1], as :meth:`forward` has it, (S (S - 1) / 2,).

        In the order (0, 1), (0, 2) ... (1, 2) ...; each image goes through the network once.
        """
        layers = [torch.cat(parts) for parts in zip(*(self._features(part) for part in x.split(CHUNK)), strict=True)]
        rows = [x.new_zeros(0, dtype=layers[0].dtype)]
        for i in range(len(x) - 1):
            total: Any = 0.0
            for layer, lin in zip(layers, self._net.lins):
                total = total + lin((layer[i + 1 :] - layer[i]).square()).mean((1, 2, 3))
            rows.append(total)
        return torch.cat(rows)

    def pooled(self, x: Tensor) -> Tensor:
        """Means over places of the network's last layer for images (B, C, H, W) in [-1, 1]; (B, 256) of AlexNet."""
        layers = [self._net.net(self._net.scaling_layer(self._prepare(part)))[-1] for part in x.split(CHUNK)]
        return torch.cat([layer.mean((2, 3)) for layer in layers])

    def _features(self, x: Tensor) -> list[Tensor]:
        from lpips import normalize_tensor

        layers = self._net.net(self._net.scaling_layer(self._prepare(x)))
        return [normalize_tensor(layer) for layer in layers]

    @staticmethod
    def _prepare(x: Tensor) -> Tensor:
        x = x.float()
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        short = min(x.shape[-2:])
        if short < 64:
            x = nn.functional.interpolate(x, scale_factor=64 / short, mode="bilinear", align_corners=False)
        return x


class _Distance(LPIPS):
    """LPIPS of many samples to few pictures: the same numbers, the pictures' features computed once."""

    def spread(self, x: Tensor, truth: Tensor) -> Tensor:
        """LPIPS of each of x (*, N, C, H, W) to truth (N, C, H, W), or one with x's leading axes; shape (*, N)."""
        batch, shape = x.shape[:-3], x.shape[-3:]
        if truth.ndim > 4:
            truth = truth.expand(x.shape).reshape(-1, *shape)
        x = x.reshape(-1, len(truth), *shape)
        columns = []
        for own, target in zip(x.split(CHUNK, 1), truth.split(CHUNK)):
            target = self._features(target)
            rows = own.split(max(1, CHUNK // own.shape[1]))
            columns.append(torch.cat([self._compared(row, target) for row in rows]))
        return torch.cat(columns, 1).to(x.dtype).reshape(batch)

    def _compared(self, x: Tensor, target: list[Tensor]) -> Tensor:
        """Of x (S, n, C, H, W) to the features of n targets; shape (S, n)."""
        total: Any = 0.0
        for own, other, lin in zip(self._features(x.flatten(0, 1)), target, self._net.lins):
            square = (own.unflatten(0, x.shape[:2]) - other).square().flatten(0, 1)
            total = total + lin(square).mean((1, 2, 3))
        return total.reshape(x.shape[:2])


@lru_cache(maxsize=4)
def shared_lpips(net: str, weights: str | None, device: torch.device) -> _Distance:
    """The network, loaded when first needed and shared by all that name the same."""
    return _Distance(net, weights).to(device)
