"""Methods at equal cost: settings with which a sample takes so many forward calls of the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch

from vipaint_pyro.evaluation.study.claims import claimed
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.registry import make_sampler, method
from vipaint_pyro.samplers.vipaint.levels import RATIOS, timesteps_for
from vipaint_pyro.settings import checked, remade, whole

__all__ = ["BUDGETS", "Budget", "at_calls"]

#: Calls are hit within a tenth, or three.
_SHARE, _CALLS = 0.1, 3
#: Forward calls per sample by settings.
Cost = Callable[[Mapping[str, object]], float]


@dataclass(frozen=True)
class Budget:
    """How a method spends more or fewer calls.

    Args:
        why: in a sentence.
        steps: the setting that carries the calls.
        inner: settings that keep their proportion to it, as far as whole numbers allow, and what each is at least.
        factors: settings that are multiplied up from step to step: their product over all steps is kept.
        beyond: a setting that ``steps`` has to exceed.
        fit: the setting that carries half of the calls, where a fit and what follows it share them.
        least: of ``steps``.
        unbounded: whether there may be more steps than the prior has times.
    """

    why: str
    steps: str = "num_steps"
    inner: Mapping[str, int] = field(default_factory=dict)
    factors: tuple[str, ...] = ()
    beyond: str = ""
    fit: str = ""
    least: int = 1
    unbounded: bool = False


_PLAIN = Budget("One call a step, and nothing else calls the network.")
_JUMP, _GROWTH = {"jump_length": 1}, ("lr_growth", "prox_growth")

#: What carries the calls of each method. A method of your own joins them by ``BUDGETS["name"] = Budget("why")``.
BUDGETS: dict[str, Budget] = {
    "vipaint": Budget(
        "Half of a sample's calls go to the fit, half to the draw and its refinement, as with the default settings "
        "and five samples (120 and 103): more samples that share a fit give it more steps, and where there are all "
        "steps below T_s in the refinement, the fit takes the rest. With refine='tds' every particle of a sample makes "
        "a step, and what they need for their weights leaves the fit less where calls are few.",
        "refinement_steps",
        fit="fit_steps",
    ),
    **dict.fromkeys(("dps", "blended", "ddnm", "pigdm", "mmps", "tmpd", "red-diff"), _PLAIN),
    "repaint": Budget(
        "A jump is the same share of the way down (10 of 250 steps) and every stretch is walked down ten times, which "
        "is the method; fewer calls are fewer steps.",
        inner=_JUMP, beyond="jump_length",
    ),
    "copaint": Budget(
        "The two gradient steps at every level are the method; fewer calls are fewer levels, over which the step size "
        "grows as much as over the published 250. A gradient step that is too long costs a call more than is aimed at.",
        factors=_GROWTH,
    ),
    "copaint-tt": Budget(
        "As copaint, with jumps over the same share of the way down (10 of 250 steps).",
        inner=_JUMP, factors=_GROWTH, beyond="jump_length",
    ),
    "tds": Budget("Steps and particles stay in proportion (25 and 10).", inner={"particles": 1}, least=2),
    "daps": Budget(
        "Levels and the Euler steps at each stay in proportion (200 and 5, on latents 50 and 2), so that both grow by "
        "the square root of the calls; the chain calls no network and is left alone.",
        inner={"ode_steps": 1}, unbounded=True,
    ),
    "mgps": Budget(
        "The gradient steps at a level are the method; fewer calls are fewer levels, the same share of them intense.",
        inner={"first_intense": 0},
    ),
    "mgdm": Budget(
        "Levels, gradient steps and denoising steps at each stay in proportion (100, 3 or 20, and 20), so that they "
        "grow by the square root of the calls: with 20 denoising steps a level, 50 calls would be two levels.",
        inner={"num_gradients": 1, "intense_gradients": 1, "denoising_steps": 1}, least=2,
    ),
    "psld": _PLAIN,
    "resample": Budget(
        "Every tenth step resamples, with five steps to refresh the prediction, which is the method."
    ),
    "red-diff-v": Budget("One call a step, of any number: its times are drawn at random.", unbounded=True),
}  # fmt: skip


def at_calls(
    name: str, calls: int, prior: DiffusionPrior, num_samples: int, given: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Settings with which a sample costs about so many forward calls, within a tenth or three calls.

    They are those that :func:`~vipaint_pyro.evaluation.study.claims.claim` says it of. CoPaint's calls depend on the
    data: a step that is too long costs one more, which is not aimed at. With a ``fit_patience`` in ``given`` a sample
    costs so many at most.

    Args:
        name: one of :data:`~vipaint_pyro.samplers.registry.METHODS`, or "vipaint-K" with K levels.
        calls: forward calls per sample, a fit's share included.
        prior: which they are called on.
        num_samples: S per image, which share the calls of a fit.
        given: other settings that it will have, which may change what a step costs (levels, chains); those that carry
            the calls are not looked at.

    Raises:
        ValueError: for a name there is none of, a method that is not for such a prior or of which nothing is said in
            :data:`BUDGETS`, or calls that cannot be hit, with the nearest that can.
    """
    checked("calls", calls, whole())
    checked("num_samples", num_samples, whole())
    kind, fixed = _named(name, prior)
    if kind not in BUDGETS:
        known = ", ".join(BUDGETS)
        raise ValueError(f"{kind} cannot be given a number of calls: nothing says what carries them, as of {known}")
    budget, seen = BUDGETS[kind], _anything(prior)
    carried = {budget.steps, budget.fit, *budget.inner, *budget.factors}
    fixed |= {setting: value for setting, value in (given or {}).items() if setting not in carried}
    small = {budget.steps: max(2, budget.least)} | dict.fromkeys(budget.inner, 1)
    settled = make_sampler(kind, **fixed, **small).settle(prior, seen)
    costs: dict[tuple, float] = {}

    def cost(settings: Mapping[str, object]) -> float:
        key = tuple(settings.items())
        if key not in costs:
            costs[key] = claimed(remade(settled, **settings), prior, num_samples).forward
        return costs[key]

    if budget.fit:
        found = [_halved(budget, cost, calls, vars(settled)["timesteps"][-1] + 1)]
    else:
        found = list(_in_proportion(budget, kind, cost, calls, prior))
    near = [settings for settings in found if abs(cost(settings) - calls) <= max(_SHARE * calls, _CALLS)]
    if not near:
        raise ValueError(_cannot(name, calls, [cost(settings) for settings in found]))
    chosen = fixed | near[0]
    make_sampler(kind, **chosen).settle(prior, seen)
    return chosen


