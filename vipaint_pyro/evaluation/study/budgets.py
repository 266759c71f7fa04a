"""What carries the calls of each method: which of its settings are more or less where it is given more or fewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vipaint_pyro.samplers.registry import method

__all__ = ["BUDGETS", "Budget", "budget_of"]


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
        "a step, and the fit has its 50 steps at most, since more particles' steps are worth more.",
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


def budget_of(kind: str) -> Budget:
    """That of the table; of a sampler of one's own that has steps, these carry the calls.

    Raises:
        ValueError: for a method of which nothing is said.
    """
    if kind in BUDGETS:
        return BUDGETS[kind]
    known, mend = ", ".join(BUDGETS), ""
    if ":" in kind:
        if _PLAIN.steps in method(kind).open():
            return _PLAIN
        mend = f". Give it a setting {_PLAIN.steps}, or say it: budgets.BUDGETS[{kind!r}] = Budget(...)"
    raise ValueError(f"{kind} cannot be given a number of calls: nothing says what carries them, as of {known}{mend}")
