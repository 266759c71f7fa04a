"""Reading the attributes off a cartoon face: a small convolutional classifier that ships with the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES

__all__ = ["FaceClassifier", "face_features", "read_attributes", "shipped_classifier"]


class FaceClassifier(nn.Module):
    """Four strided convolutions and a linear layer, with one softmax per attribute."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        channels = (3, width, 2 * width, 4 * width, 4 * width)
        layers: list[nn.Module] = []
        for a, b in zip(channels, channels[1:]):
            layers += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.sizes = [len(odds) for odds in ATTRIBUTES.values()]
        self.head = nn.Linear(4 * width * 16, sum(self.sizes))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits of each attribute's choices, in the order of ATTRIBUTES, for images (B, 3, 64, 64) in [-1, 1]."""
        return self.head(self.features(x)).split(self.sizes, 1)


@cache
def shipped_classifier() -> FaceClassifier:
    """The classifier that ships, loaded once."""
    network = FaceClassifier()
    path = files("vipaint_pyro") / "assets" / "cartoon-faces" / "classifier.safetensors"
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(str(path)).items()})
    return network.requires_grad_(False).eval()


def read_attributes(x: Tensor) -> Tensor:
    """The most probable choice of every attribute, read off pictures by the classifier that ships.

    What does not show in a picture (the eyes under sunglasses, the colour of a hat that is not there) is guessed:
    see :func:`vipaint_pyro.datasets.cartoon_faces.faces.shows`.

    Args:
        x: images (*, 3, 64, 64) in [-1, 1].

    Returns:
        Whole numbers (*, 11): which choice of each attribute in
        :data:`~vipaint_pyro.datasets.cartoon_faces.faces.ATTRIBUTES`.

    Raises:
        ValueError: for images of another shape.
    """
    chosen = [torch.stack([logit.argmax(1) for logit in shipped_classifier()(part)], 1) for part in _flat(x).split(256)]
    return torch.cat(chosen).reshape(*x.shape[:-3], len(ATTRIBUTES))


def face_features(x: Tensor) -> Tensor:
    """What the classifier that ships goes by: its last convolution's 128 channels, averaged over places.

    Args:
        x: images (*, 3, 64, 64) in [-1, 1].

    Returns:
        float32 (*, 128).

    Raises:
        ValueError: for images of another shape.
    """
    features = [shipped_classifier().features(part).unflatten(1, (-1, 16)).mean(2) for part in _flat(x).split(256)]
    return torch.cat(features).reshape(*x.shape[:-3], -1)


def _flat(x: Tensor) -> Tensor:
    """Images (*, 3, 64, 64) as (B, 3, 64, 64), as the classifier takes them."""
    if x.shape[-3:] != (3, 64, 64):
        raise ValueError(f"cartoon faces are (*, 3, 64, 64), but these images are {tuple(x.shape)}")
    return x.detach().reshape(-1, 3, 64, 64).float().cpu().clamp(-1, 1)
