"""Published checkpoints in their original formats, converted to diffusers folders."""

from vipaint_pyro.convert.adm import convert_adm
from vipaint_pyro.convert.compvis import convert_ldm

__all__ = ["convert_adm", "convert_ldm"]
