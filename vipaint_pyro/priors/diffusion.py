r"""A diffusion prior = noise schedule + denoiser + codec."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from copy import copy

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint

from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.codecs import Codec, IdentityCodec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.guidance import GuidedDenoiser
from vipaint_pyro.priors.kernels import like, reverse_step
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule

__all__ = ["DiffusionPrior"]


def _check_scale(guidance_scale: float) -> None:
    if not math.isfinite(guidance_scale) or guidance_scale < 0:
        raise ValueError(f"guidance_scale is a finite weight of at least 0, but is {guidance_scale}")


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
        class_embedder: from labels (B,) to the ``encoder_hidden_states`` of a network that attends to them.
        needs: the names of the tensors that a text-conditional network takes; empty for any other.
        guidance_embedded: whether the network takes the guidance scale as an input.
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
        class_embedder: Callable[[Tensor], Tensor] | None = None,
        needs: Sequence[str] = (),
        guidance_embedded: bool = False,
    ) -> None:
        self.schedule = schedule
        self.denoiser = denoiser
        self.latent_shape = tuple(latent_shape)
        self.codec = codec or IdentityCodec()
        self.num_classes = num_classes
        self.null_class = null_class
        self.class_names = tuple(class_names) if class_names else None
        self.class_embedder = class_embedder
        self.needs = tuple(needs)
        self.guidance_embedded = guidance_embedded
        self.checkpointing = False
        self._condition: dict | None = None
        self._labels: Tensor | None = None

    @classmethod
    def from_pretrained(cls, name_or_path: str, **options) -> DiffusionPrior:
        """A built-in prior by name, a diffusers folder, or a hub id.

        Takes the options of :meth:`vipaint_pyro.VIPaintPipeline.from_pretrained` (``dtype``,
        ``revision``, ``cache_dir``, ``local_files_only``, ``null_class`` ...), and raises its
        errors. The encoders of a text-conditional prior are left out: it is conditioned on
        embeddings (:meth:`prompted`), or made by the pipeline from a prompt.
        """
        from vipaint_pyro.priors.pretrained.loading import load_components

        return cls.from_components(**load_components(name_or_path, **options))

    @classmethod
    def from_components(cls, *components, **options) -> DiffusionPrior:
        """A prior from a diffusers network, its scheduler, and what else there is.

        The arguments and errors of :func:`vipaint_pyro.priors.pretrained.assembly.assemble`.
        """
        from vipaint_pyro.priors.pretrained.assembly import assemble

        return cls(**assemble(*components, **options))

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
    def class_labels(self) -> Tensor | None:
        """The labels this prior was conditioned on, with shape (N,), or None."""
        return self._labels

    @property
    def num_conditions(self) -> int | None:
        """How many labels or prompts this prior was conditioned on; None for none."""
        return None if self._condition is None else len(tree_leaves(self._condition)[0])

    def conditioned(
        self, class_labels: int | str | Sequence[int | str | None] | Tensor | None, guidance_scale: float = 1.0
    ) -> DiffusionPrior:
        """This prior given a class label per image.

        Args:
            class_labels: N numbers or names, or one for any number of images; None stands for "no label" (the null
                class).
            guidance_scale: the weight w of classifier-free guidance, used alike in fitting and
                in sampling; 1 = the conditional model.

        Raises:
            ValueError: for a label the network does not know, no label where it needs one, or
                guidance without a null class.
        """
        _check_scale(guidance_scale)
        if isinstance(class_labels, (numbers.Number, str)):
            class_labels = [class_labels]
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
            names = f" ({', '.join(self.class_names)})" if self.class_names and len(self.class_names) < 50 else ""
            raise ValueError(f"unknown class label {wrong[0]}: known are 0 ... {self.num_classes - 1}{names}")
        index = torch.tensor(labels, device=self.device)
        null = None
        if guidance_scale != 1:
            if self.null_class is None:
                raise ValueError("classifier-free guidance needs a network with a null class")
            if set(labels) == {self.null_class}:
                raise ValueError("classifier-free guidance needs a class label to guide towards")
            null = self._embedded(torch.full_like(index, self.null_class))
        return self._given(self._embedded(index), null, guidance_scale, index)

    def prompted(
        self,
        condition: Mapping[str, Tensor],
        negative: Mapping[str, Tensor] | None = None,
        guidance_scale: float = 1.0,
    ) -> DiffusionPrior:
        """This prior given what its network takes beside z and the time, one per image or one for all.

        ``VIPaintPipeline.encode_prompt`` makes both from text.

        Args:
            condition: tensors by the network's own names, each (N, ...): :attr:`needs` lists them.
            negative: the same for the negative (or the empty) prompt.
            guidance_scale: the weight w of classifier-free guidance, in fitting and in sampling;
                1 = the conditional model. Where the network takes it as an input (:attr:`guidance_embedded`),
                it is given to it.

        Raises:
            ValueError: for other names, another number of entries, or guidance without ``negative``.
        """
        _check_scale(guidance_scale)
        self.check_names(condition, "condition")
        condition = self._placed(condition)
        if self.guidance_embedded:
            if negative is not None:
                raise ValueError("this network takes the guidance scale as an input, and no negative prompt")
            count = len(tree_leaves(condition)[0])
            condition["guidance"] = torch.full((count,), float(guidance_scale), dtype=self.dtype, device=self.device)
            return self._given(condition, None, 1.0)
        if guidance_scale != 1:
            if negative is None:
                raise ValueError("classifier-free guidance needs the embeddings of a negative or an empty prompt")
            self.check_names(negative, "negative")
            negative = self._placed(negative)
        return self._given(condition, negative, guidance_scale)

    def check_names(self, condition: Mapping[str, Tensor], what: str) -> None:
        """Raise TypeError or ValueError, naming ``what``, where a condition is not :attr:`needs` by name, N of each."""
        if not self.needs:
            raise ValueError("this prior takes no text")
        if not isinstance(condition, Mapping):
            raise TypeError(
                f"{what} is a dict of tensors named {', '.join(self.needs)}, not a {type(condition).__name__}; "
                "encode_prompt gives two of them: given, negative = pipe.encode_prompt(prompt, negative_prompt)"
            )
        if set(condition) != set(self.needs):
            raise ValueError(f"{what} holds {', '.join(sorted(condition))}, but the network takes {', '.join(self.needs)}")
        counts = {len(v) for v in condition.values()}
        if len(counts) != 1:
            raise ValueError(f"the tensors of {what} are of {', '.join(map(str, sorted(counts)))} images: they must agree")

    def _placed(self, condition: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """On the network's device, in its own precision."""
        precision = getattr(getattr(self.denoiser, "network", None), "dtype", self.dtype)
        return {k: v.detach().to(self.device, precision) for k, v in condition.items()}

    def _embedded(self, labels: Tensor) -> dict[str, Tensor]:
        """What the network takes for class labels."""
        if self.class_embedder is None:
            return {"class_labels": labels}
        with torch.no_grad():
            return {"encoder_hidden_states": self.class_embedder(labels)}

    def _given(self, condition: dict, null: dict | None, weight: float, labels: Tensor | None = None) -> DiffusionPrior:
        new = copy(self)
        new._labels, new._condition = labels, condition
        if weight != 1:
            count = len(tree_leaves(condition)[0])
            null = {k: v.expand(count, *v.shape[1:]) for k, v in null.items()}
            new._condition = {"given": condition, "null": null}
            new.denoiser = GuidedDenoiser(self.denoiser, weight)
        return new

    def check_images(self, num_images: int) -> None:
        """Raise ValueError where this prior was conditioned for another number of images."""
        if self.num_conditions not in (None, 1, num_images):
            what = "prompts" if self._labels is None else "class labels"
            raise ValueError(f"{self.num_conditions} {what} for {num_images} images")

    def checkpointed(self, checkpointing: bool = True) -> DiffusionPrior:
        """This prior with gradient checkpointing: a backward pass calls the network again.

        Nothing of a call is kept until then but its input, so that the memory of a fit does not grow with
        its number of levels; the price is one more forward call of three.
        """
        new = copy(self)
        new.checkpointing = checkpointing
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
        known = f", or one of {', '.join(names)}" if names and len(names) < 50 else ", or a name" if names else ""
        raise ValueError(f"unknown class label {label!r}: give a number 0 ... {self.num_classes - 1}{known}")

    def denoise(self, z: Tensor, t: int | Tensor) -> Tensor:
        """E[z_0 | z_t = z].

        Args:
            z: with shape (*, N, C, H, W), N images, any further batch axes on the left.
            t: a time, or whole times with a shape that broadcasts against (*, N).

        Returns:
            A tensor of z's shape.

        Raises:
            ValueError: for a prior that needs a label or a text and was given none.
        """
        batch = z.shape[:-3]
        times = torch.as_tensor(t, device="cpu").expand(batch).reshape(-1)
        condition = self._condition
        if condition is None and self.num_classes is not None:
            condition = self.conditioned(None)._condition
        if condition is None and self.needs:
            raise ValueError("this prior is conditioned on text: give a prompt first (VIPaintPipeline, or prompted)")
        if condition is not None:
            condition = tree_map(lambda v: v.expand(*batch, *v.shape[1:]).reshape(-1, *v.shape[1:]), condition)
        flat = z.reshape(-1, *z.shape[-3:])
        if self.checkpointing and torch.is_grad_enabled() and z.requires_grad:
            # The networks draw nothing in evaluation mode, so the random state needs no keeping.
            z0 = checkpoint(self.denoiser, flat, times, condition, use_reentrant=False, preserve_rng_state=False)
        else:
            z0 = self.denoiser(flat, times, condition)
        return z0.reshape(z.shape)

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
