"""Methods at equal cost: settings with which a sample takes so many forward calls of the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch

from vipaint_pyro.evaluation.study.budgets import Budget, budget_of
from vipaint_pyro.evaluation.study.stand_in import forward_calls
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.registry import make_sampler, method
from vipaint_pyro.samplers.vipaint.clouds import of_each_draw
from vipaint_pyro.samplers.vipaint.levels import RATIOS, timesteps_for
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.settings import checked, remade, whole

__all__ = ["at_calls"]

#: Calls are hit within a tenth, or three.
_SHARE, _CALLS = 0.1, 3
#: Forward calls per sample by settings.
Cost = Callable[[Mapping[str, object]], float]


def at_calls(
    name: str, calls: int, prior: DiffusionPrior, num_samples: int, given: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Settings with which a sample costs about so many forward calls, within a tenth or three calls.

    They are those that :func:`~vipaint_pyro.evaluation.study.claims.claim` says it of, of a sampler of one's own those
    that a draw counts. CoPaint's depend on the data: a step that is too long costs one more, which is not aimed at.
    With a ``fit_patience`` in ``given`` a sample costs so many at most.

    Args:
        name: one of :data:`~vipaint_pyro.samplers.registry.METHODS`, "vipaint-K" with K levels, or one of your own.
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
    budget, seen = budget_of(kind), _anything(prior)
    carried = {budget.steps, budget.fit, *budget.inner, *budget.factors}
    fixed |= {setting: value for setting, value in (given or {}).items() if setting not in carried}
    small = {budget.steps: max(2, budget.least)} | dict.fromkeys(budget.inner, 1)
    settled = make_sampler(kind, **fixed, **small).settle(prior, seen)
    costs: dict[tuple, float] = {}

    def cost(settings: Mapping[str, object]) -> float:
        key = tuple(settings.items())
        if key not in costs:
            costs[key] = forward_calls(remade(settled, **settings), prior, seen, num_samples)
        return costs[key]

    if budget.fit:
        weighed = isinstance(settled, VIPaintSampler) and of_each_draw(settled)
        most = VIPaintSampler().fit_steps if weighed else calls * num_samples  # particles are worth more than a fit
        found = [_halved(budget, cost, calls, vars(settled)["timesteps"][-1] + 1, most)]
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


def _halved(budget: Budget, cost: Cost, calls: int, last: int, most: int) -> dict[str, object]:
    """Half of the calls for the fit, ``most`` steps at most, as far as the other half can take the rest."""

    def of(fit: int, rest: int) -> dict[str, object]:
        return {budget.fit: fit, budget.steps: rest}

    step, each = cost(of(2, 1)) - cost(of(1, 1)), cost(of(1, 2)) - cost(of(1, 1))  # per sample; one by every sweep
    others = cost(of(1, 1)) - step - each
    fit = min(max(1, round(calls / 2 / step)), most)
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
