r"""VIPaint: fit a hierarchical guide to one measurement, then refine its draws.

Agarwal et al., "VIPaint: Image Inpainting with Pre-Trained Diffusion Models via Variational
Inference", arXiv:2411.18929.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from pyro import infer
from torch import Tensor

from vipaint_pyro.faults import located
from vipaint_pyro.guides import Guide
from vipaint_pyro.guides.registry import make_guide, recipe
from vipaint_pyro.guides.settings import checked_settings
from vipaint_pyro.inference.checkpoint import Checkpoints
from vipaint_pyro.inference.draws import draw_and_predict, resampled
from vipaint_pyro.inference.fit import FitResult, fit
from vipaint_pyro.inference.losses import check_gradients
from vipaint_pyro.inference.settling import Settling
from vipaint_pyro.measurements.likelihood import Likelihood
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.perceptual import Perceptual, check_asked
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.chunk import chunk_for
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.samplers.vipaint.clouds import check_particles, clouds_at_once, in_clouds, settled_clouds
from vipaint_pyro.samplers.vipaint.default_guide import default_guide
from vipaint_pyro.samplers.vipaint.from_guide import FromGuide
from vipaint_pyro.samplers.vipaint.gibbs import check_kernels, swept
from vipaint_pyro.samplers.vipaint.levels import DEFAULT_LEVELS, timesteps_for
from vipaint_pyro.samplers.vipaint.noise_scale import settled_noise_scale
from vipaint_pyro.samplers.vipaint.refinement import (
    check_refinement,
    default_steps,
    settled_refine,
    settled_step,
    settled_sweeps,
    walk,
)
from vipaint_pyro.samplers.vipaint.settings import LOSSES, Fit, Settings
from vipaint_pyro.samplers.vipaint.weighed import weighed
from vipaint_pyro.settings import remade, settled
from vipaint_pyro.wording import counted

__all__ = ["VIPaintSampler"]

FIT_MEMORY = "lower num_chains, num_levels or the number of timesteps, or turn gradient_checkpointing on"


@dataclass(frozen=True)
class VIPaintSampler(Settings, Sampler):
    """Fit, draw, refine. Its settings are those of :class:`~vipaint_pyro.samplers.vipaint.settings.Settings`."""

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        """These settings with what None stands for on this prior and measurement: none is None afterwards.

        Where there is nothing to settle on, a value says so: an infinite ``fraction`` sets no bound, a ``noise_scale``
        of 0 stands for the measurement's own likelihood, no ``perceptual_weights`` for those that ship. Settled once
        more, it stays as it is.

        Raises:
            ValueError: for settings that cannot be, or that exclude each other.
            FileNotFoundError: where ``perceptual_weights`` is missing.
        """
        super().settle(prior, measurement)
        checkpointing = prior.is_latent if self.gradient_checkpointing is None else self.gradient_checkpointing
        kind = recipe(default_guide(prior, measurement) if self.guide_name is None else self.guide_name)
        named = replace(self, guide_name=kind.name, guide_settings=checked_settings(kind, self.guide_settings))
        named = replace(named, refine=settled_refine(self, prior, measurement))
        times = named._timesteps(prior)
        found = remade(
            named,
            timesteps=times,
            refinement_steps=self.refinement_steps or min(default_steps(named), times[-1] + 1),
            noise_scale=settled_noise_scale(self.noise_scale, prior, measurement),
            **settled_step(named, prior, measurement),
            **settled_clouds(named),
            **settled_sweeps(named, times),
            perceptual_weights=self.perceptual_weights or "",
            gradient_checkpointing=checkpointing,
            chunk=self.chunk or chunk_for(prior.image_shape),
        )
        found._check(prior, measurement)
        return found

    def _timesteps(self, prior: DiffusionPrior) -> tuple[int, ...]:
        if self.timesteps is None:
            return timesteps_for(prior, recipe(settled(self.guide_name)).levels or DEFAULT_LEVELS)
        return prior.schedule.check_timesteps(self.timesteps)

    def _check(self, prior: DiffusionPrior, measurement: Measurement) -> None:
        """Raise where settled values exclude each other."""
        kind, times = recipe(settled(self.guide_name)), settled(self.timesteps)
        last, steps = times[-1], settled(self.refinement_steps)
        if kind.levels is not None and len(times) != kind.levels:
            raise ValueError(
                f"the guide {kind.name!r} takes {counted(kind.levels, 'timestep')}, not {len(times)}: "
                f"{times}; give as many"
            )
        check_gradients(getattr(infer, LOSSES[self.loss]), kind.maker)
        if kind.point and self.correct != "none":
            raise ValueError(
                f"the guide {kind.name!r} is a point: it has no density to weigh its draws with; leave correct at "
                "'none', or take another guide"
            )
        if self.fit_patience and self.fit_steps <= 2 * self.fit_patience:
            raise ValueError(
                f"fit_patience compares {counted(self.fit_patience, 'step')} with as many before, so that no fit of "
                f"{self.fit_steps} ends early: give fit_steps above {2 * self.fit_patience}, or a smaller fit_patience"
            )
        n = measurement.num_images
        if kind.joint and n > 1:
            raise ValueError(
                f"the guide {kind.name!r} fits all images as one, so that each would depend on its neighbours: "
                f"give one image at a time, not {n}, or another guide"
            )
        if steps > last + 1:
            raise ValueError(
                f"from T_s = {last} there are at most {last + 1} refinement steps, not {steps} (this "
                f"prior's schedule has {prior.schedule.num_timesteps} times): give fewer refinement_steps"
            )
        if self.correct == "smc" and self.refine == "dps" and self.measurement_scale == 0:
            raise ValueError("measurement_scale is a finite number, above 0, for correct='smc', but is 0.0")
        if self.own_cloud and not in_clouds(self):
            raise ValueError(
                f"own_cloud is of correct='smc' or refine='tds', and correct is {self.correct!r}: leave it out"
            )
        if in_clouds(self) and (self.perceptual or self.perceptual_refinement):
            name = "correct='smc'" if self.correct == "smc" else "refine='tds'"
            raise ValueError(f"{name} weighs by the noise of y alone: leave the perceptual weights at 0")
        check_asked(self, "perceptual", "perceptual_refinement")
        if self.perceptual:
            self._perceptual(Laplace()).check(measurement.operator, measurement.y)
        check_refinement(self, prior, measurement)

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        prior = prior.checkpointed(settled(self.gradient_checkpointing)).in_pieces(self.chunk)
        return prior, measurement.noisy(settled(self.measurement_scale))

    def _perceptual(self, pixel: Likelihood) -> Perceptual:
        return Perceptual(self.perceptual, pixel, self.perceptual_net, self.perceptual_weights or None)

    def model(self, prior: DiffusionPrior, measurement: Measurement) -> DiffusionModel:
        """The Pyro model that these settings, once settled, describe."""
        own = measurement.likelihood
        likelihood = Laplace(settled(self.noise_scale)) if own.noise_alone else own
        return DiffusionModel(
            prior,
            measurement.operator,
            settled(self.timesteps),
            self._perceptual(likelihood) if self.perceptual else likelihood,
            beta=self.beta,
            eta=self.eta,
            form=recipe(settled(self.guide_name)).form,
            num_levels=self.num_levels,
        )

    def refinement(self) -> ReverseSampler:
        """The walk from T_s, as these settings, once settled, have it."""
        return walk(self)

    def at_once(self, num_samples: int) -> int:
        return clouds_at_once(self, num_samples) if in_clouds(self) else min(self.chunk or num_samples, num_samples)

    def check_samples(self, num_samples: int) -> None:
        super().check_samples(num_samples)
        check_particles(self, num_samples)

    def phases(self) -> dict[str, int]:
        return {"fit": self.fit_steps, "refinement": settled(self.refinement_steps) * (1 + settled(self.sweeps))}

    def from_guide(self, guide: Guide) -> FromGuide:
        """The same, drawing from a guide that was fitted before instead of fitting one."""
        return FromGuide(self, guide)

    def draw(self, run: Run, guide: Guide | None = None) -> Samples:
        model, record = self.model(run.prior, run.measurement), None
        if guide is None:
            with run.phase("fit", memory=FIT_MEMORY):
                guide, record = self.fitted(run, model)
        with run.phase("refinement"):
            samples = weighed(self, run, model, guide) if in_clouds(self) else self._refined(run, model, guide)
        samples.guide, samples.fit = guide, record
        return samples

    def fitted(self, run: Run, model: DiffusionModel, keeping: Checkpoints | None = None) -> tuple[Guide, FitResult]:
        """A guide of this name, fitted; perhaps kept in a file as it goes."""
        guide = make_guide(settled(self.guide_name), model, run.measurement, **settled(self.guide_settings))
        run.guide = guide
        guide.fitted_by = {field.name: vars(self)[field.name] for field in fields(Fit)}
        check_kernels(guide, settled(self.sweep_levels))
        elbo = getattr(infer, LOSSES[self.loss])
        then = Settling(self.fit_patience, run.fitted) if self.fit_patience else run.fitted
        record = fit(
            model,
            guide,
            run.measurement.y,
            num_steps=self.fit_steps,
            loss=elbo(num_particles=self.num_chains, vectorize_particles=True, max_plate_nesting=3),
            generator=run.generator,
            callback=then if keeping is None else keeping.around(then),
        )
        return guide.finish(), record

    def _refined(self, run: Run, model: DiffusionModel, guide: Guide) -> Samples:
        """The guide's draws, perhaps resampled by their weights, and walked down from T_s; by sweeps once more."""
        last = model.timesteps[-1]
        diagnostics: dict[str, list[float] | str] = {}
        relief = f"lower chunk, the samples that the network is given at once (here {self.chunk})"
        if self.correct == "psis":
            with located("psis", memory=f"{relief}, or num_particles"):
                drawn, predictions, diagnostics = resampled(
                    model, guide, run.measurement.y, settled(self.num_particles), run.num_samples, run.generator
                )
        else:
            with located("the guide's draws", memory=relief):
                drawn, predictions = draw_and_predict(model, guide, run.num_samples, run.generator)
        z, refined = drawn[last], self.refinement()
        levels_swept, sweeps = model.timesteps[-settled(self.sweep_levels) :], settled(self.sweeps)

        def chunk(part: Run) -> tuple[Tensor, ...]:
            start = z[part.first : part.first + part.num_samples]
            images, z0 = swept(part, refined, start, guide, levels_swept, sweeps)
            return (images,) if z0 is None else (images, z0)  # none where the fit was stopped

        images, *first = run.in_chunks(self.at_once(run.num_samples), chunk)
        if first:
            predictions[last] = first[0]
        with torch.no_grad(), located("decoding", memory=relief):
            levels = {t: run.prior.decode(z0[: len(images)]) for t, z0 in predictions.items()}
        return Samples(images, levels=levels, diagnostics=diagnostics)
