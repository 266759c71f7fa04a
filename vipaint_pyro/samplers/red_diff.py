r"""RED-diff: gradient descent on a point under the diffusion prior's regulariser.

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
arXiv:2305.04391, algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import pyro
import torch
from pyro.infer import Trace_ELBO

from vipaint_pyro.faults import located
from vipaint_pyro.guides.red_diff import REDDiffGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.red_diff import REDDiffModel
from vipaint_pyro.models.red_diff_regulariser import WEIGHTS
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import choice, number, setting, switch, whole

__all__ = ["REDDiffSampler"]


@dataclass(frozen=True)
class REDDiffSampler(Sampler):
    """RED-diff from S restarts at once.

    The restarts are answers of an optimiser, not draws from a posterior: each settles near one mode,
    spreads no wider than the noise of its steps leaves it, and how many settle where does not
    follow the modes' probabilities.

    Args:
        num_steps: gradient steps, and times of the descending grid.
        lr: Adam's rate.
        lambda_: weight of the regulariser; None stands for the published 0.25, and for 1 with
            ``weight="bound"``.
        random_times: draw t uniformly instead of descending (RED-diff-V).
        weight: of the regulariser; see :class:`vipaint_pyro.models.REDDiffModel`.
        noise_scale: standard deviation of a Gaussian likelihood; None takes the published balance.
        std: of the guide; 0 is a point.
        init_std: noise added to the start of each restart; see :class:`vipaint_pyro.guides.REDDiffGuide`.
    """

    num_steps: int = setting(100, whole(), "Gradient steps.")
    lr: float = setting(0.1, number(above=0), "Adam's rate.")
    lambda_: float | None = setting(None, number(least=0), "Weight of the regulariser.", stands_for="0.25")
    random_times: bool = setting(False, switch(), "Draw t uniformly instead of descending.")
    weight: str = setting("linear", choice((*WEIGHTS, "bound")), "Of the regulariser, by noise level.")
    noise_scale: float | None = setting(
        None, number(above=0), "Of a Gaussian likelihood.", stands_for="the published balance"
    )
    std: float = setting(0.0, number(least=0), "Of the guide; 0 is a point.")
    init_std: float = setting(0.0, number(least=0), "Noise added to each start.")

    def model(self, prior: DiffusionPrior, measurement: Measurement, restarts: int = 1) -> REDDiffModel:
        """The Pyro model these settings describe."""
        own = measurement.likelihood
        published = None if self.noise_scale is None else Gaussian(self.noise_scale)
        return REDDiffModel(
            prior,
            measurement.operator,
            published if own.noise_alone else own,
            num_steps=None if self.random_times else self.num_steps,
            weight=self.weight,
            lambda_=self.lambda_,
            schedule_of_t="random" if self.random_times else "descending",
            restarts=restarts,
        )

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        settled = super().settle(prior, measurement)
        most = prior.schedule.num_timesteps
        if not self.random_times and self.num_steps > most:
            raise ValueError(f"num_steps lies in 1 ... {most}, the times of this prior, but is {self.num_steps}")
        if self.noise_scale is not None and not measurement.likelihood.noise_alone:
            raise ValueError("this operator has a likelihood of its own, which knows its noise: leave noise_scale out")
        return settled

    def phases(self) -> dict[str, int]:
        return {"fit": self.num_steps}

    def draw(self, run: Run) -> Samples:
        """Restarts: they share y and nothing else."""
        with run.phase("fit", memory=f"draw fewer samples (here {run.num_samples}), which are fitted at once"):
            model = self.model(run.prior, run.measurement, run.num_samples)
            guide = REDDiffGuide(model, run.measurement, self.std, init_std=self.init_std, generator=run.generator)
            record = fit(
                model,
                guide,
                run.measurement.y,
                num_steps=self.num_steps,
                optim=cast(Any, pyro.optim).Adam({"lr": self.lr, "betas": (0.9, 0.99)}),
                loss=Trace_ELBO(max_plate_nesting=2),
                generator=run.generator,
                callback=run.fitted,
            )
            with torch.no_grad(), located("decoding"):
                images = run.prior.decode(guide.mu_0.detach().clone())
        return Samples(images, guide=guide, fit=record)
