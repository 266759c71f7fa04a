"""Saved model folders name this module: it lies in :mod:`vipaint_pyro.networks.class_embedder` now."""

from vipaint_pyro.networks.class_embedder import ClassEmbedder

__all__ = ["ClassEmbedder"]
