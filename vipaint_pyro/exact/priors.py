r"""Priors whose every quantity is known in closed form, behind the interface of any other prior.

Formulas, for component k with mean :math:`\mu_k` and covariance :math:`\Sigma_k`, noised to
:math:`z_t = \alpha_t x + \sigma_t\epsilon`: marginal :math:`N(\alpha_t\mu_k, V_k(t))` with
:math:`V_k(t) = \alpha_t^2\Sigma_k + \sigma_t^2 I`; responsibilities :math:`r_k(z_t)`; and, with
:math:`a = \alpha_t/\alpha_s`, the exact reverse kernel, itself a mixture:

.. math:: p(z_s | z_t) = \sum_k r_k(z_t)\, N\big(\alpha_s\mu_k + a V_k(s) V_k(t)^{-1}(z_t - \alpha_t\mu_k),\;
          V_k(s) - a^2 V_k(s) V_k(t)^{-1} V_k(s)\big)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.exact.measurement import Measurement
from vipaint_pyro.exact.mixture import Components, GaussianMixture
from vipaint_pyro.exact.posterior import ExactPosterior
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["KERNELS", "DatasetPrior", "GaussianMixturePrior", "GaussianPrior"]

#: The reverse kernels: the true one, or the Gaussian step that a network's sampler would take.
KERNELS = ("exact", "gaussian")


class MixtureDenoiser:
    r"""The exact denoiser of a Gaussian mixture: E[x | z_t] = :math:`\sum_k r_k m_k`.

    .. math:: m_k = \mu_k + \alpha_t \Sigma_k V_k(t)^{-1} (z_t - \alpha_t \mu_k)
    """

    def __init__(self, prior: GaussianMixturePrior) -> None:
        self._prior = prior

    @property
    def device(self) -> torch.device:
        return self._prior.components.means.device

    @property
    def dtype(self) -> torch.dtype:
        return self._prior.components.means.dtype

    def __call__(self, z: Tensor, t: Tensor, class_labels: Tensor | None = None) -> Tensor:
        return self._prior.posterior(z, t).mean

    def variance(self, t: Tensor, z: Tensor) -> Tensor:
        """Var[x | z_t] of every entry."""
        return self._prior.posterior(z, t).variance


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
        ValueError: where the shapes do not fit, or a variance is not positive.
    """

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
        if means.ndim not in (2, 4) or not torch.isfinite(means).all():
            raise ValueError(f"means are finite, with shape (K, C, H, W) or (K, D), but have {tuple(means.shape)}")
        if kernel not in KERNELS:
            raise ValueError(f"kernel is one of {', '.join(KERNELS)}, not {kernel!r}")
        shape = means.shape[1:] if means.ndim == 4 else (1, 1, means.shape[1])
        flat = means.flatten(1)
        weights = torch.as_tensor(weights, dtype=means.dtype, device=means.device)
        positive = (weights > 0).all() and torch.isfinite(weights).all()
        if weights.ndim not in (1, 2) or weights.shape[-1] != len(means) or not positive:
            raise ValueError(
                f"weights are positive, with shape ({len(means)},) or (N, {len(means)}), but have {tuple(weights.shape)}"
            )
        self.components = Components(flat, *_decompose(flat, variances, covariances))
        self.log_weights = weights.log().log_softmax(-1)
        self.kernel = kernel
        super().__init__(schedule, MixtureDenoiser(self), shape)

    @property
    def weights(self) -> Tensor:
        """Normalised, with shape (K,) or (N, K)."""
        return self.log_weights.exp()

    def denoise(self, z: Tensor, t: int | Tensor) -> Tensor:
        return self.posterior(z, t).mean

    def marginal(self, t: int) -> dist.Distribution:
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

    def transition(self, z_t, t, s, eta=1.0, z0=None) -> dist.Distribution:
        """p(z_s | z_t), the exact mixture unless the prior was made with ``kernel="gaussian"``.

        Raises:
            ValueError: for the exact kernel with eta other than 1.
        """
        if self.kernel == "gaussian":
            return super().transition(z_t, t, s, eta, z0)
        _check_eta(eta)
        return self._kernel(z_t, t, s)

    def reverse(self, z_t, t, s, eta=1.0, z0=None) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, entry by entry, of :meth:`transition`.

        A ``z0`` of the caller's takes the place of E[x | z_t] in the mean alone.
        """
        if self.kernel == "gaussian":
            return super().reverse(z_t, t, s, eta, z0)
        _check_eta(eta)
        mean, _ = super().reverse(z_t, t, s, 1.0, z0)
        return mean, self._kernel(z_t, t, s).variance.sqrt()

    def measured(self, operator, scale, z, t, z0=None) -> dist.Distribution:
        r"""The Gaussian with the exact mean and covariance of y given z_t."""
        seen = self.exactly_measured(operator, scale, z, t)
        return _Vector(*seen.moment_matched(), seen.measurement.observed)

    def exactly_measured(self, operator: Operator, scale: Tensor | float, z: Tensor, t: int) -> dist.Distribution:
        """The exact p(y | z_t), a mixture, for Gaussian noise of standard deviation ``scale``."""
        return self._measurement(operator, scale)(self.posterior(z, t))

    @property
    def knows_the_clean_image(self) -> bool:
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

    def _measurement(self, operator: Operator, scale: Tensor | float) -> Measurement:
        """The operator's matrix, made once for the many levels it is used at."""
        known = self.__dict__.get("_last_measurement")
        if known is None or known[0] is not operator or known[1] is not scale:
            like = self.components.means
            known = (operator, scale, Measurement(operator, scale, self.latent_shape, like))
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
        c = self.components
        alpha_t, V_t = self._noised(t)
        alpha_s, V_s = self._noised(s)
        log_r = self._log_responsibilities(z_t, t, alpha_t, V_t)
        # V(s) - a^2 V(s)^2 / V(t) = V(s) v_ts / V(t), without the difference of nearly equal numbers.
        a, v = (self._like(x, V_t) for x in forward_step(self.schedule, torch.as_tensor(s), torch.as_tensor(t)))
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


