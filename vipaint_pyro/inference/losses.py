"""Which of Pyro's losses a fit can follow."""

from __future__ import annotations

from pyro.infer import ELBO, TraceMeanField_ELBO

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.wording import shown

__all__ = ["REFUSED", "check_gradients", "check_loss"]

_COMPILED = "makes its traces once, so that later steps would have no terms, and the noise of the first"
#: The losses that :func:`~vipaint_pyro.fit` does not take, and why; ``SVI.step`` may.
REFUSED = {
    "JitTrace_ELBO": _COMPILED,
    "JitTraceGraph_ELBO": _COMPILED,
    "JitTraceMeanField_ELBO": _COMPILED,
    "JitTraceEnum_ELBO": _COMPILED,
    "ReweightedWakeSleep": "has two losses, one of the model, which has nothing to learn",
    "TraceTailAdaptive_ELBO": "has gradients and no loss, so that nothing says whether it went well",
    "Trace_MMD": "draws the model's own z with a gradient, which the reverse diffusion has not",
}


def check_gradients(loss: object, guide: object) -> None:
    """Raise ValueError where a guide's draws have no gradient that the loss could follow.

    Args:
        loss: an ELBO of Pyro, or a class of them.
        guide: a guide, or a class of them.
    """
    kind, made = (thing if isinstance(thing, type) else type(thing) for thing in (loss, guide))
    if issubclass(kind, TraceMeanField_ELBO) and issubclass(made, Guide) and not made.pathwise:
        raise ValueError(
            f"a {made.__name__} chooses among components, which TraceMeanField_ELBO has no gradient of: take "
            "Trace_ELBO (loss='trace'), or another guide"
        )


def check_loss(loss: object) -> None:
    """Raise TypeError for what is no ELBO of Pyro, or one of :data:`REFUSED`, with the reason."""
    if not isinstance(loss, ELBO):
        raise TypeError(f"loss is an ELBO of pyro.infer, like Trace_ELBO(), not {shown(loss)}")
    for kind in type(loss).__mro__:
        if kind.__name__ in REFUSED:
            raise TypeError(f"a fit does not take {kind.__name__}: it {REFUSED[kind.__name__]}. Take Trace_ELBO")
