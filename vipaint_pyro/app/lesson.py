r"""Where the right answer is known: one dimension, a mixture of two Gaussians as the prior, one measured number.

y = x + noise. The posterior is a mixture as well, exact, and so is log p(y): what a guide's bound falls short of it is
the KL divergence that is left. The model sees y at T_s by the exact p(y | z), so that nothing but the guide is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro.alone import alone
from vipaint_pyro.exact import ExactPosterior, GaussianMixturePrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import Guide, make_guide
from vipaint_pyro.guides.registry import recipe
from vipaint_pyro.inference import fit
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.randomness import isolated

__all__ = ["GUIDES", "LAST", "Answer", "Question", "answer", "levels"]

#: T_s: z still shows there in which mode x is.
LAST = 100
#: The guides that a lesson compares, by name: in words, and settings.
GUIDES: dict[str, tuple[str, dict]] = {
    "hierarchical": ("hierarchical (VIPaint's)", {}),
    "gaussian": ("one Gaussian at T_s", {}),
    "mean-field": ("mean field: levels independent", {}),
    "mixture": ("mixture of two Gaussians at T_e", {"num_components": 2, "spread": 1.5}),
}
_HERE: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
_MEANS, _WEIGHTS, _SPREADS = (-1.5, 1.5), (0.6, 0.4), (0.25, 0.35)


@dataclass(frozen=True)
class Question:
    """What the sliders say.

    Attributes:
        y: what was measured.
        noise: its standard deviation.
        top: T_e.
        count: K, how many levels there are from T_e down to :data:`LAST`.
        beta: weight of the KL terms in the fit.
        guide: one of :data:`GUIDES`.
        steps: of the fit.
        seed: of its noise.
    """

    y: float = 0.2
    noise: float = 1.0
    top: int = 396
    count: int = 4
    beta: float = 1.0
    guide: str = "hierarchical"
    steps: int = 80
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Answer:
    """The exact posterior, and what the guide makes of it.

    Attributes:
        question: that was asked.
        times: T_e > ... > T_s of the guide.
        grid: points x, (G,).
        prior, exact, guide: densities there, (G,).
        evidence: log p(y), in nats.
        bound: the guide's on it (at beta = 1, whatever it was fitted with), and its standard error.
        losses: of the fit, minus its own bound.
    """

    question: Question
    times: tuple[int, ...]
    grid: Tensor
    prior: Tensor
    exact: Tensor
    guide: Tensor
    evidence: float
    bound: tuple[float, float]
    losses: list[float]

    @property
    def overlap(self) -> float:
        """The area that both densities share, in [0, 1]."""
        return float(torch.trapezoid(torch.minimum(self.exact, self.guide), self.grid))


def levels(top: int, count: int) -> tuple[int, ...]:
    """K whole times from T_e down to T_s, evenly; T_s alone of one level."""
    if count == 1:
        return (LAST,)
    return tuple(round(LAST + (top - LAST) * k / (count - 1)) for k in reversed(range(count)))


def answer(question: Question, draws: int = 2000) -> Answer:
    """Fit the guide and compare.

    Raises:
        ValueError: for a question that cannot be.
    """
    y, times = torch.full((1, 1, 1, 1), question.y, **_HERE), _times(question)
    schedule = NoiseSchedule.variance_preserving()
    means = torch.tensor(_MEANS, **_HERE)[:, None]
    variances = torch.tensor(_SPREADS, **_HERE)[:, None] ** 2
    prior = GaussianMixturePrior(torch.tensor(_WEIGHTS, **_HERE), means, schedule, variances=variances)
    operator = Matrix(torch.ones(1, 1, **_HERE))
    posterior, grid = exact_posterior(prior, operator, y, question.noise), torch.linspace(-3, 3, 241, **_HERE)
    with alone(), isolated(question.seed):
        guide, losses = _fitted(question, prior, operator, times, y)
        model = DiffusionModel(prior, operator, times, ExactGaussian(question.noise), form="marginal")
        path = draw_path(model, guide, draws)
        log_w = log_importance_weights(model, path, y)[:, 0]
        z = path.z[times[-1]][:400]
        q = ExactPosterior(prior.exactly_measured(operator, question.noise, z, times[-1]), y)
        before, exact, after = (_density(p, grid) for p in (prior.marginal(CLEAN), posterior, q))
    bound = log_w.mean().item(), log_w.std().item() / draws**0.5
    return Answer(question, times, grid, before, exact, after, posterior.log_evidence.item(), bound, losses)


def _times(question: Question) -> tuple[int, ...]:
    if question.guide not in GUIDES:
        raise ValueError(f"The guide is one of {', '.join(GUIDES)}, not {question.guide!r}")
    if question.count > 1 and not LAST + question.count <= question.top <= 999:
        raise ValueError(f"T_e lies above T_s = {LAST} and below 1000, not at {question.top}")
    if not question.noise > 0 or not question.beta > 0:
        raise ValueError("The noise and beta are above 0")
    only = recipe(question.guide).levels
    return levels(question.top, int(question.count) if only is None else only)


def _fitted(
    question: Question, prior: DiffusionPrior, operator: Operator, times: tuple[int, ...], y: Tensor
) -> tuple[Guide, list[float]]:
    model = DiffusionModel(
        prior, operator, times, ExactGaussian(question.noise), beta=question.beta, form="marginal"
    )
    guide = make_guide(question.guide, model, y, **GUIDES[question.guide][1])
    loss = Trace_ELBO(num_particles=16, vectorize_particles=True, max_plate_nesting=3)
    generator = torch.Generator().manual_seed(question.seed)
    record = fit(model, guide, y, num_steps=question.steps, loss=loss, generator=generator)
    return guide, record.losses


def _density(distribution: Any, grid: Tensor) -> Tensor:
    """p at every point of the grid, averaged over the distribution's batch."""
    with torch.no_grad():
        p = distribution.log_prob(grid[:, None, None, None, None, None]).exp()
    return p.flatten(1).mean(1)