class GaussianPrior(GaussianMixturePrior):
    """One Gaussian: the oracle of the tests.

    Args:
        mean: with shape (C, H, W), in image units.
        std: of independent entries, with the same shape, positive.
        schedule: the noise levels.
        covariance: (D, D) with D = C H W, instead of std.
        kernel: see :class:`GaussianMixturePrior`.
    """

    def __init__(
        self,
        mean: Tensor,
        std: Tensor | None,
        schedule: NoiseSchedule,
        *,
        covariance: Tensor | None = None,
        kernel: str = "exact",
    ) -> None:
        if mean.ndim != 3:
            raise ValueError(f"mean has shape (C, H, W), but came with {tuple(mean.shape)}")
        super().__init__(
            mean.new_ones(1),
            mean[None],
            schedule,
            variances=None if std is None else torch.as_tensor(std) ** 2,
            covariances=covariance,
            kernel=kernel,
        )
        self.mean, self.std = mean, self.marginal(CLEAN).stddev.expand_as(mean)

    def marginal(self, t):
        return self._as_normal(super().marginal(t))

    def transition(self, z_t, t, s, eta=1.0, z0=None):
        return self._as_normal(super().transition(z_t, t, s, eta, z0))

    def _as_normal(self, mixture: dist.Distribution) -> dist.Distribution:
        """Independent entries as a Normal, so that Pyro knows its KL divergences."""
        if self.components.basis is not None or not isinstance(mixture, GaussianMixture):
            return mixture
        return dist.Normal(mixture.mean, mixture.stddev).to_event(3)


