r"""The exact posterior of a data set seen through a mask, entry by entry: no matrix of D x D is made.

Every picture :math:`\mu_k` of the data set is a Gaussian of variance v (:class:`~vipaint_pyro.exact.DatasetPrior`), and
:math:`y = m \cdot (x + \sigma_y\epsilon)`, so that with both variances in what is seen of a picture

.. math:: \tilde w_k \propto w_k \exp\Big(-\frac{\lVert m (y - \mu_k) \rVert^2}{2(\sigma_y^2 + v)}\Big), \qquad
          x | k, y \sim N\Big(\frac{\sigma_y^2 \mu_k + v y}{\sigma_y^2 + v},\; \frac{v\sigma_y^2}{\sigma_y^2 + v}\Big)

where it is seen, and :math:`N(\mu_k, v)` where it is hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.exact.dataset_prior import DatasetPrior
from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement, check_fits
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.wording import shown

__all__ = ["MaskedPosterior"]

# A weight that is none: a mixture's weights are positive.
_NONE = 1e-300


class MaskedPosterior:
    """p(x | y) of a data set's picture x, half of it hidden, say; equal to
    :func:`~vipaint_pyro.exact.exact_posterior`.

    Args:
        prior: the data set.
        measurement: one picture through a mask, with Gaussian noise of one standard deviation.

    Attributes:
        weights: of the pictures given y, (K,), summing to 1.
        means: of each picture given y, (K, C, H, W).
        variance: of every entry of a picture given y and which it is, (C, H, W).

    Raises:
        TypeError: for another prior.
        ValueError: for another measurement, or one of pictures of another size.
    """

    def __init__(self, prior: DatasetPrior, measurement: Measurement) -> None:
        if not isinstance(prior, DatasetPrior):
            raise TypeError(f"the prior is a DatasetPrior, not {type(prior).__name__}")
        noise = measurement.likelihood
        sigma = noise.scale if isinstance(noise, Gaussian) else None
        one = sigma is not None and torch.as_tensor(sigma, device="cpu").numel() == 1
        if not isinstance(measurement.operator, Inpainting) or not one:
            raise ValueError("the measurement is of a mask, with Gaussian noise of one standard deviation, not "
                             f"{type(measurement.operator).__name__} with {shown(noise)}")  # fmt: skip
        if measurement.num_images != 1:
            raise ValueError(f"the measurement is of one picture, not of {measurement.num_images}")
        check_fits(measurement.operator, prior)
        self.prior, shape = prior, prior.latent_shape
        pictures = prior.components.means.reshape(-1, *shape)
        seen = measurement.operator.observed[0].to(pictures.device).expand(shape)
        y = measurement.y[0].to(pictures)
        spread, own = float(sigma or 0) ** 2, prior.components.eigenvalues.reshape(shape)
        both = own + spread
        square = torch.where(seen, (y - pictures).square() / both, 0).flatten(1).sum(1)
        self.weights = (prior.log_weights - square / 2).softmax(-1)
        self.means = torch.where(seen, (spread * pictures + own * y) / both, pictures)
        self.variance = torch.where(seen, own * spread / both, own)

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Independent draws (S, 1, C, H, W).

        Args:
            num_samples: S.
            generator: None takes the global state.
        """
        checked("num_samples", num_samples, whole())
        k = torch.multinomial(self.weights, num_samples, replacement=True, generator=generator)
        shape = (num_samples, *self.variance.shape)
        noise = torch.randn(shape, generator=generator, dtype=self.means.dtype, device=self.means.device)
        return (self.means[k] + self.variance.sqrt() * noise)[:, None]

    def as_prior(self, kernel: str = "gaussian") -> GaussianMixturePrior:
        """The posterior as a prior of its own, whose denoiser is E[x | z_t, y]."""
        return GaussianMixturePrior(
            self.weights.clamp_min(_NONE), self.means, self.prior.schedule, variances=self.variance, kernel=kernel
        )