def _named(name: str, prior: DiffusionPrior) -> tuple[str, dict[str, object]]:
    """A method of the registry, and the settings that a name like vipaint-2 fixes."""
    for levels in RATIOS:
        if name == f"vipaint-{levels}":
            return "vipaint", {"timesteps": timesteps_for(prior, levels)}
    return method(name).name, {}


def _anything(prior: DiffusionPrior) -> Measurement:
    """A measurement that every method is for: calls depend on none."""
    shape = (prior.num_conditions or 1, *prior.image_shape)
    observed = torch.ones(shape, dtype=torch.bool, device="cpu")
    return Measurement.of(Inpainting(observed), torch.zeros(shape, dtype=prior.dtype, device="cpu"))


def _halved(budget: Budget, cost: Cost, calls: int, last: int) -> dict[str, object]:
    """Half of the calls for the fit, as far as the other half can take the rest."""

    def of(fit: int, rest: int) -> dict[str, object]:
        return {budget.fit: fit, budget.steps: rest}

    step, each = cost(of(2, 1)) - cost(of(1, 1)), cost(of(1, 2)) - cost(of(1, 1))  # per sample; one by every sweep
    others = cost(of(1, 1)) - step - each
    fit = max(1, round(calls / 2 / step))
    rest = round((calls - fit * step - others) / each)
    if rest > last:
        fit, rest = max(1, round((calls - each * last - others) / step)), last
    elif rest < 1:  # what neither of them can be without takes more than half
        fit, rest = max(1, round((calls - each - others) / step)), 1
    return of(fit, max(1, rest))


def _in_proportion(budget: Budget, kind: str, cost: Cost, calls: int, prior: DiffusionPrior) -> Iterator[dict]:
    """For each value of the inner settings the number of steps that comes nearest, the best proportions first."""
    default = _defaults(budget, kind, prior)
    published = default[budget.steps]
    most = max(calls, budget.least) if budget.unbounded else prior.schedule.num_timesteps

    def with_steps(steps: int, inner: Mapping[str, int]) -> dict[str, object]:
        factors = {name: default[name] ** (published / steps) for name in budget.factors if default[name] != 1}
        return {budget.steps: steps, **inner, **factors}

    def proportional(steps: int) -> tuple[int, ...]:
        return tuple(max(low, math.floor(default[n] * steps / published + 0.5)) for n, low in budget.inner.items())

    def inner_of(values: tuple[int, ...]) -> dict[str, int]:
        return dict(zip(budget.inner, values, strict=True))

    def spent(inner: Mapping[str, int], steps: int) -> float:
        return cost(with_steps(steps, inner))

    # Inner settings jump at some numbers of steps: those a little on both sides come into question, too.
    low = budget.least + (1 if budget.beyond else 0)
    middle = _nearest(lambda steps: spent(inner_of(proportional(steps)), steps), calls, low, most)
    near = range(max(low, int(middle / 1.6)), min(most, math.ceil(middle * 1.6)) + 1)
    found = []
    for values in dict.fromkeys(map(proportional, near)):
        inner = inner_of(values)
        lowest = max(low, inner[budget.beyond] + 1 if budget.beyond else 1)
        if lowest > most:
            continue
        steps = _nearest(partial(spent, inner), calls, lowest, most)
        own = [steps for steps in near if proportional(steps) == values]
        away = math.log(max(steps / own[-1], own[0] / steps, 1))
        found.append((away, abs(spent(inner, steps) - calls), with_steps(steps, inner)))
    yield from (settings for _, _, settings in sorted(found, key=lambda item: item[:2]))


def _defaults(budget: Budget, kind: str, prior: DiffusionPrior) -> dict:
    """The default settings; what None stands for on this prior where they leave the steps open."""
    made = make_sampler(kind)
    if vars(made)[budget.steps] is None:
        made = made.settle(prior, _anything(prior))
    return vars(made)


def _nearest(cost: Callable[[int], float], calls: int, low: int, high: int) -> int:
    """The number of steps in low ... high whose cost, which grows with it, comes nearest."""
    top = low
    while top < high and cost(top) < calls:  # what is far too much takes long to count
        low, top = top, min(2 * top, high)
    while top - low > 1:
        middle = (low + top) // 2
        low, top = (middle, top) if cost(middle) <= calls else (low, middle)
    return min((low, top), key=lambda steps: abs(cost(steps) - calls))


def _cannot(name: str, calls: int, costs: list[float]) -> str:
    least, most = min(costs), max(costs)
    says = f"{name} cannot be made to cost {calls} forward calls per sample on this prior: "
    if least > calls:
        return f"{says}the least is {least:g}"
    if most < calls:
        return f"{says}the most is {most:g}"
    return f"{says}the nearest are {max(c for c in costs if c <= calls):g} and {min(c for c in costs if c >= calls):g}"
