"""Features of pictures, by name, for the distances between sets of them: KID and FID on these features."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from vipaint_pyro.datasets.cartoon_faces.classifier import face_features, shipped_classifier
from vipaint_pyro.evaluation.study.feature_names import FEATURES, kind_of, titled
from vipaint_pyro.evaluation.study.fid import enough_for_fid, fid
from vipaint_pyro.evaluation.study.kid import kid
from vipaint_pyro.images import to_bytes
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["FEATURES", "Features", "enough_for_fid", "features_of", "fid", "kid", "make_features", "titled"]

# Pictures that go through Inception at once: it enlarges each to 299 x 299.
_CHUNK = 32


def _alex(_: str | Path | None) -> tuple[Callable[[Tensor], Tensor], nn.Module]:
    network = shared_lpips("alex", None, torch.device("cpu"))
    return network.pooled, network


def _faces(_: str | Path | None) -> tuple[Callable[[Tensor], Tensor], nn.Module]:
    return face_features, shipped_classifier()


def _inception(weights: str | Path | None) -> tuple[Callable[[Tensor], Tensor], nn.Module]:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise ImportError(
            "Inception's features need the extra 'fidelity': pip install 'vipaint-pyro[fidelity]'"
        ) from error
    if weights is None:
        raise ValueError(
            "Inception's weights are given by path: the file weights-inception-2015-12-05-6726825d.pth of "
            "torch-fidelity's release v0.2.0"
        )
    if not Path(weights).is_file():
        raise FileNotFoundError(f"Inception's weights {weights} not found")
    try:
        torch.load(weights, map_location="cpu", weights_only=True)  # what this takes holds no code; theirs would run it
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
        raise ValueError(f"{weights} holds no weights of torch-fidelity's Inception: {shown(error)}") from error

    def features(x: Tensor) -> Tensor:
        eight = to_bytes(x.expand(-1, 3, -1, -1))
        return torch.cat([network(part)[0] for part in eight.split(_CHUNK)])

    return features, network


#: By name: the function of images (B, C, H, W) in [-1, 1], and its network.
_MAKERS: dict[str, Callable[[str | Path | None], tuple[Callable[[Tensor], Tensor], nn.Module]]] = {
    "lpips-alex": _alex, "faces-classifier": _faces, "inception": _inception,
}  # fmt: skip


@dataclass(frozen=True)
class Features:
    """A function from pictures to features, with its name.

    Attributes:
        name: one of :data:`FEATURES`.
        dimension: F.
        network: what they depend on.
    """

    name: str
    dimension: int
    network: nn.Module
    _compute: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (*, F), float32 on the CPU.

        Args:
            images: (*, C, H, W) in [-1, 1], C 1 or 3; what lies beyond is cut off.

        Raises:
            TypeError: for what is no tensor.
            ValueError: for other shapes, or values that are not finite.
        """
        check_tensor("images", images, "(*, C, H, W)", bools=False)
        if images.ndim < 4 or not images.numel() or images.shape[-3] not in (1, 3):
            raise ValueError(f"images are (*, C, H, W) with C = 1 or 3, but came with {tuple(images.shape)}")
        if not torch.isfinite(images).all():
            raise ValueError("images hold values that are not finite")
        flat = images.detach().reshape(-1, *images.shape[-3:]).float().cpu().clamp(-1, 1)
        return self._compute(flat).float().reshape(*images.shape[:-3], self.dimension)


def make_features(name: str, weights: str | Path | None = None) -> Features:
    """Features by name; the network is loaded here.

    Args:
        name: one of :data:`FEATURES`.
        weights: file of the network's weights, for those that do not ship.

    Raises:
        ValueError: for unknown features, weights that are missing or not theirs, or weights for those that ship.
        FileNotFoundError: where the file is missing.
        ImportError: for Inception's without the extra ``fidelity``.
    """
    kind = kind_of(name)
    if weights is not None and not kind.by_path:
        raise ValueError(f"{name} has its weights in this package: leave weights out")
    compute, network = _MAKERS[name](weights)
    return Features(name, kind.dimension, network, compute)


@lru_cache(maxsize=2)
def features_of(spec: str) -> Features | None:
    """The features of a study: "lpips-alex", "faces-classifier", "inception:FILE", or None of "none".

    Loaded once per process.

    Raises:
        ValueError, FileNotFoundError, ImportError: as :func:`make_features`.
    """
    if spec == "none":
        return None
    name, _, weights = spec.partition(":")
    if name not in FEATURES:
        raise ValueError(f"features is one of {', '.join(FEATURES)} (inception:FILE of its weights) or none, but is "
                         f"{spec!r}")  # fmt: skip
    return make_features(name, weights or None)
