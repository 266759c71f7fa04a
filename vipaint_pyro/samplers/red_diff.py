r"""RED-diff: gradient descent on a point under the diffusion prior's regulariser.

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
arXiv:2305.04391, algorithm 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyro
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro.guides.red_diff import REDDiffGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.models.red_diff import REDDiffModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Samples

__all__ = ["REDDiffSampler"]


@dataclass(frozen=True)
class REDDiffSampler:
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

    num_steps: int = 100
    lr: float = 0.1
    lambda_: float | None = None
    random_times: bool = False
    weight: str = "linear"
    noise_scale: float | None = None
    std: float = 0.0
    init_std: float = 0.0

    def model(self, prior: DiffusionPrior, operator: Operator, restarts: int = 1) -> REDDiffModel:
        """The Pyro model these settings describe.

        Raises:
            ValueError: where they cannot be.
        """
        if self.num_steps < 1:
            raise ValueError(f"num_steps is at least 1, but is {self.num_steps}")
        for name in ("lr", "noise_scale"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is positive, but is {value}")
        return REDDiffModel(
            prior,
            operator,
            None if self.noise_scale is None else Gaussian(self.noise_scale),
            num_steps=None if self.random_times else self.num_steps,
            weight=self.weight,
            lambda_=self.lambda_,
            schedule_of_t="random" if self.random_times else "descending",
            restarts=restarts,
        )

    def __call__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        y: Tensor,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        fit_callback: Callable | None = None,
    ) -> Samples:
        """Restarts given y.

        Args:
            prior: conditioned on class labels as wanted.
            operator: the measurement of N images.
            y: (N, C', H', W') in [-1, 1], 0 where not observed.
            num_samples: S restarts per image.
            generator: one, or a list with one per image; None takes the global state.
            fit_callback: see :func:`vipaint_pyro.inference.fit.fit`.

        Raises:
            NonFiniteError: where a number stops being finite.
        """
        start = time.perf_counter()
        model = self.model(prior, operator, num_samples)
        y = y.to(prior.device, prior.dtype)
        guide = REDDiffGuide(model, y, self.std, init_std=self.init_std, generator=generator)
        record = fit(
            model,
            guide,
            y,
            num_steps=self.num_steps,
            optim=pyro.optim.Adam({"lr": self.lr, "betas": (0.9, 0.99)}),
            loss=Trace_ELBO(max_plate_nesting=2),
            generator=generator,
            callback=fit_callback,
        )
        with torch.no_grad():
            images = prior.decode(guide.mu_0.detach().clone())
        return Samples(
            images,
            {"fit": num_samples * self.num_steps},
            guide,
            record,
            seconds={"fit": time.perf_counter() - start},
        )
