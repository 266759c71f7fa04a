"""Which features of pictures there are, and what a table calls distances on them: names alone, no network."""

from __future__ import annotations

from dataclasses import dataclass

from vipaint_pyro.wording import shown

__all__ = ["FEATURES", "Kind", "kind_of", "titled"]


@dataclass(frozen=True)
class Kind:
    """Features that can be asked for by name.

    Attributes:
        title: their name in tables.
        dimension: F.
        text: one line for people.
        by_path: whether the network's weights are a file of the user's.
    """

    title: str
    dimension: int
    text: str
    by_path: bool = False


#: By name. None of those that ship is the Inception of published tables: their titles say so.
FEATURES: dict[str, Kind] = {
    "lpips-alex": Kind(
        "LPIPS-Alex", 256, "the last convolution of LPIPS's AlexNet (ImageNet's weights), averaged over places"
    ),
    "faces-classifier": Kind(
        "face-classifier", 128, "the last convolution of the cartoon faces' classifier, averaged over places"
    ),
    "inception": Kind("Inception", 2048, "pool3 of torch-fidelity's Inception v3, the one of published tables", True),
}  # fmt: skip


def kind_of(name: str) -> Kind:
    """Features by their name.

    Raises:
        ValueError: for unknown ones.
    """
    if not isinstance(name, str) or name not in FEATURES:
        raise ValueError(f"features are one of {', '.join(FEATURES)}, not {shown(name)}")
    return FEATURES[name]


def titled(metric: str, name: str) -> str:
    """A metric on features as a table calls it: "KID on LPIPS-Alex features", never plain "KID".

    Raises:
        ValueError: for unknown features.
    """
    return f"{metric} on {kind_of(name).title} features"
