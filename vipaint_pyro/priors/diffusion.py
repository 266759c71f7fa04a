r"""A diffusion prior = noise schedule + denoiser + codec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vipaint_pyro.faults import check_finite
from vipaint_pyro.networks.frozen import frozen
from vipaint_pyro.priors.codecs import Codec, IdentityCodec
from vipaint_pyro.priors.conditioned import Conditionable
from vipaint_pyro.priors.conditioning import Conditioning
from vipaint_pyro.priors.counting import Calls
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.kernels import check_times, like, reverse_step
from vipaint_pyro.priors.loadable import Loadable
from vipaint_pyro.priors.pieces import piecewise
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule

__all__ = ["DiffusionPrior", "check_prior"]


class DiffusionPrior(Loadable, Conditionable):
    """A pre-trained diffusion model as a prior over images.

    Args:
        schedule: its noise levels.
        denoiser: (z_t, t) -> E[z_0 | z_t].
        latent_shape: (C, H, W) of z.
        codec: between latents and images; by default the latents are the image.
        conditioning: what the network can be conditioned on; by default nothing.

    Attributes:
        is_exact: whether the denoiser is E[z_0 | z_t] itself, and no network's estimate of it.
        calls: what counts the calls of :meth:`denoise` (:func:`vipaint_pyro.priors.counting.count_calls`), or None.
        checkpointing: whether a backward pass calls the network again; see :meth:`checkpointed`.
        pieces: how many samples of every image the networks are given at once; see :meth:`in_pieces`.
    """

    is_exact: bool = False
    calls: Calls | None = None
    checkpointing: bool = False
    pieces: int | None = None

    def __init__(
        self,
        schedule: NoiseSchedule,
        denoiser: Denoiser,
        latent_shape: Sequence[int],
        codec: Codec | None = None,
        conditioning: Conditioning | None = None,
    ) -> None:
        self.schedule = schedule
        self.denoiser = denoiser
        self.latent_shape = tuple(latent_shape)
        self.codec = codec or IdentityCodec()
        self.conditioning = conditioning or Conditioning()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.denoiser).__name__}, images {self.image_shape}, {self.schedule})"

    @property
    def device(self) -> torch.device:
        """Where the network is, and with it every z."""
        return self.denoiser.device

    @property
    def dtype(self) -> torch.dtype:
        """The network's precision, and that of every z."""
        return self.denoiser.dtype

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        c, h, w = self.latent_shape
        return (self.codec.channels or c, h * self.codec.factor, w * self.codec.factor)

    @property
    def is_latent(self) -> bool:
        """Whether images are decoded from latents, rather than being z_0 themselves."""
        return not isinstance(self.codec, IdentityCodec)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """A block in which its networks are in evaluation mode, their weights out of every gradient.

        Every call of a network sees to that for itself and leaves it as it was, so that a network is never changed
        and no gradient gathers in it; a block spares each call a look at every module. Samplers and
        :func:`vipaint_pyro.inference.fit` open one; a loop of Pyro's own ``SVI.step`` may.
        """
        networks = (self.denoiser.network, self.codec.network, self.conditioning.class_embedder)
        with ExitStack() as stack:
            for network in networks:
                if isinstance(network, nn.Module):
                    stack.enter_context(frozen(network))
            yield

    def checkpointed(self, checkpointing: bool = True) -> DiffusionPrior:
        """This prior with gradient checkpointing: a backward pass calls the network again.

        Nothing of a call is kept until then but its input, so that the memory of a fit does not grow with
        its number of levels; the price is one more forward call of three.
        """
        new = copy(self)
        new.checkpointing = checkpointing
        return new

    def in_pieces(self, samples: int | None) -> DiffusionPrior:
        """This prior with networks that are given so many samples of every image at once; None for all of them.

        That is where no gradient is taken: what a gradient needs is kept of all samples anyway.
        """
        new = copy(self)
        new.pieces = samples
        return new

    def counted(self, calls: Calls) -> DiffusionPrior:
        """This prior, each z that :meth:`denoise` is asked for added to ``calls``."""
        new = copy(self)
        new.calls = calls
        return new

    def denoise(self, z: Tensor, t: int | Tensor) -> Tensor:
        """E[z_0 | z_t = z].

        Args:
            z: with shape (*, N, C, H, W), N images, any further batch axes on the left.
            t: a time, or whole times with a shape that broadcasts against (*, N).

        Returns:
            A tensor of z's shape.

        Raises:
            ValueError: for a prior that needs a label or a text and was given none; for z of another shape, or a t
                that is no time.
            NonFiniteError: where the prediction is not finite.
        """
        if z.ndim < 4 or z.shape[-3:] != self.latent_shape:
            wanted = ", ".join(map(str, self.latent_shape))
            raise ValueError(f"z has shape (*, N, {wanted}), but came with {tuple(z.shape)}")
        check_times(self.schedule, t)
        z0 = self._denoised(z, t)
        check_finite(z0, "the network's prediction", t)
        if self.calls is not None:
            self.calls.add(z0)
        return z0

    def _denoised(self, z: Tensor, t: int | Tensor) -> Tensor:
        """:meth:`denoise`, uncounted."""
        batch = z.shape[:-3]
        times = torch.as_tensor(t, device="cpu").expand(batch).reshape(-1)
        condition = self._condition_of(batch)
        flat = z.reshape(-1, *z.shape[-3:])
        if self.checkpointing and torch.is_grad_enabled() and z.requires_grad:
            # The networks draw nothing in evaluation mode, so the random state needs no keeping.
            z0 = checkpoint(self.denoiser, flat, times, condition, use_reentrant=False, preserve_rng_state=False)
        else:
            z0 = piecewise(self.denoiser, self.pieces, z, times, condition)
        return z0.reshape(z.shape)

    def clipped(self, z0: Tensor) -> Tensor:
        """What the network's own sampler makes of a prediction, clipping or nothing, as :meth:`denoise` does.

        What y adds to a prediction may leave the range of images, far where the network's Jacobian is no covariance.

        Args:
            z0: (*, N, C, H, W).

        Returns:
            A tensor of its shape; the derivative is that of the identity.
        """
        return self.denoiser.clipped(z0.reshape(-1, *z0.shape[-3:])).reshape(z0.shape)

    def reverse(
        self, z_t: Tensor, t: int | Tensor, s: int | Tensor, eta: float = 1.0, z0: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean, with z_t's shape, and standard deviation of the prior's reverse step p(z_s | z_t).

        ``z0`` may carry :meth:`denoise` of the same z_t, where it is known already.
        """
        z0 = self.denoise(z_t, t) if z0 is None else z0
        c_0, c_t, std = reverse_step(self.schedule, t, s, eta)
        return like(c_0, z_t) * z0 + like(c_t, z_t) * z_t, like(std, z_t).to(z_t.device)

    def transition(
        self, z_t: Tensor, t: int | Tensor, s: int | Tensor, eta: float = 1.0, z0: Tensor | None = None
    ) -> TorchDistributionMixin:
        """p(z_s | z_t) as a Pyro distribution with event shape (C, H, W): the Gaussian of :meth:`reverse`."""
        mean, std = self.reverse(z_t, t, s, eta, z0)
        return dist.Normal(mean, std).to_event(3)

    def marginal(self, t: int) -> TorchDistributionMixin | None:
        """p(z_t) where it is known in closed form (:mod:`vipaint_pyro.exact`), else None."""
        return None

    #: Whether p(x | z_t, y) can be drawn under Gaussian noise; see :mod:`vipaint_pyro.exact`.
    knows_the_clean_image = False

    def measured(self, operator: Any, scale: Tensor | float, z: Tensor, t: int) -> TorchDistributionMixin | None:
        """The Gaussian with the exact mean and covariance of y given z_t, where they are known, else None.

        Args:
            operator: a linear measurement.
            scale: standard deviation of the Gaussian noise in y.
            z: z_t with shape (*, N, C, H, W); t: its time.
        """
        return None

    def exactly_measured(self, operator: Any, scale: Any, z: Tensor, t: int) -> TorchDistributionMixin | None:
        """p(y | z_t) under Gaussian noise of standard deviation ``scale``, where it is known, else None."""
        return None

    def decode(self, z: Tensor) -> Tensor:
        """Images in [-1, 1] of latents z_0 with shape (*, C, H, W); raises NonFiniteError where they are not finite."""
        x = piecewise(self.codec.decode, self.pieces, z)
        check_finite(x, "a decoded image")
        return x.reshape(*z.shape[:-3], *x.shape[-3:])

    def encode(self, x: Tensor) -> Tensor:
        """Latents z_0 of images with shape (*, C, H, W) in [-1, 1]; raises NonFiniteError where they are not finite."""
        z = self.codec.encode(x.reshape(-1, *x.shape[-3:]))
        check_finite(z, "an encoded image")
        return z.reshape(*x.shape[:-3], *z.shape[-3:])

    def times(self, start: int, stop: int, num_steps: int) -> list[int]:
        """At most ``num_steps`` + 1 distinct times from ``start`` down to ``stop``, evenly spaced."""
        steps = min(num_steps, start - stop)
        return [round(start + (stop - start) * k / steps) for k in range(steps + 1)] if steps else [start]

    def sample(self, z: Tensor, start: int, stop: int = CLEAN, num_steps: int = 50) -> Tensor:
        """Ancestral sampling of z_stop given z_start = z, on evenly spaced times."""
        times = self.times(start, stop, num_steps)
        for t, s in zip(times, times[1:]):
            mean, std = self.reverse(z, t, s)
            z = mean + std * torch.randn_like(z)
        return z


def check_prior(prior: object) -> None:
    """Raise TypeError where something is no :class:`DiffusionPrior`."""
    if not isinstance(prior, DiffusionPrior):
        raise TypeError(f"prior is a vipaint_pyro.DiffusionPrior, like pipe.prior, not {type(prior).__name__}")
