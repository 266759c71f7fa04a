r"""The diffusion prior and the likelihood as one Pyro program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import Unscored
from vipaint_pyro.measurements.likelihood import Likelihood, as_likelihood
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.measurement import brought_to, check_fits, check_operator
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.models.bridge import Origins, p_transitions
from vipaint_pyro.models.marginal import DiffusionMarginal
from vipaint_pyro.models.predictions import Predictions
from vipaint_pyro.models.running import checked_run
from vipaint_pyro.models.sites import bridge, site
from vipaint_pyro.priors.diffusion import DiffusionPrior, check_prior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.settings import checked, number, whole
from vipaint_pyro.wording import shown

__all__ = ["DiffusionModel"]


class DiffusionModel(ImageModel):
    r"""A diffusion model over z_{T_e} ... z_{T_s} and the observed image y.

    Sample sites, with event shape (C, H, W), inside ``plate("images", N, dim=-1)``:

    ==================  ==========================================================================
    ``z_{T}``           p(z_T), a centred Gaussian (bridge form only)
    ``z_{T_e}``         p(z_{T_e}), the prior's marginal
    ``z_t``, ``z_s``    a transition p(z_s | z_t) above T_e, drawn by ``plate("noise_levels",
                        dim=-2)``, z_s twice in ``plate("draws", 2, dim=-3)`` (bridge form only)
    ``z_{s}`` ...       p(z_s | z_t) for neighbouring timesteps t > s, down to T_s
    ``x``               deterministic: the decoded one-step prediction E[z_0 | z_{T_s}]
    ``y``               the likelihood of the observed entries of y given A x
    ``perceptual``      a factor beside it, where the likelihood has one
    ==================  ==========================================================================

    p(z_{T_e}) has no closed density. It enters the bound in one of two forms, equal in
    expectation where the reverse kernel is exact:

    - ``"bridge"``, for guides whose q(z_{T_e}) is Gaussian: the densities of z_{T_e} are masked, and
      -KL(q(z_{T_e}) || p(z_{T_e})) is estimated from the sites z_T, z_t and z_s, where the guide
      knows q(z_t) and q(z_s | z_t) in closed form (VIPaint, arXiv:2411.18929, eq. 13-14 with
      z_{T_e} integrated out).
    - ``"marginal"``, for any other guide, AutoGuides included: ``z_{T_e}`` is a
      :class:`DiffusionMarginal`.

    Args:
        prior: the diffusion model; condition it on class labels first.
        operator: the measurement; its ``observed`` has shape (N, C, H, W). It is brought to the prior's device, as is
            what the likelihood holds.
        timesteps: T_e > ... > T_s, whole times of the prior's schedule.
        likelihood: of the observed entries, by default Laplace with b = 1; one of
            :mod:`vipaint_pyro.measurements.likelihoods`, or any callable from A x to a distribution.
        beta: weight of every latent site, through ``poutine.scale``; 1 is the evidence bound.
        eta: of the DDIM kernel between the timesteps, in (0, 1]; 1 is ancestral. (Above T_e the
            kernel is always the ancestral one, the reverse of the forward process.)
        form: ``"bridge"`` or ``"marginal"``.
        num_levels: transitions above T_e per call, each at the cost of one network call.

    Attributes:
        sampling_steps: of the reverse diffusion that draws z_{T_e} from the prior when no guide supplies it; 50.

    Raises:
        ValueError: for timesteps outside the schedule or out of order, beta or eta out of range,
            or an operator whose measurements fit neither the labels nor the prior.
    """

    def __init__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        timesteps: Sequence[int],
        likelihood: Likelihood | Callable[[Tensor], TorchDistributionMixin] | None = None,
        *,
        beta: float = 1.0,
        eta: float = 1.0,
        form: str = "bridge",
        num_levels: int = 4,
    ) -> None:
        check_prior(prior)
        self.timesteps = prior.schedule.check_timesteps(timesteps)
        if not number(above=0).check(beta):
            raise ValueError(f"beta is a positive weight, but is {shown(beta)}")
        if not number(above=0, most=1).check(eta):
            raise ValueError(f"eta lies in (0, 1] (0 would leave the sites no density), but is {shown(eta)}")
        if form not in ("bridge", "marginal"):
            raise ValueError(f"form is 'bridge' or 'marginal', not {shown(form)}")
        checked("num_levels", num_levels, whole())
        check_operator(operator)
        check_fits(operator, prior)
        self.prior = prior
        self.operator = brought_to(prior, operator)
        self.likelihood = as_likelihood(Laplace() if likelihood is None else likelihood).to(prior.device, prior.dtype)
        self.beta, self.eta, self.form = float(beta), float(eta), form
        self.num_levels, self.sampling_steps = num_levels, 50
        self.num_images = operator.observed.shape[0]
        prior.check_images(self.num_images)
        self._memo = self._own = Predictions(len(self.timesteps))

    # -- what a guide needs to know -------------------------------------------------------------

    @property
    def last(self) -> int:
        """T, the noisiest time of the schedule."""
        return self.prior.schedule.last

    @property
    def num_transitions(self) -> int:
        """How many transitions lead from T down to T_e."""
        return self.last - self.timesteps[0]

    @property
    def bridged(self) -> bool:
        """Whether the sites z_T, z_t and z_s are there."""
        return self.form == "bridge" and self.num_transitions > 0

    def noise_levels(self) -> pyro.plate:
        """The subsampled plate over the transitions above T_e; its indices n mean (T_e+n+1, T_e+n)."""
        size = self.num_transitions
        return pyro.plate("noise_levels", size, subsample_size=min(self.num_levels, size), dim=-2, device="cpu")

    @contextmanager
    def draws(self) -> Iterator[None]:
        """The plate over two draws of z_s for one z_t, each with half the weight.

        A second draw costs no network call. Pyro draws them independently; drawn as antithetic
        pairs, as :func:`vipaint_pyro.inference.fit.fit` does, the noise of log p(z_s | z_t) - log
        q(z_s | z_t), which is large against its mean for neighbouring levels, all but cancels.
        """
        with pyro.plate("draws", 2, dim=-3), poutine.scale(scale=0.5):
            yield

    def outline(self) -> dict[str, object]:
        return {**super().outline(), "timesteps": tuple(self.timesteps)}

    def weight(self) -> AbstractContextManager:
        """``poutine.scale`` of the latent sites by beta."""
        return poutine.scale(scale=self.beta)

    @contextmanager
    def predictions(self, known: Mapping[int, tuple[Tensor, Tensor]] | None = None) -> Iterator[Predictions]:
        """A block that shares its predictions with nothing outside, and frees them at its end.

        Args:
            known: what the caller has predicted already: t -> (z_t, E[z_0 | z_t]).
        """
        outside, self._memo = self._memo, Predictions(len(self.timesteps))
        for t, (z, z0) in (known or {}).items():
            self._memo.keep(z, t, z0)
        try:
            yield self._memo
        finally:
            self._memo = outside

    fitting = predictions

    def denoise(self, z: Tensor, t: int) -> Tensor:
        """E[z_0 | z_t], computed once although guide and model both ask for it at the same z_t."""
        if (z0 := self._memo.find(z, t)) is None:
            self._memo.keep(z, t, z0 := self.prior.denoise(z, t))
        return z0

    def keep(self, z: Tensor, t: int, z0: Tensor) -> None:
        """Have a prediction that was made elsewhere found again by :meth:`denoise` at this very tensor z."""
        self._memo.keep(z, t, z0)

    def forget(self) -> None:
        self._own.clear()  # the next run may be at the same z, but of other weights, and its graph has to be its own

    def reverse(self, z_t: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of p(z_s | z_t)."""
        return self.prior.reverse(z_t, t, s, self.eta, self.denoise(z_t, t))

    def transition(self, z_t: Tensor, t: int, s: int) -> TorchDistributionMixin:
        """p(z_s | z_t), a Gaussian or, where the prior knows it exactly, a mixture."""
        return self.prior.transition(z_t, t, s, self.eta, self.denoise(z_t, t))

    # -- the program ----------------------------------------------------------------------------

    def __call__(self, y: Tensor | None = None) -> Tensor:
        """Run the program; with ``y=None`` it draws images and measurements from the prior.

        Args:
            y: measurements with shape (N, C', H', W'), 0 where not observed.

        Returns:
            The image x with shape (*, N, C, H, W).

        Raises:
            TypeError: for an algorithm, or a guide, that is none for it; see
                :func:`vipaint_pyro.models.running.checked_run`.
            ValueError: for values of a site that are not of its shape.
        """
        with checked_run(self), self.images():
            with self.weight():
                z = self._top()
                for t, s in zip(self.timesteps, self.timesteps[1:]):
                    z = pyro.sample(site(s), self.transition(z, t, s))
            seen = self.prediction(z)
            pyro.deterministic("x", seen.x, event_dim=3)
            self.observe(self.likelihood.at(self.operator, seen), y)
        return seen.x

    def prediction(self, z: Tensor) -> Prediction:
        """What the prior predicts at z_{T_s}, by which the likelihood sees it."""
        return Prediction(self.prior, z, self.timesteps[-1], self.denoise(z, self.timesteps[-1]))

    def _top(self) -> Tensor:
        """z_{T_e}, and in the bridge form the sites that carry its density."""
        e = self.timesteps[0]
        if not self.num_transitions:
            return pyro.sample(site(e), self._terminal())
        if not self.bridged:
            return pyro.sample(site(e), self._marginal(None))
        with Origins() as origins:
            z_T = pyro.sample(site(self.last), self._terminal(), infer=bridge("p"))
            z = pyro.sample(site(e), Unscored.given(self._marginal(z_T), z_T), infer=bridge("p"))
            p_transitions(self, z)
        origins.check(site(e), site(self.last))
        return z

    def _terminal(self) -> TorchDistributionMixin:
        prior, known = self.prior, self.prior.marginal(self.last)
        if known is not None:
            return known.expand((self.num_images,))
        zeros = torch.zeros(self.num_images, *prior.latent_shape, device=prior.device, dtype=prior.dtype)
        return dist.Normal(zeros, prior.schedule.terminal_std).to_event(3)

    def _marginal(self, start: Tensor | None) -> TorchDistributionMixin:
        known = self.prior.marginal(self.timesteps[0])
        if known is not None and start is None:
            return known.expand((self.num_images,))
        batch = (self.num_images,) if start is None else start.shape[:-3]
        return DiffusionMarginal(self.prior, self.timesteps[0], batch, self.num_levels, self.sampling_steps, start)
