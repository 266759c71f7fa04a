"""Saved model folders name this module: it lies in :mod:`vipaint_pyro.networks.openai_unet` now."""

from vipaint_pyro.networks.openai_unet import ModelMixin, OpenAIUNet2DModel

__all__ = ["ModelMixin", "OpenAIUNet2DModel"]
