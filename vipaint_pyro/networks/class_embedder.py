"""A table of class embeddings: the condition of a network that attends to its class."""

from __future__ import annotations

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

__all__ = ["ClassEmbedder"]


class ClassEmbedder(ModelMixin, ConfigMixin):
    """One learned vector per class, seen by cross-attention as a sequence of one token.

    That of latent diffusion's class-conditional models (Rombach et al., arXiv:2112.10752, appendix E.1;
    ``ldm.modules.encoders.modules.ClassEmbedder`` in CompVis/latent-diffusion).

    Args:
        num_classes: rows of the table, the null class included.
        dim: width of a vector, the network's ``cross_attention_dim``.
    """

    @register_to_config
    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, dim)

    def forward(self, labels: Tensor) -> Tensor:
        """Labels, whole numbers with shape (B,), to vectors with shape (B, 1, dim)."""
        return self.embedding(labels)[:, None]
