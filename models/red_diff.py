r"""RED-diff: a clean image, a diffusion prior as its regulariser, and the likelihood.

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
arXiv:2305.04391.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.measurements.likelihood import Likelihood, as_likelihood
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import brought_to, check_fits, check_operator
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.models.algorithms import DENSITY, check_algorithms
from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.models.red_diff_regulariser import WEIGHTS, REDDiffRegulariser
from vipaint_pyro.models.sites import site
from vipaint_pyro.priors.diffusion import DiffusionPrior, check_prior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.settings import checked, number, whole
from vipaint_pyro.wording import shown

__all__ = ["REDDiffModel"]

class REDDiffModel(ImageModel):
    r"""RED-diff's program: z_0 under the regulariser, and the measurement y of the decoded image.

    Sample sites, with event shape (C, H, W), inside ``plate("restarts", S, dim=-2)`` and
    ``plate("images", N, dim=-1)``:

    =======  =======================================================================================
    ``z_0``  a :class:`REDDiffRegulariser` at the noise level of this call
    ``x``    deterministic: the decoded z_0
    ``y``    the likelihood of the observed entries of y given A x
    =======  =======================================================================================

    The restarts share y and nothing else: S runs at once, each of which a point (or narrow) guide
    takes to one answer. How often they end in a mode is not its posterior probability.

    **Noise levels.** ``"descending"`` walks down ``num_steps`` evenly spaced times, from T-1 to 0:
    ``step`` counts the scored calls (calls whose z_0 was asked for its ``log_prob``, as every
    ELBO does once per call), and a call's time is number ``step`` of these, beginning again at the
    top after the last. So each step of SVI moves on by one time, provided that the ELBO vectorises
    its particles and is told ``max_plate_nesting=2`` (guessing it can cost a scored call).
    A ``fit`` leaves it at the top. ``"random"`` draws one of these
    times, each equally likely, for each image, restart and particle (RED-diff-V).
    The bound is one over all T times; descending, it draws its time from the next of ``num_steps``
    equal parts of them, so that a sweep is unbiased.

    **Balance.** The published objective is :math:`\tfrac12\,\mathrm{mean}(y - A\mu)^2 +
    w_t\,\mathrm{mean}(\mathrm{sg}[\hat\epsilon - \epsilon]\,\mu)`, means over the :math:`d_y` entries of y
    (the unobserved ones of an inpainting included, as zeros) and the d of mu. Times d it is minus the
    log density of this program under Gaussian noise of variance :math:`d_y / d`, which is the default
    likelihood: standard deviation 1 for inpainting, 1/2 for a y of half the height and width. That
    is a weight, not a belief about the noise: ``Gaussian(s)`` and ``lambda_`` together are the published
    objective with its lambda at :math:`s^2 d / d_y` times ``lambda_``. With ``weight="bound"``, ``lambda_`` = 1
    and the true noise, the program's log density is a bound on log p(z_0, y), whose maximum a point
    guide looks for: the MAP estimate.

    Args:
        prior: the diffusion model; condition it on class labels first.
        operator: the measurement; its ``observed`` has shape (N, C, H, W).
        likelihood: of the observed entries, by default Gaussian in the published balance.
        num_steps: how many times; None takes all T, and has to with random times and ``"bound"``.
        weight: of the regulariser, a name in :data:`WEIGHTS` or ``"bound"``.
        lambda_: its factor, at least 0; None stands for the published 0.25, and for 1 with ``"bound"``.
        schedule_of_t: ``"descending"`` or ``"random"``.
        restarts: S.

    Raises:
        ValueError: for an unknown name, a number out of range, options that exclude each other, or
            class labels of another number.

    Attributes:
        step: scored calls since the top.
        sampling_steps: of the reverse diffusion that draws z_0 when no guide supplies it; 50.
        times: the ``num_steps`` times ("bound" only counts them).
    """

    def __init__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        likelihood: Likelihood | Callable[[Tensor], TorchDistributionMixin] | None = None,
        *,
        num_steps: int | None = None,
        weight: str = "linear",
        lambda_: float | None = None,
        schedule_of_t: str = "descending",
        restarts: int = 1,
    ) -> None:
        check_prior(prior)
        schedule = prior.schedule
        num_steps = schedule.num_timesteps if num_steps is None else num_steps
        if not whole(most=schedule.num_timesteps).check(num_steps):
            raise ValueError(f"num_steps lies in 1 ... {schedule.num_timesteps}, but is {shown(num_steps)}")
        if not isinstance(weight, str) or (weight not in WEIGHTS and weight != "bound"):
            raise ValueError(f"weight is one of {', '.join(WEIGHTS)} or bound, not {shown(weight)}")
        if lambda_ is None:
            lambda_ = 1.0 if weight == "bound" else 0.25
        if not number(least=0).check(lambda_):
            raise ValueError(f"lambda_ is a finite weight of at least 0, but is {shown(lambda_)}")
        if schedule_of_t not in ("descending", "random"):
            raise ValueError(f"schedule_of_t is 'descending' or 'random', not {shown(schedule_of_t)}")
        if weight == "bound" and schedule_of_t == "random" and num_steps < schedule.num_timesteps:
            raise ValueError("the bound draws its random times from all of them: leave num_steps at None")
        checked("restarts", restarts, whole())
        check_operator(operator)
        check_fits(operator, prior)
        self.prior, self.operator = prior, brought_to(prior, operator)
        self.num_images, self.num_restarts = operator.observed.shape[0], restarts
        prior.check_images(self.num_images)
        # Where no signal is left (alpha = 0), the published weights are infinite.
        top = schedule.last - (weight != "bound" and float(schedule.alpha(schedule.last)) == 0)
        self.times = tuple(prior.times(top, 0, num_steps - 1)) if num_steps > 1 else (top,)
        self.weight, self.lambda_ = weight, float(lambda_)
        self.schedule_of_t, self.sampling_steps = schedule_of_t, 50
        likelihood = Gaussian(self._published_scale()) if likelihood is None else likelihood
        self.likelihood = as_likelihood(likelihood).to(prior.device, prior.dtype)
        self.step = 0

    def _published_scale(self) -> float:
        """sqrt(d_y / d)."""
        prior = self.prior
        blank = torch.zeros(self.num_images, *prior.image_shape, device=prior.device, dtype=prior.dtype)
        entries = self.operator(blank)[0].numel()
        return math.sqrt(entries / math.prod(prior.latent_shape))

    def restarts(self) -> pyro.plate:
        """The plate over the S restarts."""
        return pyro.plate("restarts", self.num_restarts, dim=-2)

    def outline(self) -> dict[str, object]:
        return {**super().outline(), "restarts": self.num_restarts}

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """A fit, which leaves the program at the top."""
        try:
            yield
        finally:
            self.step = 0

    def __call__(self, y: Tensor | None = None) -> Tensor:
        """Run the program; with ``y=None`` it draws images and measurements from the prior.

        Args:
            y: measurements with shape (N, C', H', W'), 0 where not observed.

        Returns:
            The image x with shape (*, S, N, C, H, W).

        Raises:
            TypeError: where an inference algorithm of Pyro runs it that needs a density of z_0.
        """
        check_algorithms("RED-diff's program", {DENSITY: "Take Trace_ELBO"})
        with self.restarts(), self.images():
            z = pyro.sample(site(0), self._regulariser())
            clean = Prediction(self.prior, z, CLEAN, z)
            pyro.deterministic("x", clean.x, event_dim=3)
            self.observe(self.likelihood.at(self.operator, clean), y)
        return clean.x

    def _regulariser(self) -> REDDiffRegulariser:
        prior = self.prior
        zeros = torch.zeros(self.num_images, *prior.latent_shape, device=prior.device, dtype=prior.dtype)
        noise = _draw("epsilon", dist.Normal(zeros, 1).to_event(3))
        return REDDiffRegulariser(
            prior, self._time(), (self.num_images,),
            self.weight, self.lambda_, noise, self.sampling_steps, self._advance,
        )  # fmt: skip

    def _time(self) -> int | Tensor:
        size, last = len(self.times), self.prior.schedule.last
        k = self.step % size
        descending = self.schedule_of_t == "descending"
        if descending and self.weight != "bound":
            return self.times[k]
        # A normal's distribution function makes it uniform: so each image's own generator serves.
        standard = dist.Normal(torch.zeros(self.num_images, dtype=torch.float64, device="cpu"), 1)
        u = torch.special.ndtr(_draw("time", standard))
        if self.weight != "bound":
            return torch.tensor(self.times, device="cpu")[(u * size).long().clamp_max(size - 1)]
        if descending:
            u = (size - 1 - k + u) / size
        return (u * (last + 1)).long().clamp_max(last)

    def _advance(self) -> None:
        self.step += 1


def _draw(name: str, fn: TorchDistributionMixin) -> Tensor:
    """Noise that handlers see, so that plates expand it and ``fit`` seeds it per image, but no trace keeps."""
    return pyro.sample(name, fn, infer={"is_auxiliary": True, "_do_not_trace": True})
