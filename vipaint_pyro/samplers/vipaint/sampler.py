r"""VIPaint: fit a hierarchical guide to one measurement, then refine its draws.

Agarwal et al., "VIPaint: Image Inpainting with Pre-Trained Diffusion Models via Variational
Inference", arXiv:2411.18929.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import Tensor

from vipaint_pyro.guides import Guide, finish
from vipaint_pyro.guides.registry import make_guide, recipe
from vipaint_pyro.inference.draws import draw_and_predict, resampled
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.smc import run_smc
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.operator import Operator, num_measurements
from vipaint_pyro.measurements.perceptual import Perceptual, refinement_penalty
from vipaint_pyro.models import DiffusionModel, REDDiffModel
from vipaint_pyro.priors.codecs import IdentityCodec
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.red_diff import REDDiffSampler
from vipaint_pyro.samplers.reverse import DPS, noise_floor, refine
from vipaint_pyro.samplers.vipaint.levels import timesteps_for

__all__ = ["CORRECTIONS", "LOSSES", "VIPaintSampler"]

#: The ELBO estimators by name: both agree in mean, the second takes Gaussian KLs in closed form.
LOSSES = {"trace": Trace_ELBO, "mean-field": TraceMeanField_ELBO}

#: What may be done about a guide that is not the posterior.
CORRECTIONS = ("none", "psis", "smc")


@dataclass(frozen=True)
class VIPaintSampler:
    r"""Fit, draw, refine.

    Args:
        timesteps: T_e > ... > T_s; None takes the prior's times at the ratios of
            :func:`~vipaint_pyro.samplers.vipaint.levels.timesteps_for`.
        beta: weight of the latent sites in the bound.
        noise_scale: b of the Laplace likelihood, in units of [-1, 1]. It stands for what the one-step
            prediction at T_s leaves open, far more than for noise in y; a small b bends the guide
            away from the prior to match pixels that the refinement matches anyway. None: d_y / D, entries
            of y (those that a mask hides included) per image entry: 1 for an inpainting or a blur; a reduction by s
            measures s^2 times fewer, each the mean of many, and gets a b as much smaller. For a pixel prior's
            inpainting that is what the paper's coefficients amount to; for a latent one of d dimensions that would be
            D / d, with which the guide hardly follows what is seen and the refinement has to. An operator with a
            ``likelihood`` of its own (:class:`~vipaint_pyro.measurements.nonlinear.Nonlinear`) has that one instead.
        fit_steps: gradient steps of the fit.
        num_chains: Monte Carlo chains per step.
        num_levels: transitions above T_e per chain and step.
        loss: ``"trace"`` (Trace_ELBO) or ``"mean-field"`` (TraceMeanField_ELBO).
        refinement_steps: from T_s to the clean image.
        zeta: DPS step size of the refinement.
        limit: whether a step may not be longer than the residual; see
            :class:`vipaint_pyro.samplers.reverse.DPS`.
        fraction: how much of the residual a step may take away to first order; see
            :class:`vipaint_pyro.samplers.reverse.DPS`. None: 0.3 for latent priors, no such bound for pixel ones, but 1 for an
            operator with a ``likelihood`` of its own, whose deviance can be steep (counts in dark pixels).
        eta: of the DDIM kernel, in the model and in the refinement; 1 is ancestral.
        guide_name: which guide is fitted, by its name in :data:`vipaint_pyro.guides.GUIDES`. The guides of
            the clean image, ``"red-diff"`` and ``"red-diff-v"``, have no levels and no refinement: of
            the settings they take ``fit_steps`` and ``noise_scale`` (of a Gaussian), and every
            sample is a restart (:class:`~vipaint_pyro.samplers.REDDiffSampler`).
        correct: ``"psis"`` draws ``num_particles`` from the guide and resamples them by their smoothed
            importance weights before they are refined; ``"smc"`` weighs and resamples them all the way
            down to the image, by steps twisted towards the measurement in place of DPS; ``"none"``.
        num_particles: of a correction, per image; no fewer than samples.
        measurement_scale: sigma of the Gaussian noise in y, in units of [-1, 1]. With ``limit``, the refinement
            goes no further than the residual that such noise leaves: it stops pulling where a wrong detail explains y
            about as well as the truth, and the prior alone keeps better from fitting noise (super-resolution of 4
            training faces without it: LPIPS 0.007 for 0.019, error where measured still that of the noise). ``"smc"``
            adds to it, level by level, what the prediction leaves open (:class:`~vipaint_pyro.measurements.moment_matched.MomentMatched`). None: 0 for
            the refinement, 0.05 for ``"smc"``, which needs some.
        perceptual: lambda of the fit, nats per unit of LPIPS, at least 0; 0 is L1 alone. The paper's is
            :func:`~vipaint_pyro.measurements.perceptual.published_weight`; see :class:`~vipaint_pyro.measurements.perceptual.Perceptual`.
        perceptual_refinement: a step of the refinement goes down by this times the gradient of LPIPS, beside
            zeta's pull; at least 0. A weight of its own: what pulls in the fit is weighed against the prior
            in nats, here against the length of a step. No limit holds it: on Fashion-MNIST 2 is safe, and
            20 leaves noise where pixels are known.
        perceptual_net: ``"alex"`` or ``"vgg"``.
        perceptual_weights: a file of its weights; see :class:`vipaint_pyro.measurements.lpips.LPIPS`.
        gradient_checkpointing: whether a backward pass calls the network again instead of keeping what the
            forward pass computed, so that the memory of a fit does not grow with the number of levels; costs one
            forward call in three. None: for latent priors.
    """

    timesteps: tuple[int, ...] | None = None
    beta: float = 1.0
    noise_scale: float | None = None
    fit_steps: int = 50
    num_chains: int = 2
    num_levels: int = 2
    loss: str = "trace"
    refinement_steps: int = 100
    zeta: float = 2.0
    limit: bool = True
    fraction: float | None = None
    eta: float = 1.0
    guide_name: str = "hierarchical"
    correct: str = "none"
    num_particles: int = 64
    measurement_scale: float | None = None
    perceptual: float = 0.0
    perceptual_refinement: float = 0.0
    perceptual_net: str = "alex"
    perceptual_weights: str | None = None
    gradient_checkpointing: bool | None = None

    @property
    def has_levels(self) -> bool:
        """Whether the guide is one over noise levels, to be refined, rather than over the clean image."""
        return recipe(self.guide_name).form != "clean"

    def resolved(self, prior: DiffusionPrior, operator: Operator) -> VIPaintSampler:
        """These settings with the values that None stands for on this prior and measurement.

        What stays None has none: most often ``fraction`` of a pixel prior, ``noise_scale`` of an operator with a
        ``likelihood`` of its own, what a guide of the clean image does without.
        """
        if not self.has_levels:
            return replace(self, noise_scale=self._red_diff().noise_scale)
        latent, chosen = not isinstance(prior.codec, IdentityCodec), {}
        likelihood = getattr(operator, "likelihood", None)
        if self.timesteps is None:
            chosen["timesteps"] = timesteps_for(prior, recipe(self.guide_name).levels or 4)
        if self.noise_scale is None and likelihood is None:
            chosen["noise_scale"] = num_measurements(operator, prior.image_shape) / math.prod(prior.image_shape)
        if self.fraction is None and (latent or likelihood is not None):
            chosen["fraction"] = 0.3 if latent else 1.0
        if self.gradient_checkpointing is None:
            chosen["gradient_checkpointing"] = latent
        return replace(self, **chosen)

    def model(self, prior: DiffusionPrior, operator: Operator) -> DiffusionModel | REDDiffModel:
        """The Pyro model these settings describe.

        Raises:
            ValueError: where they cannot be.
            FileNotFoundError: where ``perceptual_weights`` is missing.
        """
        if not self.has_levels:
            return self._red_diff().model(prior, operator)
        if self.loss not in LOSSES:
            raise ValueError(f"loss is one of {', '.join(LOSSES)}, not {self.loss!r}")
        if self.noise_scale is not None and not self.noise_scale > 0:
            raise ValueError(f"noise_scale is positive, but is {self.noise_scale}")
        if self.fraction is not None and not self.fraction > 0:
            raise ValueError(f"fraction is positive, but is {self.fraction}")
        if not self.zeta >= 0:
            raise ValueError(f"zeta is a step size of at least 0, but is {self.zeta}")
        if self.correct not in CORRECTIONS:
            raise ValueError(f"correct is one of {', '.join(CORRECTIONS)}, not {self.correct!r}")
        if self.measurement_scale is not None and not self.measurement_scale > 0:
            raise ValueError(f"measurement_scale is positive, but is {self.measurement_scale}")
        named = recipe(self.guide_name)
        if self.correct == "smc" and not isinstance(prior.codec, IdentityCodec):
            raise ValueError("correct='smc' is for pixel priors: its likelihood sees through no decoder; take correct='psis'")
        for name in ("fit_steps", "num_chains", "refinement_steps", "num_particles"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, but is {getattr(self, name)}")
        if self.correct == "smc" and (self.perceptual or self.perceptual_refinement):
            raise ValueError("correct='smc' weighs by the noise of y alone: leave the perceptual weights at 0")
        refinement_penalty(self, prior, operator)
        settled, likelihood = self.resolved(prior, operator), getattr(operator, "likelihood", None)
        if likelihood is not None and self.noise_scale is not None:
            raise ValueError("this operator has a likelihood of its own, which knows its noise: leave noise_scale out")
        likelihood = likelihood or Laplace(settled.noise_scale)
        fitted = Perceptual(self.perceptual, likelihood, self.perceptual_net, self.perceptual_weights)
        if self.perceptual:
            fitted.check(prior, operator)
            likelihood = fitted
        timesteps = settled.timesteps
        if named.levels is not None and len(timesteps) != named.levels:
            raise ValueError(
                f"the guide {self.guide_name!r} takes {named.levels} timestep(s), not {len(timesteps)}: {timesteps}"
            )
        model = DiffusionModel(
            prior.checkpointed(settled.gradient_checkpointing),
            operator,
            timesteps,
            likelihood,
            beta=self.beta,
            eta=self.eta,
            num_levels=self.num_levels,
            form=named.form,
        )
        if self.refinement_steps > timesteps[-1] + 1:
            raise ValueError(
                f"from T_s = {timesteps[-1]} there are at most {timesteps[-1] + 1} refinement steps, "
                f"not {self.refinement_steps}"
            )
        return model

    def __call__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        y: Tensor,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        fit_callback: Callable | None = None,
        refine_callback: Callable | None = None,
        guide: Guide | None = None,
    ) -> Samples:
        """Samples of images given y.

        Args:
            prior: conditioned on class labels as wanted.
            operator: the measurement of N images.
            y: (N, C', H', W') in [-1, 1], 0 where not observed.
            num_samples: S per image; they share the fit.
            generator: one, or a list with one per image; None takes the global state.
            fit_callback: see :func:`vipaint_pyro.inference.fit.fit`.
            refine_callback: see :func:`vipaint_pyro.samplers.reverse.refine`.
            guide: a fitted guide of an equal model, to draw from instead of fitting.

        Raises:
            NonFiniteError, FloatingPointError: where a number stops being finite.
        """
        model = self.model(prior, operator)
        prior = model.prior
        if not self.has_levels:
            if guide is not None:
                raise ValueError(f"a fitted {self.guide_name} is its own answer: there is nothing to draw from it")
            return self._red_diff()(prior, operator, y, num_samples, generator, fit_callback)
        if self.correct != "none" and self.num_particles < num_samples:
            raise ValueError(f"{num_samples} samples cannot be drawn from {self.num_particles} particles: raise num_particles")
        y = y.to(prior.device, prior.dtype)
        seconds, record, calls = {}, None, {}
        start = time.perf_counter()
        if guide is None:
            guide = make_guide(self.guide_name, model, y)
            loss = LOSSES[self.loss](
                num_particles=self.num_chains, vectorize_particles=True, max_plate_nesting=3
            )
            with count_calls(prior) as counted:
                record = fit(
                    model, guide, y,
                    num_steps=self.fit_steps, loss=loss, generator=generator, callback=fit_callback,
                )  # fmt: skip
            guide = finish(guide)
            calls["fit"] = counted.total // model.num_images
            seconds["fit"] = time.perf_counter() - start

        start = time.perf_counter()
        with count_calls(prior) as counted:
            if self.correct == "smc":
                images, levels, diagnostics = self._smc(model, guide, y, num_samples, generator, refine_callback)
            else:
                images, levels, diagnostics = self._refined(model, guide, y, num_samples, generator, refine_callback)
        calls["refinement"] = counted.total // model.num_images
        seconds["refinement"] = time.perf_counter() - start
        return Samples(images, calls, guide, record, levels, seconds, diagnostics)

    def _step(self, prior: DiffusionPrior, operator: Operator, y: Tensor) -> DPS:
        """The pull of the refinement."""
        floor = noise_floor(operator, y, self.measurement_scale)
        return DPS(self.zeta, self.limit, floor, self.resolved(prior, operator).fraction)

    def _red_diff(self) -> REDDiffSampler:
        """The same settings for a guide of the clean image.

        Raises:
            ValueError: for a setting that it does not have.
        """
        taken = ("guide_name", "fit_steps", "noise_scale")
        useless = [f.name for f in fields(self) if f.name not in taken and getattr(self, f.name) != f.default]
        if useless:
            same = " (num_inference_steps of the pipeline)" if useless[0] == "refinement_steps" else ""
            raise ValueError(f"the guide {self.guide_name!r} has no {useless[0]}{same}: leave it out")
        return REDDiffSampler(
            num_steps=self.fit_steps, noise_scale=1.0 if self.noise_scale is None else self.noise_scale, random_times=self.guide_name == "red-diff-v"
        )

    def _refined(self, model, guide, y, num_samples, generator, callback):
        """The guide's draws, perhaps resampled by their weights, and DPS from T_s."""
        prior, last, diagnostics = model.prior, model.timesteps[-1], {}
        if self.correct == "psis":
            z, predictions, diagnostics = resampled(model, guide, y, self.num_particles, num_samples, generator)
        else:
            z, predictions = draw_and_predict(model, guide, num_samples, generator)

        def keep_first(i, t, z_s, z0):
            """The first prediction of the refinement is the one at T_s."""
            if i == 0:
                predictions[t] = z0
            return callback(i, t, z_s, z0) if callback is not None else None

        images = refine(
            prior, model.operator, y, z[last], last,
            num_steps=self.refinement_steps, eta=self.eta, step=self._step(prior, model.operator, y),
            likelihood=model.likelihood, penalty=refinement_penalty(self, prior, model.operator),
            generator=generator, callback=keep_first,
        )  # fmt: skip
        with torch.no_grad():
            return images, {t: prior.decode(z0) for t, z0 in predictions.items()}, diagnostics

    def _smc(self, model, guide, y, num_samples, generator, callback):
        """Particles weighed down to the image; of the final ones, equally weighted, as many as were asked for."""

        def moved(step, t, z):
            if callback is not None and t < model.timesteps[-1]:
                callback(step - len(model.timesteps), t, z, z)

        particles = run_smc(
            model, guide, y, self.num_particles,
            num_steps=self.refinement_steps, likelihood=MomentMatched(0.05 if self.measurement_scale is None else self.measurement_scale),
            generator=generator, callback=moved,
        )  # fmt: skip
        # Systematic resampling leaves copies side by side: an even stride spreads over the cloud.
        chosen = torch.linspace(0, self.num_particles - 1, num_samples).round().long()
        diagnostics = {
            "log_evidence": particles.log_evidence.tolist(),
            "smallest_ess": particles.ess.min(0).values.tolist(),
            "ancestors": particles.ancestors.tolist(),
        }
        return particles.images[chosen], {}, diagnostics
