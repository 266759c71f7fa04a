"""How each of diffusers' networks is called: one function per interface, all to one contract.

``call(network, z, time, condition)`` returns the network's own output for z (B, C, H, W) at its own
time (B,), given a condition: tensors by name, each with a leading axis B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.kinds import kind_of, kinds, unwrapped

__all__ = ["NETWORKS", "Condition", "call_network", "check_network", "patch_size"]

#: What a network takes beside z and its time: tensors by name, each with a leading axis B.
Condition = Mapping[str, Tensor]


def _class_conditional(network: nn.Module, z: Tensor, time: Tensor, condition: Condition) -> Tensor:
    """``UNet2DModel`` and ``DiTTransformer2DModel``: a label per image, or nothing."""
    return network(z, timestep=time, **condition).sample


def _cross_attention(network: nn.Module, z: Tensor, time: Tensor, condition: Condition) -> Tensor:
    """``UNet2DConditionModel``; the pooled text and the sizes of Stable Diffusion XL travel apart."""
    given = dict(condition)
    added = {name: given.pop(name) for name in ("text_embeds", "time_ids") if name in given}
    return network(z, time, added_cond_kwargs=added or None, **given).sample


def _joint_attention(network: nn.Module, z: Tensor, time: Tensor, condition: Condition) -> Tensor:
    """``SD3Transformer2DModel``."""
    return network(hidden_states=z, timestep=time, **condition).sample


def _packed(network: nn.Module, z: Tensor, time: Tensor, condition: Condition) -> Tensor:
    """``FluxTransformer2DModel``: 2x2 patches as tokens, their places as ids, and time in [0, 1]."""
    b, c, h, w = z.shape
    tokens = z.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, 4 * c)
    rows, columns = torch.meshgrid(
        torch.arange(h // 2, device=z.device), torch.arange(w // 2, device=z.device), indexing="ij"
    )
    places = torch.stack([torch.zeros_like(rows), rows, columns], -1).reshape(-1, 3).to(z.dtype)
    text = condition["encoder_hidden_states"]
    out = network(
        hidden_states=tokens,
        timestep=time / 1000,
        img_ids=places,
        txt_ids=places.new_zeros(text.shape[1], 3),
        **condition,
    ).sample
    return out.reshape(b, h // 2, w // 2, c, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(b, c, h, w)


_CALLS: dict[str, Callable[[nn.Module, Tensor, Tensor, Condition], Tensor]] = {
    "UNet2DModel": _class_conditional,
    "OpenAIUNet2DModel": _class_conditional,
    "DiTTransformer2DModel": _class_conditional,
    "UNet2DConditionModel": _cross_attention,
    "SD3Transformer2DModel": _joint_attention,
    "FluxTransformer2DModel": _packed,
}


#: The classes of networks that can be called.
NETWORKS = tuple(_CALLS)


def check_network(network: nn.Module) -> None:
    """Raise ValueError where no interface is known for a network of diffusers' kind."""
    inner = unwrapped(network)
    if "ConfigMixin" in kinds(inner) and kind_of(inner, NETWORKS) is None:
        raise ValueError(
            f"a network of the class {type(inner).__name__} cannot be called here; known are {', '.join(NETWORKS)}, "
            "and classes derived from them"
        )


def patch_size(network: nn.Module) -> int:
    """The side of a token in latent pixels; 1 for a network without tokens."""
    if kind_of(network, NETWORKS) == "FluxTransformer2DModel":
        return 2  # its config's patch_size counts the packed tokens, which are 2x2 already
    return unwrapped(network).config.get("patch_size", None) or 1


def call_network(network: nn.Module, z: Tensor, time: Tensor, condition: Condition | None = None) -> Tensor:
    """The output of a diffusers network, with z's first two axes and size (more channels where it gives them).

    What the network is wrapped in is called; networks of other classes are called as a ``UNet2DModel`` is.
    """
    kind = kind_of(network, NETWORKS)
    call = _class_conditional if kind is None else _CALLS[kind]
    return call(network, z, time, condition or {})
