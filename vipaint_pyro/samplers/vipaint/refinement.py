"""VIPaint's second phase without weights: which steps walk from T_s to the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vipaint_pyro.guides.registry import recipe
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.ddnm import DDNMSampler
from vipaint_pyro.samplers.dps import DPSSampler
from vipaint_pyro.samplers.mmps import MMPSSampler
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.tmpd import TMPDSampler
from vipaint_pyro.samplers.vipaint.clouds import of_each_draw
from vipaint_pyro.samplers.vipaint.gibbs import check_kernels, has_kernels
from vipaint_pyro.samplers.vipaint.settings import REFINEMENT_STEPS, WEIGHED_STEPS, Settings
from vipaint_pyro.settings import settled
from vipaint_pyro.wording import counted

__all__ = ["TWISTED", "check_refinement", "default_steps", "settled_refine", "settled_step", "settled_sweeps", "walk"]

#: What is said of any steps but DPS's beside sequential Monte Carlo.
TWISTED = "correct='smc' has twisted steps of its own below T_s: leave refine out"
#: Gibbs sweeps need steps that draw from p(z_s | z_t, y) as nearly as may be. MMPS's are exact for a Gaussian prior;
#: those of DPS go down the residual by a step size, and have no posterior that they would keep. Those of "tds" are
#: MMPS's, with weights. What MMPS refuses, both refuse.
_GUIDED = {"ddnm": DDNMSampler, "mmps": MMPSSampler, "tmpd": TMPDSampler, "gibbs": MMPSSampler, "tds": MMPSSampler}

#: Gibbs sweeps where nothing is said of them: on mixtures the first does half of what four do, and 16 hardly more.
_SWEEPS = 4


#: What is of a DPS step alone, and what it is settled on with another one.
_OF_DPS = {"zeta": math.inf, "limit": False, "fraction": math.inf, "hidden_pull": 1.0}


def settled_refine(given: Settings, prior: DiffusionPrior, measurement: Measurement) -> str:
    """Which step None stands for.

    Through a decoder a step of fixed length goes wrong where the whole picture is measured; that of MMPS has the
    covariance that the Jacobians of network and decoder say (8 training faces, x4: LPIPS .003 for .008). Where the
    denoiser is exact, weighed particles are nearest to the posterior (docs/how-the-defaults-were-chosen.md).
    """
    if given.refine is not None:
        return given.refine
    linear = isinstance(measurement.operator, LinearOperator) and measurement.likelihood.sigma is not None
    own = given.perceptual_refinement or any(vars(given)[name] is not None for name in _OF_DPS)
    if not linear or own:
        return "dps"
    if prior.is_exact and given.correct == "none" and not given.perceptual:
        return "tds"
    whole = not isinstance(measurement.operator, Inpainting)
    return "mmps" if prior.is_latent and whole and given.correct != "smc" else "dps"


def default_steps(given: Settings) -> int:
    """How many steps there are from T_s, where nothing is said: of weighed particles few, of which there are more."""
    return WEIGHED_STEPS if of_each_draw(given) else REFINEMENT_STEPS


def settled_step(given: Settings, prior: DiffusionPrior, measurement: Measurement) -> dict[str, Any]:
    """The settings of a step with what None stands for; what is of DPS alone has nothing to settle on elsewhere.

    Raises:
        ValueError: where settings of DPS's step are given with another one.
    """
    scale = given.measurement_scale
    if given.correct == "smc":
        _check_no_dps(given, "correct='smc' makes steps of its own")
        return {**_OF_DPS, "measurement_scale": 0.05 if scale is None else scale}
    if given.refine == "dps":
        if given.zeta == math.inf:  # what another step's is settled on
            raise ValueError("zeta is a finite number, at least 0, but is inf")
        some = 0.3 if prior.is_latent else math.inf if measurement.likelihood.noise_alone else 1.0
        return {
            "zeta": _zeta(prior, measurement) if given.zeta is None else given.zeta,
            "limit": True if given.limit is None else given.limit,
            "fraction": given.fraction or some,
            "hidden_pull": 1.0 if given.hidden_pull is None else given.hidden_pull,
            "measurement_scale": 0.0 if scale is None else scale,
        }
    _check_no_dps(given, f"refine is {given.refine!r}")
    if given.perceptual_refinement:
        raise ValueError(
            f"perceptual_refinement pulls beside a DPS step, and refine is {given.refine!r}: leave it at 0"
        )
    some = 0.0 if given.refine == "ddnm" else 0.03
    return {**_OF_DPS, "measurement_scale": some if scale is None else scale}


def _check_no_dps(given: Settings, instead: str) -> None:
    """Raise ValueError for a setting of DPS's step, where there is another one instead."""
    for name, value in _OF_DPS.items():
        if vars(given)[name] not in (None, value):
            raise ValueError(f"{name} is of a DPS step, and {instead}: leave {name} out")


