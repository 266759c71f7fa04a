r"""VIPaint: fit a hierarchical guide to one measurement, then refine its draws.

Agarwal et al., "VIPaint: Image Inpainting with Pre-Trained Diffusion Models via Variational
Inference", arXiv:2411.18929.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyro
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import Tensor

from vipaint_pyro.guides import Guide, HierarchicalGuide
from vipaint_pyro.inference import fit
from vipaint_pyro.likelihoods import Laplace
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.diffusion import site
from vipaint_pyro.operators import Operator
from vipaint_pyro.priors import DiffusionPrior
from vipaint_pyro.randomness import NoiseStreams, PerImageNoise
from vipaint_pyro.refinement import DPS, refine
from vipaint_pyro.samplers.base import Samples

__all__ = ["LOSSES", "VIPaintSampler", "draw", "timesteps_for"]

#: The ELBO estimators by name: both agree in mean, the second takes Gaussian KLs in closed form.
LOSSES = {"trace": Trace_ELBO, "mean-field": TraceMeanField_ELBO}

#: Noise-to-signal ratios sigma/alpha of T_e ... T_s, by the number of levels K.
RATIOS = {2: (3.1, 1.0), 4: (3.1, 2.0, 1.4, 1.0)}


def timesteps_for(prior: DiffusionPrior, levels: int = 4) -> tuple[int, ...]:
    """Timesteps of this prior's schedule at VIPaint's noise-to-signal ratios.

    Args:
        levels: K, 2 or 4.

    Raises:
        ValueError: for another K; choose the timesteps yourself then.
    """
    if levels not in RATIOS:
        raise ValueError(f"ratios are known for K = {sorted(RATIOS)}, not {levels}: give the timesteps")
    return prior.schedule.check_timesteps([prior.schedule.time_of_ratio(r) for r in RATIOS[levels]])


def draw(
    model: DiffusionModel,
    guide: Callable,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> dict[int, Tensor]:
    """Draws of a guide's latents: timestep -> z_t with shape (S, N, C, H, W).

    Args:
        generator: one, or a list with one per image; None takes the global state.
    """
    z, _ = _draw_and_predict(model, guide, num_samples, generator)
    return z


def _draw_and_predict(model, guide, num_samples, generator) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """The draws, and E[z_0 | z_t] at all of them but the last, which the guide has asked for on its way."""
    noise = PerImageNoise(NoiseStreams(generator, model.num_images))
    own = getattr(guide, "model", model)
    shape = (num_samples, model.num_images, *model.prior.latent_shape)
    # The plates of the program take the axes -1 to -3.
    with torch.no_grad(), noise, pyro.plate("samples", num_samples, dim=-4):
        trace = poutine.trace(guide).get_trace()
        z = {t: trace.nodes[site(t)]["value"] for t in model.timesteps}
        z0 = {t: own.denoise(z[t], t).reshape(shape) for t in model.timesteps[:-1]}
    own.forget()
    return {t: v.reshape(shape) for t, v in z.items()}, z0


@dataclass(frozen=True)
class VIPaintSampler:
    r"""Fit, draw, refine.

    Args:
        timesteps: T_e > ... > T_s; None takes the prior's times at the ratios :data:`RATIOS`.
        beta: weight of the latent sites in the bound.
        noise_scale: b of the Laplace likelihood, in units of [-1, 1]. It stands for what the one-step
            prediction at T_s leaves open, far more than for noise in y; a small b bends the guide
            away from the prior to match pixels that the refinement matches anyway.
        fit_steps: gradient steps of the fit.
        num_chains: Monte Carlo chains per step.
        num_levels: transitions above T_e per chain and step.
        loss: ``"trace"`` (Trace_ELBO) or ``"mean-field"`` (TraceMeanField_ELBO).
        refinement_steps: from T_s to the clean image.
        zeta: DPS step size of the refinement.
        limit: whether a step may not be longer than the residual; see
            :class:`vipaint_pyro.refinement.DPS`.
        eta: of the DDIM kernel, in the model and in the refinement; 1 is ancestral.
    """

    timesteps: tuple[int, ...] | None = None
    beta: float = 1.0
    noise_scale: float = 1.0
    fit_steps: int = 50
    num_chains: int = 2
    num_levels: int = 2
    loss: str = "trace"
    refinement_steps: int = 100
    zeta: float = 2.0
    limit: bool = True
    eta: float = 1.0

    def model(self, prior: DiffusionPrior, operator: Operator) -> DiffusionModel:
        """The Pyro model these settings describe.

        Raises:
            ValueError: where they cannot be.
        """
        if self.loss not in LOSSES:
            raise ValueError(f"loss is one of {', '.join(LOSSES)}, not {self.loss!r}")
        if not self.noise_scale > 0:
            raise ValueError(f"noise_scale is positive, but is {self.noise_scale}")
        if not self.zeta >= 0:
            raise ValueError(f"zeta is a step size of at least 0, but is {self.zeta}")
        for name in ("fit_steps", "num_chains", "refinement_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, but is {getattr(self, name)}")
        timesteps = timesteps_for(prior) if self.timesteps is None else self.timesteps
        model = DiffusionModel(
            prior,
            operator,
            timesteps,
            Laplace(self.noise_scale),
            beta=self.beta,
            eta=self.eta,
            num_levels=self.num_levels,
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
            fit_callback: see :func:`vipaint_pyro.inference.fit`.
            refine_callback: see :func:`vipaint_pyro.refinement.refine`.
            guide: a fitted guide of an equal model, to draw from instead of fitting.

        Raises:
            NonFiniteError, FloatingPointError: where a number stops being finite.
        """
        model = self.model(prior, operator)
        y = y.to(prior.device, prior.dtype)
        seconds, record, calls = {}, None, {}
        start = time.perf_counter()
        if guide is None:
            guide = HierarchicalGuide(model, y)
            loss = LOSSES[self.loss](
                num_particles=self.num_chains, vectorize_particles=True, max_plate_nesting=3
            )
            record = fit(
                model, guide, y,
                num_steps=self.fit_steps, loss=loss, generator=generator, callback=fit_callback,
            )  # fmt: skip
            above = min(self.num_levels, model.num_transitions)
            calls["fit"] = self.fit_steps * self.num_chains * (above + len(model.timesteps))
            seconds["fit"] = time.perf_counter() - start

        start = time.perf_counter()
        z, predictions = _draw_and_predict(model, guide, num_samples, generator)
        last = model.timesteps[-1]

        def keep_first(i, t, z_s, z0):
            """The first prediction of the refinement is the one at T_s."""
            if i == 0:
                predictions[t] = z0
            return refine_callback(i, t, z_s, z0) if refine_callback is not None else None

        images = refine(
            prior, operator, y, z[last], last,
            num_steps=self.refinement_steps, eta=self.eta, step=DPS(self.zeta, self.limit),
            generator=generator, callback=keep_first,
        )  # fmt: skip
        with torch.no_grad():
            levels = {t: prior.decode(z0) for t, z0 in predictions.items()}
        steps = len(prior.times(last, -1, self.refinement_steps)) - 1
        calls["refinement"] = num_samples * (len(model.timesteps) - 1 + steps)
        seconds["refinement"] = time.perf_counter() - start
        return Samples(images, calls, guide, record, levels, seconds)
