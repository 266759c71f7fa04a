"""Which of Pyro's inference algorithms may run a model whose log p(z) is an estimate.

A diffusion prior gives log p(z_{T_e}) as an unbiased estimate of a lower bound (paper eq. 13-14; DDPM eq. 5). That is
all an algorithm needs which averages log p - log q. One that takes exp of it, for weights, or follows it from call to
call, gets wrong answers without a word: E exp(estimate) > exp(E estimate).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from inspect import isfunction
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = [
    "ALGORITHMS", "AVERAGES", "DENSITY", "FUNCTIONS", "OWN_SITES", "called", "check_algorithms", "guide_of_run",
    "instead_of", "running",
]  # fmt: skip

#: Averages log p - log q, or draws only: takes every form of a model, with a guide made for that form.
AVERAGES = "averages"
#: Averages them too, over sites of its own making: it does not know q above T_e, as the bridge form needs.
OWN_SITES = "own sites"
#: Needs log p of every site itself.
DENSITY = "density"

#: What each class of :mod:`pyro.infer` needs of a model; its subclasses need the same.
ALGORITHMS = {
    "SVI": AVERAGES,  # the loss says more
    "Trace_ELBO": AVERAGES,
    "TraceGraph_ELBO": AVERAGES,
    "TraceMeanField_ELBO": AVERAGES,
    "TraceEnum_ELBO": AVERAGES,  # there is nothing to enumerate
    "JitTrace_ELBO": AVERAGES,
    "JitTraceGraph_ELBO": AVERAGES,
    "JitTraceMeanField_ELBO": AVERAGES,
    "JitTraceEnum_ELBO": AVERAGES,
    "Predictive": AVERAGES,
    "AutoGuide": OWN_SITES,
    "AutoMessenger": OWN_SITES,
    "SVGD": OWN_SITES,
    "RenyiELBO": DENSITY,
    "ReweightedWakeSleep": DENSITY,
    "TraceTMC_ELBO": DENSITY,
    "TraceTailAdaptive_ELBO": DENSITY,
    "Importance": DENSITY,
    "CSIS": DENSITY,
    "WeighedPredictive": DENSITY,
    "HMC": DENSITY,
    "NUTS": DENSITY,
    "RandomWalkKernel": DENSITY,
    "MCMC": DENSITY,
}

#: The same for functions, by the module that holds them.
FUNCTIONS = {
    "pyro.infer.importance": ("vectorized_importance_weights", DENSITY),
    "pyro.infer.mcmc.util": ("initialize_model", DENSITY),
}

_WHY = {
    OWN_SITES: "draws every site itself, and does not know q above T_e in closed form",
    DENSITY: "needs log p of every site, of which there is an estimate only: its weights would be wrong",
}


def running() -> Iterator[tuple[str, str]]:
    """The algorithms of Pyro that are on the call stack, innermost first, so that the user's own is last.

    Pyro does not tell a model what runs it: RenyiELBO makes the very trace that Trace_ELBO makes. Its frames do.

    Returns:
        Pairs of a name and what it needs.
    """
    for frame in _frames():
        module, runner = frame.f_globals["__name__"], frame.f_locals.get("self")
        known = next((c.__name__ for c in type(runner).__mro__ if _is_algorithm(c)), None)
        if known is not None:
            yield type(runner).__name__, ALGORITHMS[known]
        elif module in FUNCTIONS:
            yield FUNCTIONS[module]


def guide_of_run() -> str:
    """What the guide that the outermost of these algorithms was given is called, "the guide AutoNormal"."""
    given = [guide for frame in _frames() if (guide := frame.f_locals.get("guide")) is not None]
    return called(given[-1]) if given else "the guide"


def called(guide: object) -> str:
    """A guide by the name of its class, or its own where it is a function."""
    return f"the guide {guide.__name__ if isfunction(guide) else type(guide).__name__}"


def _frames() -> Iterator[FrameType]:
    """Those of pyro.infer on the call stack, innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("pyro.infer"):
            yield frame
        frame = frame.f_back


def _is_algorithm(cls: type) -> bool:
    return cls.__name__ in ALGORITHMS and cls.__module__.startswith("pyro.infer")


def check_algorithms(what: str, instead: Mapping[str, str]) -> set[str]:
    """Refuse to be run by an algorithm that needs more of a model than this one has.

    Args:
        what: what is run, for the message.
        instead: for each of :data:`OWN_SITES` and :data:`DENSITY` that it cannot serve, what to do instead.

    Returns:
        What those that run it need.

    Raises:
        TypeError: names the algorithm. (Not a ValueError: Pyro appends a table of shapes to these.)
    """
    found = [*running()]
    refused = [(name, needs) for name, needs in found if needs in instead]
    if refused:
        name, needs = refused[-1]
        raise TypeError(f"{name} cannot run {what}: it {_WHY[needs]}. {instead[needs]}")
    return {needs for _, needs in found}


def instead_of(model: DiffusionModel) -> dict[str, str]:
    """What to do where an algorithm needs more than a diffusion model in its form gives; {} where it gives all."""
    e, last = model.timesteps[0], model.last
    closed = not model.num_transitions or model.prior.marginal(e) is not None
    marginal = "Take form='marginal'"
    if not closed:
        unknown = f"This prior knows no density of z_{e}: take timesteps that begin at T = {last}, or Trace_ELBO"
        return {OWN_SITES: marginal, DENSITY: unknown} if model.bridged else {DENSITY: unknown}
    return {OWN_SITES: marginal, DENSITY: marginal} if model.bridged else {}