class DatasetPrior(GaussianMixturePrior):
    r"""Every image of a data set as a narrow Gaussian: an exact prior over real pictures.

    Args:
        images: (K, C, H, W) in [-1, 1]. Float64 is advised: squared distances over std^2 are large.
        std: of each Gaussian, in the same units.
        schedule: the noise levels.
        weights: of the images, by default all alike.
        kernel: see :class:`GaussianMixturePrior`.
    """

    def __init__(
        self,
        images: Tensor,
        std: float,
        schedule: NoiseSchedule,
        *,
        weights: Tensor | None = None,
        kernel: str = "exact",
    ) -> None:
        if not std > 0:
            raise ValueError(f"std is the positive width of each image's Gaussian, but is {std}")
        weights = images.new_ones(len(images)) if weights is None else weights
        super().__init__(weights, images, schedule, variances=std**2, kernel=kernel)


class _Vector(dist.MultivariateNormal):
    """A Gaussian over y flattened, with event shape (C', H', W'); what is not observed is not looked at."""

    def __init__(self, mean: Tensor, covariance: Tensor, observed: Tensor) -> None:
        super().__init__(mean, covariance, validate_args=False)
        self.observed = observed
        self._event_shape = observed.shape[1:]

    def expand(self, batch_shape, _instance=None):
        size = self.loc.shape[-1]
        mean, covariance = self.loc.expand(*batch_shape, size), self.covariance_matrix.expand(*batch_shape, size, size)
        return _Vector(mean, covariance, self.observed)

    @property
    def mean(self) -> Tensor:
        return self.loc.reshape(*self.loc.shape[:-1], *self.event_shape)

    @property
    def variance(self) -> Tensor:
        return self.covariance_matrix.diagonal(dim1=-2, dim2=-1).reshape(self.mean.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        L = self._unbroadcasted_scale_tril
        y = torch.where(self.observed, value, 0).flatten(-3)
        e = torch.linalg.solve_triangular(L, (y - self.loc)[..., None], upper=False)[..., 0]
        log_det = L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (e**2).sum(-1) - log_det - 0.5 * e.shape[-1] * math.log(2 * math.pi)

    def rsample(self, sample_shape=torch.Size()) -> Tensor:
        shape = torch.Size(sample_shape) + self.loc.shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        flat = self.loc + (self._unbroadcasted_scale_tril @ noise[..., None])[..., 0]
        return torch.where(self.observed, flat.reshape(*flat.shape[:-1], *self.event_shape), 0)


def _check_eta(eta: float) -> None:
    if eta != 1:
        raise ValueError("the exact reverse kernel is the ancestral one: leave eta at 1, or take kernel='gaussian'")


def _decompose(
    means: Tensor, variances: Tensor | float | Sequence | None, covariances: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues and basis, as :class:`Components` takes them."""
    k, d = means.shape
    if (variances is None) == (covariances is None):
        raise ValueError("give variances, for independent entries, or covariances, for full matrices")
    if variances is not None:
        v = torch.as_tensor(variances, dtype=means.dtype, device=means.device)
        if v.numel() == 1:
            values, basis = v.reshape(1).expand(d), None
        elif v.numel() == d and (v.ndim != 2 or v.shape != (k, d)):
            values, basis = v.reshape(d), None
        elif v.numel() == k * d:
            values, basis = v.reshape(k, d), None
        else:
            raise ValueError(f"variances are 1, {d} or {k} x {d} numbers, but have shape {tuple(v.shape)}")
        values = values[0] if values.ndim == 2 and k == 1 else values
    else:
        c = torch.as_tensor(covariances, dtype=means.dtype, device=means.device)
        if c.shape not in ((d, d), (k, d, d)):
            raise ValueError(f"covariances have shape {(d, d)} or {(k, d, d)}, but came with {tuple(c.shape)}")
        if not torch.allclose(c, c.mT):
            raise ValueError("covariances are symmetric matrices")
        c = c[0] if c.ndim == 3 and k == 1 else c
        values, basis = torch.linalg.eigh(c)
    if not (values > 0).all():
        raise ValueError("every variance (or eigenvalue of a covariance) must be positive")
    return values.contiguous(), basis
