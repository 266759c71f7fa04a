r"""RED-diff: a clean image, a diffusion prior as its regulariser, and the likelihood.

Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
arXiv:2305.04391.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from torch import Tensor

from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.models.diffusion import site
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import like
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["REDDiffModel", "REDDiffRegulariser", "WEIGHTS"]

#: w_t / lambda as a function of r = sigma_t / alpha_t, by the names of the released code. "linear" is
#: its default and the paper's choice; it is called 1/SNR there, but SNR = 1/r^2, so it is 1/sqrt(SNR).
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda r: r,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "power2over3": lambda r: r ** (2 / 3),
    "log": torch.log1p,
    "clip": lambda r: r.clamp_max(1),
    "const": torch.ones_like,
}


class REDDiffRegulariser(dist.TorchDistribution):
    r"""A diffusion prior over clean latents z_0 as RED-diff sees it: one noise level per call.

    ``sample()`` runs the reverse diffusion. What ``log_prob(z)`` is, with :math:`z_t = \alpha_t z +
    \sigma_t \epsilon`, depends on the weight:

    - a published one (:data:`WEIGHTS`): :math:`-w_t\, \mathrm{sg}[\hat\epsilon(z_t) - \epsilon]^T z`,
      where sg stops the gradient: no backward call of the network. Only its gradient means
      something, and it is that of no density; its value is neither a log density nor a bound.
      Since :math:`\hat\epsilon - \epsilon = \alpha_t (z - \hat z_0) / \sigma_t`, the gradient of
      "linear", with :math:`w_t = \lambda\sigma_t/\alpha_t`, is :math:`-\lambda (z - \hat z_0)`.
    - ``"bound"``: lambda times one term of the true bound,

      .. math:: \log p(z) \ge -KL(q(z_{T-1}|z)\,\|\,p(z_{T-1})) - \tfrac{d}{2}\log\frac{2\pi}{SNR_0}
                - \sum_{t=0}^{T-1} \tfrac12 (SNR_{t-1} - SNR_t)\, E\lVert z - \hat z_0(z_t)\rVert^2

      of whose sum it takes the t that it is given, times T: unbiased for a uniform t. The gradient
      goes through the network. Each term is the KL of an ancestral step from t to t-1; the last,
      with SNR_0 alone for its factor, and the logarithm are those of decoding z from z_t, t = 0, by
      :math:`N(\hat z_0, 1/SNR_0)`. As T grows the sum tends to
      :math:`\tfrac12\int E\lVert z - \hat z_0\rVert^2 d\,SNR`, or in eps
      :math:`\tfrac12\int -\frac{d \log SNR}{dt} E\lVert\epsilon - \hat\epsilon\rVert^2 dt`.

    Args:
        prior: the diffusion prior.
        t: the time; a number, or whole times on the CPU that broadcast against ``batch_shape``.
        batch_shape: (*, N) for N images.
        weight: a name in :data:`WEIGHTS`, or ``"bound"``.
        lambda_: the weight's factor.
        noise: epsilon, with a shape that broadcasts against z's; by default drawn on every call.
        num_steps: steps of the reverse diffusion in ``sample()``.
        scored: called when ``log_prob`` is first asked for.
    """

    arg_constraints: dict = {}
    support = constraints.independent(constraints.real, 3)
    has_rsample = False

    def __init__(
        self,
        prior: DiffusionPrior,
        t: int | Tensor,
        batch_shape: Sequence[int],
        weight: str = "linear",
        lambda_: float = 0.25,
        noise: Tensor | None = None,
        num_steps: int = 50,
        scored: Callable[[], None] | None = None,
    ) -> None:
        self.prior, self.t = prior, torch.as_tensor(t)
        self.weight, self.lambda_, self.noise = weight, lambda_, noise
        self.num_steps, self._scored = num_steps, scored
        super().__init__(torch.Size(batch_shape), torch.Size(prior.latent_shape), validate_args=False)

    def expand(self, batch_shape, _instance=None):
        return REDDiffRegulariser(
            self.prior, self.t, batch_shape,
            self.weight, self.lambda_, self.noise, self.num_steps, self._scored,
        )  # fmt: skip

    @torch.no_grad()
    def sample(self, sample_shape=torch.Size()) -> Tensor:
        prior, last = self.prior, self.prior.schedule.last
        z = torch.randn(self.shape(sample_shape), device=prior.device, dtype=prior.dtype)
        return prior.sample(prior.schedule.terminal_std * z, last, CLEAN, self.num_steps)

    def log_prob(self, z: Tensor) -> Tensor:
        if self._scored is not None:
            self._scored()
            self._scored = None  # a mean-field ELBO asks twice for what is one step
        z = z.expand(torch.broadcast_shapes(z.shape, self.shape()))
        noise = torch.randn_like(z) if self.noise is None else self.noise.expand_as(z)
        return self._bound(z, noise) if self.weight == "bound" else self._published(z, noise)

    def _residual(self, z: Tensor, noise: Tensor) -> Tensor:
        """z - z0_hat(z_t)."""
        schedule = self.prior.schedule
        z_t = like(schedule.alpha(self.t), z) * z + like(schedule.sigma(self.t), z) * noise
        return z - self.prior.denoise(z_t, self.t)

    def _published(self, z: Tensor, noise: Tensor) -> Tensor:
        ratio = self.prior.schedule.sigma(self.t) / self.prior.schedule.alpha(self.t)
        weight = self.lambda_ * WEIGHTS[self.weight](ratio)
        with torch.no_grad():
            error = like(weight / ratio, z) * self._residual(z, noise)  # w_t (eps_hat - eps)
        return -(error * z).sum((-3, -2, -1))

    def _bound(self, z: Tensor, noise: Tensor) -> Tensor:
        schedule = self.prior.schedule
        last = schedule.last
        snr = schedule.log_snr(torch.arange(last + 1)).exp()
        steps = torch.cat([snr[:1], -snr.diff()])
        scale = (0.5 * len(snr) * steps[self.t]).sqrt()
        terms = (like(scale, z) * self._residual(z, noise)).square()
        q = dist.Normal(like(schedule.alpha(last), z) * z, float(schedule.sigma(last)))
        p = dist.Normal(torch.zeros_like(z), schedule.terminal_std)
        terms = terms + torch.distributions.kl_divergence(q, p) + 0.5 * math.log(2 * math.pi / float(snr[0]))
        return -self.lambda_ * terms.sum((-3, -2, -1))


class REDDiffModel:
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
    :attr:`step` counts the scored calls (calls whose z_0 was asked for its ``log_prob``, as every
    ELBO does once per call), and a call's time is number ``step`` of these, beginning again at the
    top after the last. So each step of SVI moves on by one time, provided that the ELBO vectorises
    its particles and is told ``max_plate_nesting=2`` (guessing it can cost a scored call).
    :meth:`forget` goes back to the top; ``fit`` calls it when it ends. ``"random"`` draws one of these
    times, each equally likely, for each image, restart and particle (RED-diff-V).
    The bound is one over all T times; descending, it draws its time from the next of ``num_steps``
    equal parts of them, so that a sweep is unbiased.

    **Balance.** The published objective is :math:`\tfrac12\,\mathrm{mean}(y - A\mu)^2 +
    w_t\,\mathrm{mean}(\mathrm{sg}[\hat\epsilon - \epsilon]\,\mu)`, means over the :math:`d_y` entries of y
    (the unobserved ones of an inpainting included, as zeros) and the d of mu. Times d it is minus the
    log density of this program under Gaussian noise of variance :math:`d_y / d`, which is the default
    likelihood: standard deviation 1 for inpainting, 1/2 for a y of half the height and width. That
    is a weight, not a belief about the noise: ``Gaussian(s)`` and ``lambda_`` together are the published
    objective with its lambda at :math:`s^2 d / d_y` times ``lambda_``. With ``weight="bound"``, lambda_ = 1
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
        sampling_steps: of the reverse diffusion that draws z_0 when no guide supplies it.

    Raises:
        ValueError: for an unknown name, a number out of range, options that exclude each other, or
            class labels of another number.

    Attributes:
        step: scored calls since the top.
        times: the ``num_steps`` times ("bound" only counts them).
    """

    def __init__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        likelihood: Callable[[Tensor], dist.Distribution] | None = None,
        *,
        num_steps: int | None = None,
        weight: str = "linear",
        lambda_: float | None = None,
        schedule_of_t: str = "descending",
        restarts: int = 1,
        sampling_steps: int = 50,
    ) -> None:
        schedule = prior.schedule
        num_steps = schedule.num_timesteps if num_steps is None else num_steps
        if not 1 <= num_steps <= schedule.num_timesteps:
            raise ValueError(f"num_steps lies in 1 ... {schedule.num_timesteps}, but is {num_steps}")
        if weight not in WEIGHTS and weight != "bound":
            raise ValueError(f"weight is one of {', '.join(WEIGHTS)} or bound, not {weight!r}")
        if lambda_ is None:
            lambda_ = 1.0 if weight == "bound" else 0.25
        if not 0 <= lambda_ < math.inf:
            raise ValueError(f"lambda_ is a finite weight of at least 0, but is {lambda_}")
        if schedule_of_t not in ("descending", "random"):
            raise ValueError(f"schedule_of_t is 'descending' or 'random', not {schedule_of_t!r}")
        if weight == "bound" and schedule_of_t == "random" and num_steps < schedule.num_timesteps:
            raise ValueError("the bound draws its random times from all of them: leave num_steps at None")
        if restarts < 1:
            raise ValueError(f"restarts is at least 1, but is {restarts}")
        self.prior, self.operator = prior, operator
        self.num_images, self.num_restarts = operator.observed.shape[0], restarts
        prior.check_images(self.num_images)
        # Where no signal is left (alpha = 0), the published weights are infinite.
        top = schedule.last - (weight != "bound" and float(schedule.alpha(schedule.last)) == 0)
        self.times = tuple(prior.times(top, 0, num_steps - 1)) if num_steps > 1 else (top,)
        self.weight, self.lambda_ = weight, float(lambda_)
        self.schedule_of_t, self.sampling_steps = schedule_of_t, sampling_steps
        self.likelihood = likelihood or Gaussian(self._published_scale())
        self.step = 0

    def _published_scale(self) -> float:
        """sqrt(d_y / d)."""
        prior = self.prior
        blank = torch.zeros(self.num_images, *prior.image_shape, device=prior.device, dtype=prior.dtype)
        entries = self.operator(blank)[0].numel()
        return math.sqrt(entries / math.prod(prior.latent_shape))

    def images(self) -> pyro.plate:
        """The plate over the N images."""
        return pyro.plate("images", self.num_images, dim=-1)

    def restarts(self) -> pyro.plate:
        """The plate over the S restarts."""
        return pyro.plate("restarts", self.num_restarts, dim=-2)

    def forget(self) -> None:
        """Go back to the top."""
        self.step = 0

    def __call__(self, y: Tensor | None = None) -> Tensor:
        """Run the program; with ``y=None`` it draws images and measurements from the prior.

        Args:
            y: measurements with shape (N, C', H', W'), 0 where not observed.

        Returns:
            The image x with shape (*, S, N, C, H, W).
        """
        with self.restarts(), self.images():
            z = pyro.sample(site(0), self._regulariser())
            x = self.prior.decode(z)
            pyro.deterministic("x", x, event_dim=3)
            self._observe(x, y)
        return x

    def _observe(self, x: Tensor, y: Tensor | None) -> None:
        seen = self.likelihood(self.operator(x)).mask(self.operator.observed).to_event(3)
        shape = (*seen.batch_shape[-1:], *seen.event_shape)
        if y is not None and y.shape != shape:
            raise ValueError(f"y has shape {tuple(y.shape)}, but the operator measures {tuple(shape)}")
        pyro.sample("y", seen, obs=y)

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
        u = torch.special.ndtr(_draw("time", dist.Normal(torch.zeros(self.num_images, dtype=torch.float64), 1)))
        if self.weight != "bound":
            return torch.tensor(self.times)[(u * size).long().clamp_max(size - 1)]
        if descending:
            u = (size - 1 - k + u) / size
        return (u * (last + 1)).long().clamp_max(last)

    def _advance(self) -> None:
        self.step += 1


def _draw(name: str, fn: dist.Distribution) -> Tensor:
    """Noise that handlers see, so that plates expand it and ``fit`` seeds it per image, but no trace keeps."""
    return pyro.sample(name, fn, infer={"is_auxiliary": True, "_do_not_trace": True})
