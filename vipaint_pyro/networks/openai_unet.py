"""``UNet2DModel`` with two settings of OpenAI's and CompVis' UNets that its own config cannot express."""

from __future__ import annotations

import inspect
from typing import Any

from diffusers import ModelMixin, UNet2DModel
from diffusers.models.attention_processor import Attention

__all__ = ["ModelMixin", "OpenAIUNet2DModel"]  # diffusers asks a component's module for the base class


class OpenAIUNet2DModel(UNet2DModel):
    """A ``UNet2DModel`` with a fixed number of attention heads, or with its time scaled.

    diffusers fixes the width of a head, so that wider levels have more heads; latent diffusion's LSUN
    models fix the number. Consistency models' EDM networks see 1000 times the noise level
    ln(sigma) / 4 that EDM (Karras et al., arXiv:2206.00364, table 1) and diffusers' scheduler give.
    It is called as a ``UNet2DModel`` is, and has the same parameters.

    Args:
        num_attention_heads: heads of every attention; None for ``attention_head_dim``'s.
        timestep_scale: what a time is multiplied by before its sinusoidal embedding.
        options: those of ``UNet2DModel``.

    Raises:
        ValueError: where a width cannot be shared out to the heads.
    """

    def __init__(self, *, num_attention_heads: int | None = None, timestep_scale: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.register_to_config(num_attention_heads=num_attention_heads, timestep_scale=timestep_scale)
        self.time_proj.scale = timestep_scale
        if num_attention_heads is None:
            return
        for module in self.modules():
            if isinstance(module, Attention):
                if module.inner_dim % num_attention_heads:
                    raise ValueError(f"{module.inner_dim} channels cannot be shared out to {num_attention_heads} heads")
                module.heads = num_attention_heads
                module.scale = (module.inner_dim // num_attention_heads) ** -0.5

    # diffusers reads from the signature which entries of config.json belong to the class.
    vars(__init__)["__signature__"] = inspect.Signature(
        [
            *(p.replace(kind=p.KEYWORD_ONLY) if n != "self" else p
              for n, p in inspect.signature(UNet2DModel.__init__).parameters.items()),
            *(p for p in inspect.signature(__init__).parameters.values() if p.kind == p.KEYWORD_ONLY),
        ]
    )  # fmt: skip
