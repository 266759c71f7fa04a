"""VIPaint's settings: of the fit, of the refinement, of a correction.

Imports nothing heavy, so that the command line can make its options of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from operator import index

from vipaint_pyro.samplers.chunk import chunk_setting
from vipaint_pyro.settings import Kind, choice, mapping, number, path, setting, switch, times, whole

__all__ = ["CORRECTIONS", "LOSSES", "REFINEMENTS", "REFINEMENT_STEPS", "Correct", "Fit", "Refine", "Settings"]

#: The ELBO estimators by name: both agree in mean, the second takes Gaussian KLs in closed form.
LOSSES = {"trace": "Trace_ELBO", "mean-field": "TraceMeanField_ELBO"}

#: What may be done about a guide that is not the posterior.
CORRECTIONS = ("none", "psis", "smc")

#: The steps that walk from T_s to the image, by the names that they have as methods.
REFINEMENTS = ("dps", "ddnm", "mmps", "tmpd", "gibbs", "tds")

#: Where a schedule has as many times below T_s; of particles, of which many with few steps are worth more.
REFINEMENT_STEPS, WEIGHED_STEPS = 100, 25

_A_GUIDE = Kind(str, lambda value: isinstance(value, (str, type)), "is a name, package.module:Class, or such a class")


@dataclass(frozen=True)
class Fit:
    """How a guide is fitted.

    Args:
        timesteps: T_e > ... > T_s; None takes the prior's times at the ratios of
            :func:`~vipaint_pyro.samplers.vipaint.levels.ratios_for`.
        beta: weight of the latent sites in the bound.
        noise_scale: b of the Laplace likelihood, in units of [-1, 1]. It stands for what the one-step
            prediction at T_s leaves open, far more than for noise in y; a small b bends the guide
            away from the prior to match pixels that the refinement matches anyway. None: d_y / D, entries
            of y (those that a mask hides included) per image entry: 1 for an inpainting or a blur; a reduction by s
            measures s^2 times fewer, each the mean of many, and gets a b as much smaller. For a pixel prior's
            inpainting that is what the paper's coefficients amount to; for a latent one of d dimensions that would be
            D / d, with which the guide hardly follows what is seen and the refinement has to. 0.3 behind a mask
            where the prior's denoiser is exact, since the levels lie higher there. A measurement whose
            likelihood stands for more than the noise (``noise_alone``) is fitted under that one instead.
        fit_steps: gradient steps of the fit; the most where it may end before.
        fit_patience: the fit of an image ends once its losses of so many steps are no lower than those of as many
            before (:class:`~vipaint_pyro.inference.settling.Settling`); 0 makes all of ``fit_steps``.
        num_chains: Monte Carlo chains per step.
        num_levels: transitions above T_e per chain and step.
        loss: ``"trace"`` (Trace_ELBO) or ``"mean-field"`` (TraceMeanField_ELBO).
        guide_name: which guide is fitted: its name, as :data:`vipaint_pyro.guides.GUIDES` or an installed package has
            it; ``"package.module:Class"``, one of your own, or that class, which is settled as its place. None:
            ``"hierarchical-guided"`` for a pixel prior and y linear in the image, with Gaussian noise or none, whose
            bound is the better one there, for half again of the fit's time; else ``"hierarchical"``, the paper's.
        guide_settings: keywords of that guide by name, like ``{"num_components": 4}``; numbers, words, switches and
            lists of numbers. A text is read as what the setting is. None: none.
        eta: of the DDIM kernel, in the model and in the refinement; 1 is ancestral.
        perceptual: lambda of the fit, nats per unit of LPIPS, at least 0; 0 is L1 alone. The paper's is
            :func:`~vipaint_pyro.measurements.perceptual.published_weight`; see
            :class:`~vipaint_pyro.measurements.perceptual.Perceptual`.
        perceptual_net: ``"alex"`` or ``"vgg"``.
        perceptual_weights: a file of its weights; see :class:`vipaint_pyro.measurements.lpips.LPIPS`.
        gradient_checkpointing: whether a backward pass calls the network again instead of keeping what the
            forward pass computed, so that the memory of a fit does not grow with the number of levels; costs one
            forward call in three. None: for latent priors.
    """

    timesteps: tuple[int, ...] | None = setting(
        None, times(), "T_e > ... > T_s of the guide.", stands_for="by the prior's noise levels"
    )
    beta: float = setting(1.0, number(above=0), "Weight of the KL terms in the bound.")
    noise_scale: float | None = setting(
        None, number(above=0), "b of the Laplace likelihood, in units of [-1, 1].",
        stands_for="entries of the measurement per entry of the image, 1 for inpaint (exact priors 0.3)", nothing=0.0,
    )  # fmt: skip
    fit_steps: int = setting(50, whole(), "Gradient steps of the fit, at most.")
    fit_patience: int = setting(
        0, whole(0), "End the fit once the losses of so many steps are no lower than those of as many before; 0: never."
    )
    num_chains: int = setting(2, whole(), "Monte Carlo chains per step of the fit.")
    num_levels: int = setting(2, whole(), "Drawn above T_e per chain and step of the fit.", option="--transitions")
    loss: str = setting("trace", choice(LOSSES), "Trace_ELBO or TraceMeanField_ELBO.")
    guide_name: str | None = setting(
        None, _A_GUIDE, "Which guide is fitted, as vipaint guides lists them, or package.module:Class.",
        option="--guide",
        stands_for="hierarchical-guided for pixel priors and linear measurements, else hierarchical",
    )  # fmt: skip
    guide_settings: Mapping[str, object] | None = setting(
        None, mapping(), "A setting of the guide; vipaint guides NAME lists them.", option="--guide-set",
        stands_for="the guide's own", nothing={}, keyword=True,
    )  # fmt: skip
    eta: float = setting(1.0, number(above=0, most=1), "Of the DDIM kernel; 1 is ancestral.")
    perceptual: float = setting(0.0, number(least=0), "Weight of LPIPS in the fit, in nats.")
    perceptual_net: str = setting("alex", choice(("alex", "vgg")), "Which LPIPS.")
    perceptual_weights: str | None = setting(
        None, path(), "A safetensors file of its weights.", stands_for="those that ship, or torchvision's"
    )
    gradient_checkpointing: bool | None = setting(
        None, switch(), "Call the network again in the backward pass, to save memory.",
        stands_for="for latent priors", option="--checkpointing",
    )  # fmt: skip

    def __post_init__(self) -> None:
        given: object = self.timesteps
        if isinstance(given, Iterable) and not isinstance(given, (tuple, list, str, Set, Mapping)):
            with suppress(TypeError):  # a tensor or an array, of whole numbers; others are refused with all settings
                object.__setattr__(self, "timesteps", tuple(index(t) for t in given))


@dataclass(frozen=True)
class Refine:
    """How the guide's draws are refined, from T_s.

    Args:
        refine: by which step: ``"dps"`` (:class:`~vipaint_pyro.samplers.DPSSampler`); ``"ddnm"``
            (:class:`~vipaint_pyro.samplers.DDNMSampler`), which puts what is seen in place in every prediction and
            pulls at nothing else, without backward calls; ``"mmps"`` or ``"tmpd"``
            (:class:`~vipaint_pyro.samplers.MMPSSampler`, :class:`~vipaint_pyro.samplers.TMPDSampler`), which take the
            covariance that the network's Jacobian says in the place of a step size; ``"gibbs"`` goes up again and down
            the guide's kernels, ``sweeps`` times, with ``"mmps"``'s steps below T_s
            (:mod:`~vipaint_pyro.samplers.vipaint.gibbs`); ``"tds"`` takes the steps of ``"mmps"`` by particles, weighed
            and resampled all the way down (see ``own_cloud``). None: ``"dps"``; but where y is linear in the image, of
            Gaussian noise or none, and no setting of a DPS step's own is given, ``"mmps"`` for a latent prior and no
            inpainting, and ``"tds"`` for a prior whose denoiser is exact (:mod:`vipaint_pyro.exact`).
        refinement_steps: from T_s to the clean image. None: 100, of ``"tds"`` with clouds of their own 25, or all that
            there are below T_s on a short schedule.
        zeta: DPS step size. None: 2; of pixel priors with more than 784 entries in y, 2 (entries / 784)^(1/2), since a
            step is measured against a residual, whose length grows so.
        limit: whether a DPS step may not be longer than the residual. None: True.
        fraction: how much of the residual a DPS step may take away to first order. None: 0.3 for latent priors, no such
            bound for pixel ones, but 1 for a measurement fitted under its own likelihood, whose deviance can be
            steep (counts in dark pixels).
        hidden_pull: share of a DPS step's pull that stays where no known pixel decides, in [0, 1]. None: 1. With 0.1
            more modes of the guide are kept where one attribute is hidden (eyes: total variation 0.43 for 0.57),
            and halves do not fit each other where half of a picture is.
        measurement_scale: sigma of the Gaussian noise in y, in units of [-1, 1], of a measurement that says nothing of
            its noise. With ``limit``, the refinement goes no further than the residual that such noise leaves: it
            stops pulling where a wrong detail explains y about as well as the truth, and the prior alone keeps better
            from fitting noise (super-resolution of 4 training faces without it: LPIPS 0.007 for 0.019, error where
            measured still that of the noise). ``"smc"`` adds to it, level by level, what the prediction leaves open
            (:class:`~vipaint_pyro.measurements.moment_matched.MomentMatched`). ``"mmps"`` and what follows weigh y by
            it. None: 0 for ``"dps"`` and ``"ddnm"``, 0.03 for the others, 0.05 for ``"smc"``, which needs some.
        perceptual_refinement: a DPS step goes down by this times the gradient of LPIPS, beside
            zeta's pull; at least 0. A weight of its own: what pulls in the fit is weighed against the prior
            in nats, here against the length of a step. No limit holds it: on Fashion-MNIST 2 is safe, and
            20 leaves noise where pixels are known.
        sweeps: R of ``"gibbs"``, each of ``refinement_steps`` more. None: 4.
        sweep_levels: of ``"gibbs"``, how many levels of the guide a sweep may go up to, T_s being the first. Samples
            change modes at levels where those have merged; each level more brings in the errors of one more of the
            guide's kernels. None: all; 1, which is T_s alone, of guides without kernels (AutoGuides).
        chunk: how many samples per image are refined and decoded at once, and for how many the network is asked where
            draws are made and weighed. Memory grows with it, results do not change. The particles of ``"smc"`` are one
            population: below T_s all of them are moved at once. None: 25, and of small images as many as have
            2^18 entries.
    """

    refine: str | None = setting(
        None, choice(REFINEMENTS), "The steps from T_s to the image.",
        stands_for="mmps where a latent prior restores a whole picture, tds for exact priors, else dps",
    )  # fmt: skip
    refinement_steps: int | None = setting(
        None, whole(), "Steps from T_s to the image.", stands_for="100, 25 with tds, or all that there are below T_s"
    )
    zeta: float | None = setting(
        None, number(least=0), "DPS step size.",
        stands_for="2, on pixels more where more than 784 are measured", nothing=math.inf,
    )  # fmt: skip
    limit: bool | None = setting(
        None, switch(), "Whether a DPS step may not be longer than the residual.", stands_for="yes"
    )
    fraction: float | None = setting(
        None, number(above=0), "How much of the residual a DPS step may take away.",
        stands_for="0.3 for latent priors, no bound for pixel ones", nothing=math.inf,
    )  # fmt: skip
    hidden_pull: float | None = setting(
        None, number(least=0, most=1), "Share of a DPS step's pull that stays where no known pixel decides.",
        stands_for="1",
    )  # fmt: skip
    measurement_scale: float | None = setting(
        None, number(above=0),
        "Noise in y, in units of [-1, 1]: a DPS step stops at the residual that it leaves; mmps, tmpd, gibbs, tds "
        "(0.03) and --correct smc (0.05) need it.",
        stands_for="unknown, no stop", nothing=0.0,
    )  # fmt: skip
    perceptual_refinement: float = setting(0.0, number(least=0), "Weight of LPIPS in the refinement.")
    sweeps: int | None = setting(
        None, whole(), "Gibbs sweeps after the first walk from T_s.", stands_for="4 with gibbs", keyword=True, nothing=0
    )
    sweep_levels: int | None = setting(
        None, whole(), "Levels of the guide, from T_s on, that a sweep may go up to.", stands_for="all with gibbs",
        keyword=True, nothing=0,
    )  # fmt: skip
    chunk: int | None = chunk_setting()


@dataclass(frozen=True)
class Correct:
    """What is done about a guide that is not the posterior.

    Args:
        correct: ``"psis"`` draws ``num_particles`` from the guide and resamples them by their smoothed
            importance weights before they are refined; ``"smc"`` weighs and resamples them all the way
            down to the image, by steps twisted towards the measurement in place of DPS; ``"none"``.
        num_particles: of a correction or of ``"tds"``, per image; no fewer than samples. None: 64, or 10 for each
            sample that ``"tds"`` draws from a cloud of its own, which is settled as 0.
        own_cloud: of ``"smc"`` and ``"tds"``, whether each sample is drawn from a cloud of its own, of
            ``num_particles`` / samples particles, two at least, of which one is kept at random. One cloud weighs best;
            but where there is much to see, a few particles of it take all the weight and the samples are copies of each
            other. Samples of clouds of their own are independent. Those of ``"tds"`` all start at one draw of the guide
            at T_s, so that no density of it is needed: with more particles samples become draws of
            q(z_{T_s}) p(x | z_{T_s}, y). None: yes for ``"tds"``, no for ``"smc"``.
    """

    correct: str = setting(
        "none", choice(CORRECTIONS), "Weigh the guide's draws: importance weights, or sequential Monte Carlo."
    )
    num_particles: int | None = setting(
        None, whole(), "Of a correction, or of --refine tds.",
        stands_for="64, or 10 a sample for clouds of tds", nothing=0,
    )  # fmt: skip
    own_cloud: bool | None = setting(
        None, switch(), "Of smc and tds: each sample from its own num-particles / samples particles.",
        stands_for="yes for tds, no for smc",
    )  # fmt: skip


@dataclass(frozen=True)
class Settings(Correct, Refine, Fit):
    """All of them."""