def _zeta(prior: DiffusionPrior, measurement: Measurement) -> float:
    """Of a step's length; a residual's grows with the root of what is measured, and 2 was chosen on 28 x 28 pixels."""
    entries = measurement.y[0].numel()
    return 2.0 if prior.is_latent else 2.0 * max(1.0, math.sqrt(entries / 28**2))


def settled_sweeps(given: Settings, timesteps: Sequence[int]) -> dict[str, int]:
    """The settings of sweeps with what None stands for; all 0 but with ``refine="gibbs"``.

    Raises:
        ValueError: where they are given with another refinement, or are 0 with this one.
    """
    some = {"sweeps": _SWEEPS, "sweep_levels": len(timesteps) if has_kernels(_made(given)) else 1}
    for name in some:
        value = vars(given)[name]
        if given.refine == "gibbs" and value == 0:  # what another refinement is settled on
            raise ValueError(f"{name} is a whole number of at least 1, but is 0")
        if given.refine != "gibbs" and value:
            raise ValueError(f"{name} is of refine='gibbs', and refine is {given.refine!r}: leave {name} out")
    return {name: (vars(given)[name] or default) * (given.refine == "gibbs") for name, default in some.items()}


def _made(given: Settings) -> object:
    """What makes the guide: its class, or a function that does not say which it will be."""
    return recipe(settled(given.guide_name)).maker


def check_refinement(given: Settings, prior: DiffusionPrior, measurement: Measurement) -> None:
    """Raise ValueError where given values exclude each other, or the step is not for this prior and measurement."""
    if given.refine != "dps":
        if given.refine == "tds":
            _check_weighed(given, measurement)
        if given.correct == "smc":
            raise ValueError(TWISTED)
        levels = len(settled(given.timesteps))
        if settled(given.sweep_levels) > levels:
            there = counted(levels, "level")
            raise ValueError(f"sweep_levels is at most {there}, those of the guide, but is {given.sweep_levels}")
        made = _made(given)
        if isinstance(made, type):  # of a function it is seen when it has made the guide
            check_kernels(made, settled(given.sweep_levels))
        walk(given).settle(prior, measurement)
        return
    bounded = given.correct == "smc" or given.limit or settled(given.fraction) < math.inf
    if given.measurement_scale and not bounded:
        raise ValueError(
            "measurement_scale says where a bounded step stops, and no step is bounded: leave limit on or give a "
            "fraction, or leave measurement_scale out"
        )
    if settled(given.hidden_pull) < 1 and not isinstance(measurement.operator, Inpainting):
        raise ValueError("hidden_pull is of what a mask hides, and this is no inpainting: leave it out")
    if given.perceptual_refinement:
        step = walk(given)
        assert isinstance(step, DPSSampler)
        step.perceptual().check(measurement.operator, measurement.y)


def _check_weighed(given: Settings, measurement: Measurement) -> None:
    if given.correct != "none":
        raise ValueError(f"refine='tds' has weights of its own, and correct is {given.correct!r}: leave correct out")
    if recipe(settled(given.guide_name)).point and not of_each_draw(given):
        raise ValueError(
            f"the guide {given.guide_name!r} is a point: it has no density to weigh its draws with; take "
            "refine='mmps', or another guide"
        )
    if not isinstance(measurement.operator, LinearOperator):
        raise ValueError("refine='tds' is for linear measurements: take 'dps' or 'mmps'")


def walk(given: Settings) -> ReverseSampler:
    """The sampler that walks down from T_s, by its settings once they are given."""
    common: dict[str, Any] = {"num_steps": given.refinement_steps, "eta": given.eta, "chunk": given.chunk}
    if given.refine != "dps":
        scale = given.measurement_scale
        if given.refine == "ddnm" and scale == 0:  # of a measurement without noise, which ddnm alone may have
            scale = None
        return _GUIDED[settled(given.refine)](measurement_scale=scale, **common)
    return DPSSampler(
        zeta=settled(given.zeta),
        limit=settled(given.limit),
        hidden_pull=settled(given.hidden_pull),
        fraction=None if math.isinf(settled(given.fraction)) else given.fraction,
        perceptual_refinement=given.perceptual_refinement,
        perceptual_net=given.perceptual_net,
        perceptual_weights=given.perceptual_weights or None,
        **common,
    )
