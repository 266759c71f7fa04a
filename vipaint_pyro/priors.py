r"""A diffusion prior = noise schedule + denoiser + codec."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.codecs import Codec, IdentityCodec
from vipaint_pyro.denoisers import Denoiser, GuidedDenoiser, denoiser_for
from vipaint_pyro.kernels import like, reverse_step
from vipaint_pyro.operators import Operator
from vipaint_pyro.schedules import CLEAN, NoiseSchedule

__all__ = ["DiffusionPrior"]


class DiffusionPrior:
    """A pre-trained diffusion model as a prior over images.

    Args:
        schedule: its noise levels.
        denoiser: (z_t, t) -> E[z_0 | z_t].
        latent_shape: (C, H, W) of z.
        codec: between latents and images; by default the latents are the image.
        num_classes: how many classes the network knows, the null class not counted; None for an
            unconditional network.
        null_class: the class that stands for "no label", where there is one.
        class_names: a name per class, for people.
    """

    def __init__(
        self,
        schedule: NoiseSchedule,
        denoiser: Denoiser,
        latent_shape: Sequence[int],
        codec: Codec | None = None,
        *,
        num_classes: int | None = None,
        null_class: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.schedule = schedule
        self.denoiser = denoiser
        self.latent_shape = tuple(latent_shape)
        self.codec = codec or IdentityCodec()
        self.num_classes = num_classes
        self.null_class = null_class
        self.class_names = tuple(class_names) if class_names else None
        self._labels: Tensor | None = None

    @classmethod
    def from_pretrained(cls, name_or_path: str, **options) -> DiffusionPrior:
        """A built-in prior by name, a diffusers folder, or a hub id.

        Takes the options of :meth:`vipaint_pyro.VIPaintPipeline.from_pretrained` (``dtype``,
        ``revision``, ``cache_dir``, ``local_files_only``, ``null_class`` ...), and raises its
        errors.
        """
        from vipaint_pyro.loading import load_components

        return cls.from_components(**load_components(name_or_path, **options))

    @classmethod
    def from_components(
        cls, unet, scheduler, null_class: int | None = None, class_names: Sequence[str] | None = None
    ) -> DiffusionPrior:
        """A pixel-space prior from a ``UNet2DModel`` and the scheduler it was trained with.

        Raises:
            ValueError: where the two do not describe a diffusion model of square images, or the
                null class is none of the network's.
        """
        config = unet.config
        size = config.sample_size
        if size is None:
            raise ValueError(
                "the network's config has no sample_size, so the size of its images is unknown; "
                "write it into unet/config.json"
            )
        height, width = (size, size) if isinstance(size, int) else size
        if config.out_channels not in (config.in_channels, 2 * config.in_channels):
            raise ValueError(
                f"a network from {config.in_channels} to {config.out_channels} channels is no "
                "denoiser: it must give as many channels as it takes (or twice, with variances)"
            )
        classes = config.num_class_embeds
        if null_class is not None:
            if not classes or not 0 <= null_class < classes:
                raise ValueError(f"null_class {null_class} is none of the network's {classes} classes")
            classes -= 1
        schedule = NoiseSchedule.from_scheduler(scheduler)
        return cls(
            schedule,
            denoiser_for(unet, scheduler, schedule),
            (config.in_channels, height, width),
            num_classes=classes,
            null_class=null_class,
            class_names=class_names,
        )

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
        return self.latent_shape

    @property
    def class_labels(self) -> Tensor | None:
        """The labels this prior was conditioned on, with shape (N,), or None."""
        return self._labels

    def conditioned(
        self, class_labels: Sequence[int | None] | Tensor | None, guidance_scale: float = 1.0
    ) -> DiffusionPrior:
        """This prior given a class label per image.

        Args:
            class_labels: N numbers or names; None stands for "no label" (the null class).
            guidance_scale: the weight w of classifier-free guidance, used alike in fitting and
                in sampling; 1 = the conditional model.

        Raises:
            ValueError: for a label the network does not know, no label where it needs one, or
                guidance without a null class.
        """
        if not math.isfinite(guidance_scale) or guidance_scale < 0:
            raise ValueError(f"guidance_scale is a finite weight of at least 0, but is {guidance_scale}")
        if self.num_classes is None:
            if guidance_scale != 1:
                raise ValueError("this prior is unconditional: there is nothing to guide, leave guidance_scale at 1")
            if class_labels is not None and any(c is not None for c in class_labels):
                raise ValueError("this prior is unconditional: it takes no class labels")
            return self
        if class_labels is None:
            class_labels = [None]
        labels = [self._number(c) for c in class_labels]
        if self.null_class is None and None in labels:
            raise ValueError(
                f"this prior has no null class, so each image needs a label 0 ... {self.num_classes - 1}"
            )
        labels = [self.null_class if c is None else c for c in labels]
        known = set(range(self.num_classes)) | ({self.null_class} - {None})
        wrong = [c for c in labels if c not in known]
        if wrong:
            names = f" ({', '.join(self.class_names)})" if self.class_names else ""
            raise ValueError(f"unknown class label {wrong[0]}: known are 0 ... {self.num_classes - 1}{names}")
        denoiser = self.denoiser
        if guidance_scale != 1:
            if self.null_class is None:
                raise ValueError("classifier-free guidance needs a network with a null class")
            if set(labels) == {self.null_class}:
                raise ValueError("classifier-free guidance needs a class label to guide towards")
            denoiser = GuidedDenoiser(denoiser, self.null_class, guidance_scale)
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__, denoiser=denoiser)
        new._labels = torch.tensor(labels, device=self.device)
        return new

    def _number(self, label) -> int | None:
        """A label by number, by name (capitals do not matter), or None."""
        if label is None or (isinstance(label, numbers.Integral) and not isinstance(label, bool)):
            return label if label is None else int(label)
        if isinstance(label, Tensor) and label.ndim == 0 and not label.is_floating_point():
            return int(label)
        names = [n.lower() for n in self.class_names or ()]
        if isinstance(label, str) and label.strip().lower() in names:
            return names.index(label.strip().lower())
        known = f", or one of {', '.join(names)}" if names else ""
        raise ValueError(f"unknown class label {label!r}: give a number 0 ... {self.num_classes - 1}{known}")

    def denoise(self, z: Tensor, t: int | Tensor) -> Tensor:
        """E[z_0 | z_t = z].

        Args:
            z: with shape (*, N, C, H, W), N images, any further batch axes on the left.
            t: a time, or whole times with a shape that broadcasts against (*, N).

        Returns:
            A tensor of z's shape.
        """
        batch = z.shape[:-3]
        times = torch.as_tensor(t, device="cpu").expand(batch).reshape(-1)
        labels = None if self._labels is None else self._labels.expand(batch).reshape(-1)
        if self.num_classes is not None and labels is None:
            labels = self.conditioned(None)._labels.expand(len(times))
        return self.denoiser(z.reshape(-1, *z.shape[-3:]), times, labels).reshape(z.shape)

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
    ) -> dist.Distribution:
        """p(z_s | z_t) as a Pyro distribution with event shape (C, H, W): the Gaussian of :meth:`reverse`."""
        mean, std = self.reverse(z_t, t, s, eta, z0)
        return dist.Normal(mean, std).to_event(3)

    def marginal(self, t: int) -> dist.Distribution | None:
        """p(z_t) where it is known in closed form (:mod:`vipaint_pyro.exact`), else None."""
        return None

    #: Whether p(x | z_t, y) can be drawn under Gaussian noise; see :mod:`vipaint_pyro.exact`.
    knows_the_clean_image = False

    def measured(
        self, operator: Operator, scale: Tensor | float, z: Tensor, t: int, z0: Tensor | None = None
    ) -> dist.Distribution:
        r"""p(y | z_t) for Gaussian noise of standard deviation ``scale``, matched in its first two moments.

        .. math:: y | z_t \approx N\big(A\hat x(z_t),\; \sigma_y^2 I + A\,\mathrm{Cov}[x | z_t]\,A^T\big), \quad
                  \mathrm{Cov}[z_0 | z_t] = \frac{\sigma_t^2}{\alpha_t}\,\nabla_{z_t} E[z_0 | z_t]

        Of the covariance a network's prior gives the diagonal, and of that the row sums that TMPD
        (Boys et al., arXiv:2310.06721) puts in its place: one backward pass, itself not differentiated.

        Args:
            operator: the measurement.
            scale: sigma_y, one number or a tensor that broadcasts against y.
            z: z_t with shape (*, N, C, H, W); t: its time.
            z0: :meth:`denoise` of the same z, with its graph, where it is known already.

        Returns:
            A distribution over y with event shape (C', H', W'); what is not observed counts for nothing.

        Raises:
            ValueError: for a latent prior, whose decoder is not linear.
        """
        if not isinstance(self.codec, IdentityCodec):
            raise ValueError("the moment-matched likelihood is for pixel priors: a decoder is not linear")
        if t == CLEAN:
            return dist.Normal(operator(z), scale).mask(operator.observed).to_event(3)
        with torch.enable_grad():
            if z0 is None or not z0.requires_grad:
                z = z.detach().requires_grad_()
                graph = self.denoise(z, t)
                z0 = graph if z0 is None else z0
            else:
                graph = z0
            ones = operator.adjoint(operator.observed.to(z.dtype)).expand_as(z)
            (rows,) = torch.autograd.grad(graph, z, ones, retain_graph=True)
        gain = float(self.schedule.sigma(t) ** 2 / self.schedule.alpha(t))
        variance = operator(gain * rows).clamp_min(0) + torch.as_tensor(scale, dtype=z.dtype, device=z.device) ** 2
        return dist.Normal(operator(z0), variance.sqrt()).mask(operator.observed).to_event(3)

    def decode(self, z: Tensor) -> Tensor:
        """Images in [-1, 1] of latents z_0 with shape (*, C, H, W)."""
        x = self.codec.decode(z.reshape(-1, *z.shape[-3:]))
        return x.reshape(*z.shape[:-3], *x.shape[-3:])

    def encode(self, x: Tensor) -> Tensor:
        """Latents z_0 of images with shape (*, C, H, W) in [-1, 1]."""
        z = self.codec.encode(x.reshape(-1, *x.shape[-3:]))
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
