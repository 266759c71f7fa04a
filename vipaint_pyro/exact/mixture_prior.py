r"""Priors whose every quantity is known in closed form, behind the interface of any other prior.

Formulas, for component k with mean :math:`\mu_k` and covariance :math:`\Sigma_k`, noised to
:math:`z_t = \alpha_t x + \sigma_t\epsilon`: marginal :math:`N(\alpha_t\mu_k, V_k(t))` with
:math:`V_k(t) = \alpha_t^2\Sigma_k + \sigma_t^2 I`; responsibilities :math:`r_k(z_t)`; and, with
:math:`a = \alpha_t/\alpha_s`, the exact reverse kernel, itself a mixture:

.. math:: p(z_s | z_t) = \sum_k r_k(z_t)\, N\big(\alpha_s\mu_k + a V_k(s) V_k(t)^{-1}(z_t - \alpha_t\mu_k),\;
          V_k(s) - a^2 V_k(s) V_k(t)^{-1} V_k(s)\big)
"""

from __future__ import annotations

import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import FlatGaussian
from vipaint_pyro.exact.components import Components, _decompose, positive_weights
from vipaint_pyro.exact.evidence import GaussianEvidence
from vipaint_pyro.exact.mixture import GaussianMixture
from vipaint_pyro.exact.mixture_denoiser import MixtureDenoiser
from vipaint_pyro.exact.posterior import ExactPosterior
from vipaint_pyro.measurements.checks import check_shape
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["GaussianMixturePrior", "KERNELS"]

#: The reverse kernels: the true one, or the Gaussian step that a network's sampler would take.
KERNELS = ("exact", "gaussian")


