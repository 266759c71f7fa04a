"""What may stand beside the methods in a comparison, for scale: it draws nothing, and calls no network."""

from __future__ import annotations

from vipaint_pyro.samplers.method import Method

__all__ = ["FOR_SCALE"]

_CLASSICAL = "vipaint_pyro.samplers.classical"

#: By name, as :data:`~vipaint_pyro.samplers.METHODS`. All but the first need the extra ``classical``.
FOR_SCALE: dict[str, Method] = {
    m.name: m
    for m in (
        Method(
            "estimate",
            "what was measured as an image, enlarged, or gone on with smoothly in its holes: where guides start",
            "the operator's own",
            "vipaint_pyro.samplers.estimate:Estimate",
            cost="0 F",
            chance=False,
        ),
        Method(
            "telea",
            "weighted means of what is near, from the border inwards (OpenCV)",
            "doi:10.1080/10867651.2004.10487596",
            f"{_CLASSICAL}:TeleaFill",
            needs=("mask",),
            cost="0 F",
            chance=False,
        ),
        Method(
            "navier-stokes",
            "lines of equal brightness carried on into the hole (OpenCV)",
            "doi:10.1109/CVPR.2001.990497",
            f"{_CLASSICAL}:NavierStokesFill",
            needs=("mask",),
            cost="0 F",
            chance=False,
        ),
        Method(
            "biharmonic",
            "the smoothest surface that continues what is seen (scikit-image)",
            "doi:10.1155/2018/3950312",
            f"{_CLASSICAL}:BiharmonicFill",
            needs=("mask",),
            cost="0 F",
            chance=False,
        ),
        Method(
            "shift-map",
            "pieces of the picture itself, moved there by a few shifts (OpenCV)",
            "doi:10.1007/978-3-642-33709-3_2",
            f"{_CLASSICAL}:ShiftMapFill",
            needs=("mask",),
            cost="0 F",
            chance=False,
        ),
        Method(
            "fsr",
            "a few waves that fit what is seen, block by block (OpenCV)",
            "doi:10.1109/TIP.2015.2463084",
            f"{_CLASSICAL}:FrequencySelectiveFill",
            needs=("mask",),
            cost="0 F",
            chance=False,
            slow="may take minutes where holes are large: --set fast=true is ten times as fast (vipaint methods fsr)",
        ),
    )
}
