r"""Methods by name, each drawing from the posterior of the benchmark's problems."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import cast

import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro.calibration import psis
from vipaint_pyro.evaluation.exact_baselines import BASELINES, baseline, is_baseline, seen_by
from vipaint_pyro.evaluation.exact_guides import CORRECTIONS, GuideRow
from vipaint_pyro.evaluation.exact_rows import CALIBRATION, calibration_row
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.exact.problems import Problems, mixture_problems
from vipaint_pyro.guides import MarkovGuide
from vipaint_pyro.guides.own import entry_points_by_name
from vipaint_pyro.guides.registry import GUIDES
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.optimizers import decaying_optimizer
from vipaint_pyro.inference.particles import systematic
from vipaint_pyro.inference.proposals import PosteriorMean, Pulled
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.randomness import isolated
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import METHODS
from vipaint_pyro.settings import Kind, choice, number, settled, whole
from vipaint_pyro.wording import did_you_mean

__all__ = ["CALIBRATION", "CORRECTIONS", "LIKELIHOODS", "Draws", "Lab", "check_name", "draw_named"]

LIKELIHOODS = {"moment-matched": MomentMatched, "exact": ExactGaussian, "plug-in": Gaussian}


@dataclass(frozen=True)
class Lab:
    """One configuration for every cell of the table.

    Args:
        ratios: noise-to-signal ratios sigma/alpha of the guide's timesteps. The first has to be high
            enough for the modes to have merged; a guide of one level takes the first.
        fit_steps: gradient steps, at rates that fall from ten times the guide's own to a tenth.
        fit_chains: Monte Carlo chains per step.
        steps: twisted steps from T_s to x.
        samples: per problem.
        likelihood: seen at the levels while sampling, by its name in :data:`LIKELIHOODS`. The fit
            always has the exact one, so that its bound is one on the true log p(y).
        beta: of the fit.
        noise_scale: b of VIPaint's Laplace likelihood, in units of y, which the fit then has in the exact one's place;
            the bound that is measured stays one on the true log p(y). None: the exact one.
        kernel: of the prior: ``"exact"``, or ``"gaussian"``, the step that a network's sampler takes.
        dps_steps, dps_zeta: of the baseline DPS.
        red_diff_steps, red_diff_lr: of the baseline RED-diff, whose rate is the one its authors take
            for 100 steps.
    """

    ratios: tuple[float, ...] = (100.0, 60.0, 40.0, 25.0)
    fit_steps: int = 200
    fit_chains: int = 16
    steps: int = 90
    samples: int = 2000
    likelihood: str = "moment-matched"
    beta: float = 1.0
    kernel: str = "exact"
    dps_steps: int = 100
    dps_zeta: float = 0.2
    red_diff_steps: int = 100
    red_diff_lr: float = 0.5
    noise_scale: float | None = None

    def __post_init__(self) -> None:
        for name in ("fit_steps", "fit_chains", "steps", "samples", "dps_steps", "red_diff_steps"):
            _check(name, vars(self)[name], whole())
        for name in ("beta", "dps_zeta", "red_diff_lr"):
            _check(name, vars(self)[name], number(above=0))
        if self.noise_scale is not None:
            _check("noise_scale", self.noise_scale, number(above=0))
        _check("likelihood", self.likelihood, choice(LIKELIHOODS))


def _check(name: str, value: object, kind: Kind) -> None:
    if not kind.check(value):
        raise ValueError(f"{name} {kind.expected(value)}, but is {value!r}")


@dataclass
class Draws:
    """What a method returns for N problems.

    Attributes:
        x: (S, N, 1, 1, D).
        log_evidence: its estimate of log p(y), (N,), or None.
        bound: on log p(y), with its standard error: (N,) each, or None.
        k_hat: Pareto k of the importance weights at T_s, (N,), or None.
        fit_calls, calls: denoiser calls per problem of the fit, and per sample after it.
        fit_seconds, seconds: for all N problems.
    """

    x: Tensor
    log_evidence: Tensor | None = None
    bound: tuple[Tensor, Tensor] | None = None
    k_hat: Tensor | None = None
    fit_calls: float = 0.0
    calls: float = 0.0
    fit_seconds: float = 0.0
    seconds: float = 0.0


def draw_named(name: str, problems: Problems, lab: Lab, seed: int = 0) -> Draws:
    """Draw with a method by name: a calibration row, a sampler, or a guide, as ``mixture`` or ``mixture+smc``.

    Raises:
        ValueError: for an unknown method, correction or likelihood.
    """
    check_name(name, lab)
    with isolated(seed):
        if name in CALIBRATION:
            return Draws(calibration_row(name, problems, lab.samples))
        if is_baseline(name):
            return _sampled(baseline(name, lab), problems, seen_by(name, problems), lab.samples, seed)
        return _guided(GuideRow.of(name), problems, lab, seed)


def check_name(name: str, lab: Lab) -> None:
    """Raise ValueError where :func:`draw_named` does not know what to do, or cannot with these settings."""
    few = mixture_problems(2, 1, range(1), kernel=lab.kernel)
    if name in CALIBRATION:
        return
    if is_baseline(name):  # says whether it is for such problems
        baseline(name, lab).settle(few.prior, seen_by(name, few))
        return
    row = GuideRow.of(name)
    if is_baseline(row.name) and row.correction != "none":
        raise ValueError(f"{row.name} has no weights to correct it by: leave +{row.correction} out")
    alone = re.split("[@:]", name)[0]
    if alone in (*CALIBRATION, *BASELINES, *METHODS):
        own = f"{alone} has neither calls nor settings"
        other = f"here no number of calls is given, but {alone} may have settings behind a colon"
        raise ValueError(f"unknown method {name!r}: {own if alone in CALIBRATION else other}")
    if ":" not in row.name and row.name not in (*GUIDES, *entry_points_by_name()):
        known = (*CALIBRATION, *BASELINES, *METHODS, *GUIDES)
        raise ValueError(
            f"unknown method {name!r}. {did_you_mean(name, known)}There are the rows {', '.join(CALIBRATION)}, what "
            "vipaint methods lists, vipaint-mmps, vipaint-gibbs and vipaint-tds, and what vipaint guides lists or "
            "package.module:Class, each guide alone or with +psis, +smc or +tds, its settings as in "
            "mixture:num-components=4+smc"
        )
    row.check()
    with isolated(0):
        most = row.built(few, lab.ratios, lab.beta, lab.noise_scale)[0].timesteps[-1] + 1
    if lab.steps > most:
        raise ValueError(f"steps is at most {most} for {name}, the times from T_s to x, but is {lab.steps}")


def _sampled(sampler: Sampler, problems: Problems, seen: Measurement, num: int, seed: int) -> Draws:
    """S draws for each problem by a sampler; the calls of each are its own."""
    start = time.perf_counter()
    drawn = sampler(problems.prior, seen, num, torch.Generator().manual_seed(seed))
    return Draws(drawn.images, calls=sum(drawn.calls.values()) / num, seconds=time.perf_counter() - start)


def _guided(row: GuideRow, problems: Problems, lab: Lab, seed: int) -> Draws:
    (prior, calls), correction = count_calls(problems.prior), row.correction
    known = replace(problems, prior=cast(GaussianMixturePrior, prior))
    model, guide = row.built(known, lab.ratios, lab.beta, lab.noise_scale)
    if not isinstance(guide, MarkovGuide) and len(problems) > 1:
        parts = [_guided(row, problems[i], lab, seed + i) for i in range(len(problems))]
        return _joined(parts)
    calls.total, generator, start = 0, torch.Generator().manual_seed(seed), time.perf_counter()
    fit(
        model,
        guide,
        problems.y,
        num_steps=lab.fit_steps,
        optim=decaying_optimizer(guide, lab.fit_steps),
        loss=Trace_ELBO(num_particles=lab.fit_chains, vectorize_particles=True, max_plate_nesting=3),
        generator=generator,
    )
    guide = guide.finish()
    fit_calls, fit_seconds = calls.total, time.perf_counter() - start

    # log w at T_s under the exact likelihood: its mean is the bound, and its tail is k.
    start = time.perf_counter()
    path = draw_path(model, guide, lab.samples, generator)
    log_w = log_importance_weights(model, path, problems.y, likelihood=ExactGaussian(problems.sigma))
    weights = psis(log_w, dim=0)
    used, seconds = calls.total - fit_calls, time.perf_counter() - start
    bound = log_w.mean(0), log_w.std(0) / lab.samples**0.5

    seen = Measurement(problems.operator, LIKELIHOODS[lab.likelihood](problems.sigma), problems.y)
    start, before = time.perf_counter(), calls.total
    begin = None
    if correction == "psis":
        index = systematic(weights.smoothed, torch.rand(len(problems), dtype=log_w.dtype, device=log_w.device))
        begin = path.z[model.timesteps[-1]][index, torch.arange(len(problems), device="cpu")]
    proposal = PosteriorMean() if correction == "tds" else Pulled()
    settings = SMC(lab.samples, lab.steps, weigh=correction in ("smc", "tds"), proposal=proposal)
    particles = run_smc(model, guide, seen, settings, start=begin, generator=generator)
    seconds = time.perf_counter() - start + (seconds if correction == "psis" else 0.0)
    total = calls.total - before + (used if correction == "psis" else 0)
    evidence = weights.log_mean if correction == "psis" else particles.log_evidence  # None without weights
    return Draws(
        particles.images, evidence, bound, weights.k_hat, fit_calls / len(problems),
        total / lab.samples / len(problems), fit_seconds, seconds,
    )  # fmt: skip


def _joined(parts: list[Draws]) -> Draws:
    """The draws of single problems as those of all."""

    def cat(name, dim=0):
        values = [getattr(p, name) for p in parts]
        return None if values[0] is None else torch.cat(values, dim)

    mean_bound, its_error = (torch.cat([settled(p.bound)[i] for p in parts]) for i in (0, 1))
    mean = {n: sum(getattr(p, n) for p in parts) / len(parts) for n in ("fit_calls", "calls")}
    total = {n: sum(getattr(p, n) for p in parts) for n in ("fit_seconds", "seconds")}
    return Draws(cat("x", 1), cat("log_evidence"), (mean_bound, its_error), cat("k_hat"), **mean, **total)
