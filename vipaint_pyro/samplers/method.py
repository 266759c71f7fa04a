"""What is known of a method: its name, where it lies, what it needs. Nothing heavy is imported until its class is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from vipaint_pyro.lazily import imported

if TYPE_CHECKING:
    from vipaint_pyro.samplers.base import Sampler

__all__ = ["NEEDS", "Method"]

#: What a method may need of the prior and of the measurement, in words.
NEEDS = {
    "mask": "a mask",
    "linear": "a linear operator",
    "gaussian": "Gaussian noise, or none",
    "pixel": "a pixel prior",
    "latent": "a latent prior",
}


@dataclass(frozen=True)
class Method:
    """How to make a sampler.

    Args:
        name: the word for it.
        summary: what it is, in half a line.
        paper: where it is from.
        sampler: the class, or the place where it lies as ``"module:class"``.
        settings: what the name fixes.
        needs: words of :data:`NEEDS`; without them its class refuses before it computes.
        cost: of a sample with the default settings, forward (F) and backward (B) calls of the network.
        chance: whether samples differ; without it all samples of an image are the same.
        slow: what is said before one that may take minutes begins, unless its setting ``fast`` is given.
    """

    name: str
    summary: str
    paper: str
    sampler: str | Callable[..., Sampler]
    settings: Mapping[str, object] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    cost: str = ""
    chance: bool = True
    slow: str = ""

    @property
    def kind(self) -> Any:
        """The sampler's class."""
        return imported(self.sampler) if isinstance(self.sampler, str) else self.sampler

    def open(self) -> dict[str, object]:
        """The settings that may be given, and what they are by default."""
        return {f.name: f.default for f in fields(self.kind) if f.name not in self.settings}