class GaussianMixturePrior(DiffusionPrior):
    r"""A mixture of Gaussians as a diffusion prior: :math:`p(x) = \sum_k w_k N(x; \mu_k, \Sigma_k)`.

    Its denoiser, marginals p(z_t), reverse kernels and posteriors under linear measurements
    (:func:`vipaint_pyro.exact.exact_posterior`) are exact.

    Args:
        weights: w with shape (K,), positive; they are normalised. (N, K) gives each of N images
            a prior of its own weights.
        means: (K, C, H, W), or (K, D), which stands for (K, 1, 1, D).
        schedule: the noise levels: variance preserving, exploding, or a rectified flow.
        variances: of independent entries: one number, one per entry, or (K, ...) one per component
            and entry.
        covariances: full ones: (D, D) for all components, or (K, D, D). Give one of the two.
        kernel: ``"exact"``, or ``"gaussian"``, the DDIM step a network's sampler takes: with it
            the prior differs from what it is a diffusion of, as a network's does.

    Raises:
        ValueError: where the shapes do not fit, or a weight or a variance is not positive.
    """

    is_exact = True

    def __init__(
        self,
        weights: Tensor,
        means: Tensor,
        schedule: NoiseSchedule,
        *,
        variances: Tensor | float | None = None,
        covariances: Tensor | None = None,
        kernel: str = "exact",
    ) -> None:
        check_tensor("means", means, "(K, C, H, W) or (K, D)")
        if not isinstance(schedule, NoiseSchedule):
            raise TypeError(f"schedule is a vipaint_pyro.NoiseSchedule, not {type(schedule).__name__}")
        if not means.is_floating_point() or not means.numel():
            raise ValueError(f"means are floating-point numbers, not {tuple(means.shape)} of {means.dtype}")
        if means.ndim not in (2, 4) or not torch.isfinite(means).all():
            raise ValueError(f"means are finite, with shape (K, C, H, W) or (K, D), but have {tuple(means.shape)}")
        if kernel not in KERNELS:
            raise ValueError(f"kernel is one of {', '.join(KERNELS)}, not {shown(kernel)}")
        shape = means.shape[1:] if means.ndim == 4 else (1, 1, means.shape[1])
        flat = means.flatten(1)
        weights = positive_weights(weights, means)
        self.components = Components(flat, *_decompose(flat, variances, covariances))
        self.log_weights = weights.log().log_softmax(-1)
        self.kernel = kernel
        super().__init__(schedule, MixtureDenoiser(self), shape)

    @property
    def weights(self) -> Tensor:
        """Normalised, with shape (K,) or (N, K)."""
        return self.log_weights.exp()

    def _denoised(self, z: Tensor, t: int | Tensor) -> Tensor:
        return self.posterior(z, t).mean

    def marginal(self, t: int) -> TorchDistributionMixin:
        """p(z_t), with event shape (C, H, W); p(x) at t = ``CLEAN``."""
        return self.mixture(t)

    def mixture(self, t: int) -> GaussianMixture:
        """:meth:`marginal`, as a mixture also where it has but one component."""
        alpha, variance = self._noised(t)
        c = self.components
        scale = alpha.expand_as(c.eigenvalues)
        return GaussianMixture(c, self.log_weights, scale, torch.zeros_like(scale), variance, self.latent_shape)

    def posterior(self, z: Tensor, t: int | Tensor) -> GaussianMixture:
        """p(x | z_t = z) for z (*, N, C, H, W): its mean is the denoiser."""
        return self._kernel(z, t, CLEAN)

    def transition(
        self, z_t: Tensor, t: int | Tensor, s: int | Tensor, eta: float = 1.0, z0: Tensor | None = None
    ) -> TorchDistributionMixin:
        """p(z_s | z_t), the exact mixture unless the prior was made with ``kernel="gaussian"``.

        Raises:
            ValueError: for the exact kernel with eta other than 1.
        """
        if self.kernel == "gaussian":
            return super().transition(z_t, t, s, eta, z0)
        _check_eta(eta)
        return self._kernel(z_t, t, s)

    def reverse(
        self, z_t: Tensor, t: int | Tensor, s: int | Tensor, eta: float = 1.0, z0: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, entry by entry, of :meth:`transition`.

        A ``z0`` of the caller's takes the place of E[x | z_t] in the mean alone.
        """
        if self.kernel == "gaussian":
            return super().reverse(z_t, t, s, eta, z0)
        _check_eta(eta)
        mean, _ = super().reverse(z_t, t, s, 1.0, z0)
        return mean, self._kernel(z_t, t, s).variance.sqrt()

    def measured(self, operator: Operator, scale: float | Tensor, z: Tensor, t: int) -> TorchDistributionMixin:
        r"""The Gaussian with the exact mean and covariance of y given z_t."""
        seen = self.exactly_measured(operator, scale, z, t)
        mean, covariance = seen.moment_matched()
        return FlatGaussian(mean, covariance, seen.measurement.observed)

    def exactly_measured(self, operator: Operator, scale: Tensor | float, z: Tensor, t: int) -> TorchDistributionMixin:
        """The exact p(y | z_t), a mixture, for Gaussian noise of standard deviation ``scale``."""
        return self._measurement(operator, scale)(self.posterior(z, t))

    @property
    def knows_the_clean_image(self) -> bool:  # type: ignore[override]  # it is only read
        return self.kernel == "exact"

    def complete(
        self,
        z: Tensor,
        t: int,
        operator: Operator,
        scale: Tensor | float,
        y: Tensor,
        streams: NoiseStreams | None = None,
    ) -> tuple[Tensor, Tensor]:
        """A draw of p(x | z_t, y) for each z (*, N, C, H, W), and log p(y | z_t) with shape (*, N)."""
        posterior = ExactPosterior(self.exactly_measured(operator, scale, z, t), y)
        return posterior.sample(1, streams)[0], posterior.log_evidence

    def _measurement(self, operator: Operator, scale: Tensor | float) -> GaussianEvidence:
        """The operator's matrix, made once for the many levels it is used at."""
        known = self.__dict__.get("_last_measurement")
        if known is None or known[0] is not operator or known[1] is not scale:
            like = self.components.means
            known = (operator, scale, GaussianEvidence(operator, scale, self.latent_shape, like))
            self.__dict__["_last_measurement"] = known
        return known[2]

    # -- the formulas -------------------------------------------------------------------------------

    def _noised(self, t: int | Tensor) -> tuple[Tensor, Tensor]:
        """alpha_t and the eigenvalues of V(t), with the shape of t, then (D,) or (K, D)."""
        c = self.components
        t = torch.as_tensor(t, device="cpu")
        alpha, sigma = (self._like(v(t), c.eigenvalues) for v in (self.schedule.alpha, self.schedule.sigma))
        return alpha, alpha**2 * c.eigenvalues + sigma**2

    def _like(self, coefficient: Tensor, values: Tensor) -> Tensor:
        """A coefficient per time, to broadcast over the eigenvalues."""
        axes = (1,) * self.components.eigenvalues.ndim
        return coefficient.to(values.dtype).to(values.device).reshape(*coefficient.shape, *axes)

    def _kernel(self, z_t: Tensor, t: int | Tensor, s: int | Tensor) -> GaussianMixture:
        check_shape("z", z_t, self.latent_shape)
        c = self.components
        alpha_t, V_t = self._noised(t)
        alpha_s, V_s = self._noised(s)
        log_r = self._log_responsibilities(z_t, t, alpha_t, V_t)
        # V(s) - a^2 V(s)^2 / V(t) = V(s) v_ts / V(t), without the difference of nearly equal numbers.
        s, t = (torch.as_tensor(time, device="cpu") for time in (s, t))
        a, v = (self._like(x, V_t) for x in forward_step(self.schedule, s, t))
        gain = a * V_s / V_t
        return GaussianMixture(
            c, log_r, alpha_s - gain * alpha_t, gain * c.rotate(z_t.flatten(-3)), V_s * v / V_t, self.latent_shape
        )

    def _log_responsibilities(self, z: Tensor, t: int | Tensor, alpha: Tensor, V: Tensor) -> Tensor:
        """log r_k(z_t), kept for the denoiser, kernel and likelihood that are asked for at the same z."""
        graph = z.requires_grad and torch.is_grad_enabled()  # a graph lasts for one backward pass: it is not kept
        known = None if graph else self.__dict__.get("_last_responsibilities")
        if known is None or known[0] is not z or known[1] is not t or known[2] != z._version:
            at_t = GaussianMixture(
                self.components, self.log_weights, alpha.expand_as(V), torch.zeros_like(V), V, self.latent_shape
            )
            known = (z, t, z._version, at_t.log_responsibilities(z))
            if not graph:
                self.__dict__["_last_responsibilities"] = known
        return known[3]


def _check_eta(eta: float) -> None:
    if eta != 1:
        raise ValueError("the exact reverse kernel is the ancestral one: leave eta at 1, or take kernel='gaussian'")
