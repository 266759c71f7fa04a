r"""VIPaint as a diffusers pipeline."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    DiTTransformer2DModel,
    FluxTransformer2DModel,
    ModelMixin,
    SchedulerMixin,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from diffusers.utils import BaseOutput
from torch import Tensor

from vipaint_pyro.class_embedder import ClassEmbedder
from vipaint_pyro.guides import Guide
from vipaint_pyro.images import compose, to_observed, to_output, to_unit
from vipaint_pyro.inference import FitResult
from vipaint_pyro.loading import load_components, quiet_loading, read_labels, resolve
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.operators import Inpainting
from vipaint_pyro.priors import DiffusionPrior
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.samplers import Samples, VIPaintSampler
from vipaint_pyro.text import TEXT_COMPONENTS, encode

__all__ = ["VIPaintOutput", "VIPaintPipeline"]


@dataclass
class VIPaintOutput(BaseOutput):
    """What the pipeline returns.

    Attributes:
        images: the completions with the observed pixels put back, bit-identical; image by image,
            ``num_samples`` each: a list of PIL images, an array (N*S, H, W, C) or a tensor
            (N*S, C, H, W), both in [0, 1].
        predictions: the same without putting the observed pixels back.
        guide: the fitted guide.
        trace: the fit's losses and terms, or None where a fitted guide was given.
        samples: everything the sampler returned (predictions per level, calls, seconds).
    """

    images: object
    predictions: object
    guide: Guide
    trace: FitResult | None
    samples: Samples


class VIPaintPipeline(DiffusionPipeline):
    """Fill the masked part of an image with draws from a variational posterior.

    Which family of models it is follows from its components: a pixel model has a network and a scheduler, a
    latent one an autoencoder too, a text-conditional one encoders and tokenizers.

    Args:
        unet: ``UNet2DModel`` or ``UNet2DConditionModel``.
        scheduler: the scheduler it was trained with: its noise levels and prediction type.
        vae, vqvae: the autoencoder of a latent model, under either name.
        transformer: in place of a U-Net: DiT, Stable Diffusion 3 or Flux.
        class_embedder: from labels to what a ``UNet2DConditionModel`` attends to
            (:class:`vipaint_pyro.class_embedder.ClassEmbedder`).
        text_encoder, tokenizer, text_encoder_2, tokenizer_2, text_encoder_3, tokenizer_3: of a
            text-conditional model; with ``prompt_embeds`` they are not needed.
        null_class: the class that stands for "no label", where the network has one.
        class_names: a name per class, for people.
        image_size: side, or (height, width), of the images, for a network that takes other sizes than the
            one in its config.
        force_zeros_for_empty_prompt: of Stable Diffusion XL.
    """

    model_cpu_offload_seq = "text_encoder->text_encoder_2->text_encoder_3->unet->transformer->vae->vqvae"
    _callback_tensor_inputs = ["latents"]
    _optional_components = [
        "unet", "scheduler", "transformer", "vae", "vqvae", "class_embedder", *TEXT_COMPONENTS,
    ]  # fmt: skip

    def __init__(
        self,
        unet: UNet2DModel | UNet2DConditionModel | None = None,
        scheduler: SchedulerMixin | None = None,
        *,
        vae: AutoencoderKL | VQModel | None = None,
        vqvae: AutoencoderKL | VQModel | None = None,
        transformer: DiTTransformer2DModel | SD3Transformer2DModel | FluxTransformer2DModel | None = None,
        class_embedder: ClassEmbedder | None = None,
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        text_encoder_3=None,
        tokenizer_3=None,
        null_class: int | None = None,
        class_names: Sequence[str] | None = None,
        image_size: int | Sequence[int] | None = None,
        force_zeros_for_empty_prompt: bool = True,
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet, scheduler=scheduler, vae=vae, vqvae=vqvae, transformer=transformer,
            class_embedder=class_embedder, text_encoder=text_encoder, tokenizer=tokenizer,
            text_encoder_2=text_encoder_2, tokenizer_2=tokenizer_2,
            text_encoder_3=text_encoder_3, tokenizer_3=tokenizer_3,
        )  # fmt: skip
        self.register_to_config(
            null_class=null_class,
            class_names=class_names,
            image_size=image_size,
            force_zeros_for_empty_prompt=force_zeros_for_empty_prompt,
        )
        self._num_timesteps = 0

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs) -> VIPaintPipeline:
        """Load a prior: the name of a built-in one, a diffusers folder, or a hub id.

        Args:
            pretrained_model_name_or_path: see :func:`vipaint_pyro.loading.resolve`.
            kwargs: what ``DiffusionPipeline.from_pretrained`` takes (``dtype``, ``variant``,
                ``revision``, ``cache_dir``, ``local_files_only``, components ...), and
                ``null_class``, ``class_names`` and ``image_size``. Weights are read from safetensors only.

        Raises:
            ValueError, OSError: where it is no prior that can be loaded; says why.
        """
        if kwargs.pop("use_safetensors", True) is not True:
            raise ValueError("use_safetensors is always True: pickled weights can run code when opened")
        hub = ("cache_dir", "revision", "local_files_only", "token", "proxies", "force_download", "variant")
        options = {k: kwargs.pop(k) for k in hub if k in kwargs}
        folder = resolve(pretrained_model_name_or_path, **options)
        if not (folder / "model_index.json").is_file():
            return cls(**load_components(folder, **kwargs, **options))
        if "variant" in options:
            kwargs["variant"] = options["variant"]
        for name, value in read_labels(folder).items():
            kwargs.setdefault(name, value)
        return super().from_pretrained(str(folder), use_safetensors=True, **quiet_loading(kwargs))

    @property
    def prior(self) -> DiffusionPrior:
        """The diffusion prior of this pipeline's components, not yet conditioned on labels or text."""
        config = self.config
        return DiffusionPrior.from_components(
            self.unet, self.scheduler, config.null_class, config.class_names,
            transformer=self.transformer, vae=self.vae, vqvae=self.vqvae,
            class_embedder=self.class_embedder, image_size=config.image_size,
        )  # fmt: skip

    # -- text -----------------------------------------------------------------------------------

    def encode_prompt(
        self, prompt: str | Sequence[str], negative_prompt: str | Sequence[str] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """What the network takes for a prompt, to be given as ``prompt_embeds`` once or many times.

        Args:
            prompt: one text, or N.
            negative_prompt: one, or N, that guidance leads away from; None leaves them out.

        Returns:
            Tensors by the network's names, each (N, ...), and the same for the negative prompts or None.

        Raises:
            ValueError: where the encoders are missing, the network takes no text, or the numbers differ.
        """
        prior = self.prior
        if not prior.needs:
            raise ValueError("this prior takes no text: leave prompt out")
        prompts = [prompt] if isinstance(prompt, str) else prompt
        if not isinstance(prompts, (list, tuple)) or not prompts or not all(isinstance(text, str) for text in prompts):
            raise ValueError(f"prompt is a text or a list of texts, not {prompt!r}")
        negatives = negative_prompt
        if negatives is not None:
            negatives = [negatives] * len(prompts) if isinstance(negatives, str) else list(negatives)
            if len(negatives) != len(prompts):
                raise ValueError(f"{len(negatives)} negative prompts for {len(prompts)} prompts")
        parts = {name: getattr(self, name) for name in (*TEXT_COMPONENTS, "transformer")}
        network = self.unet if self.unet is not None else self.transformer
        return encode(
            network, parts, prompts, negatives, prior.image_shape[1:], self.config.force_zeros_for_empty_prompt
        )

    def free_text_encoders(self) -> None:
        """Drop the text encoders from memory; from here on, give ``prompt_embeds``."""
        self.register_modules(**{name: None for name in TEXT_COMPONENTS if name.startswith("text_encoder")})
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def conditioned(
        self,
        num_images: int,
        class_labels=None,
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        prompt_embeds: dict[str, Tensor] | None = None,
        negative_prompt_embeds: dict[str, Tensor] | None = None,
        guidance_scale: float = 1.0,
    ) -> DiffusionPrior:
        """The prior given labels or text for N images, with one guidance weight for fit and sampling.

        The arguments are those of :meth:`__call__`. A text-conditional prior without a prompt takes the
        empty one.

        Raises:
            ValueError: for what the network does not take, two ways of saying one thing, or other numbers.
        """
        prior = self.prior
        texts = (prompt, negative_prompt, prompt_embeds, negative_prompt_embeds)
        if not prior.needs:
            if any(v is not None for v in texts):
                raise ValueError("this prior takes no text: leave the prompts out")
            if isinstance(class_labels, (int, float, str)) or (class_labels is None and prior.num_classes):
                class_labels = [class_labels] * num_images
            return prior.conditioned(class_labels, guidance_scale)
        if class_labels is not None:
            raise ValueError("this prior is conditioned on text: it takes no class labels")
        if prompt is not None and prompt_embeds is not None:
            raise ValueError("prompt and prompt_embeds are the same thing: give one")
        if negative_prompt is not None and negative_prompt_embeds is not None:
            raise ValueError("negative_prompt and negative_prompt_embeds are the same thing: give one")
        if prior.guidance_embedded and (negative_prompt is not None or negative_prompt_embeds is not None):
            raise ValueError("this network takes the guidance scale as an input, and no negative prompt")
        guided = guidance_scale != 1 and not prior.guidance_embedded
        if not guided and (negative_prompt is not None or negative_prompt_embeds is not None):
            raise ValueError("a negative prompt does nothing without guidance: give a guidance_scale other than 1")
        given, null = prompt_embeds, negative_prompt_embeds
        if given is None:
            needed = (negative_prompt or "") if guided and null is None else None
            given, encoded = self.encode_prompt("" if prompt is None else prompt, needed)
            null = encoded if null is None else null
        elif guided and null is None:
            count = len(next(iter(given.values())))
            _, null = self.encode_prompt([""] * count, negative_prompt or "")
        conditioned = prior.prompted(given, null, guidance_scale)
        conditioned.check_images(num_images)
        return conditioned

    # -- memory ---------------------------------------------------------------------------------

    def _autoencoder(self) -> ModelMixin:
        network = self.vae if self.vae is not None else self.vqvae
        if network is None:
            raise ValueError("this is a pixel model: it has no autoencoder")
        return network

    def enable_vae_slicing(self) -> None:
        """Encode and decode one image at a time, where the autoencoder offers it (``AutoencoderKL``)."""
        self._offered("enable_slicing")

    def enable_vae_tiling(self) -> None:
        """Encode and decode in tiles, where the autoencoder offers it (``AutoencoderKL``)."""
        self._offered("enable_tiling")

    def _offered(self, name: str) -> None:
        network = self._autoencoder()
        try:
            getattr(network, name)()
        except (AttributeError, NotImplementedError) as error:
            raise ValueError(f"{type(network).__name__} does not offer {name}") from error

    @property
    def num_timesteps(self) -> int:
        """How many refinement steps the last call made."""
        return self._num_timesteps

    @torch.no_grad()
    def __call__(
        self,
        image,
        mask_image,
        *,
        class_labels: int | str | Sequence[int | str | None] | None = None,
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        prompt_embeds: dict[str, Tensor] | None = None,
        negative_prompt_embeds: dict[str, Tensor] | None = None,
        free_text_encoders: bool = False,
        guidance_scale: float = 1.0,
        num_samples: int = 8,
        num_inference_steps: int | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        guide: Guide | str | None = None,
        fit_callback: Callable[[int, float, dict[str, Tensor]], None] | None = None,
        callback_on_step_end: Callable | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        **settings,
    ) -> VIPaintOutput | tuple:
        """Fit VIPaint's guide to the known pixels and draw completions.

        Args:
            image: PIL image, array (H, W, C) or tensor (C, H, W), 8-bit or floating in [0, 1]; one,
                a list or a batch.
            mask_image: of the same kinds; white (>= 0.5) = to be filled. One for all, or one each.
            class_labels: a label, by number or name, for all images or one each; None = no label.
            prompt: of a text-conditional prior: one text for all images, or one each; None = the empty text.
            negative_prompt: what guidance leads away from; None = the empty text.
            prompt_embeds, negative_prompt_embeds: the same, encoded before (:meth:`encode_prompt`).
            free_text_encoders: drop the encoders from memory once the prompt is encoded.
            guidance_scale: weight of classifier-free guidance, in the fit and in the refinement.
            num_samples: completions per image.
            num_inference_steps: refinement steps.
            generator: one for all images, or a list with one per image, which makes each image's
                result independent of its neighbours. None takes the global random state.
            output_type: ``"pil"``, ``"np"`` or ``"pt"``.
            return_dict: False gives the tuple (images, predictions, guide, trace, samples).
            guide: the name of the guide to fit, one of :data:`vipaint_pyro.guides.GUIDES`, or a guide
                fitted before, to draw from without fitting again.
            fit_callback: ``(step, loss, terms)`` after each step of the fit.
            callback_on_step_end: ``(pipe, step, timestep, callback_kwargs) -> dict`` after each
                refinement step, as in diffusers; ``latents`` (S, N, C, H, W) may be replaced.
            callback_on_step_end_tensor_inputs: of what ``callback_kwargs`` holds: ``latents``.
            settings: the fields of :class:`~vipaint_pyro.samplers.VIPaintSampler` (``timesteps``,
                ``beta``, ``fit_steps`` ...).

        Returns:
            A :class:`VIPaintOutput`.

        Raises:
            ValueError, TypeError: for anything that cannot be, before any computing.
            FloatingPointError: where a number stops being finite.
        """
        if isinstance(guide, str):
            settings, guide = {**settings, "guide_name": guide}, None
        sampler = self._sampler(settings, num_inference_steps)
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"output_type is 'pil', 'np' or 'pt', not {output_type!r}")
        if not isinstance(num_samples, int) or num_samples < 1:
            raise ValueError(f"num_samples is a whole number of at least 1, but is {num_samples}")
        unknown = [n for n in callback_on_step_end_tensor_inputs if n not in self._callback_tensor_inputs]
        if unknown:
            raise ValueError(f"callbacks can have {self._callback_tensor_inputs}, not {unknown}")

        prior = self.prior
        unit = to_unit(image, prior.image_shape)
        observed = to_observed(mask_image, len(unit), prior.image_shape[1:])
        operator = Inpainting(observed.to(prior.device))
        sampler.model(prior, operator)  # checks the settings before a prompt is encoded
        conditioned = self.conditioned(
            len(unit), class_labels, prompt, negative_prompt, prompt_embeds, negative_prompt_embeds, guidance_scale
        )
        model = sampler.model(conditioned, operator)
        if guide is not None:
            _check_guide(guide, model)
        NoiseStreams(generator, len(unit))  # checks the generators
        if free_text_encoders:
            self.free_text_encoders()

        y = operator.adjoint((unit * 2 - 1).to(prior.device, prior.dtype))
        self._num_timesteps = sampler.refinement_steps if sampler.has_levels else 0
        with torch.enable_grad(), _Bars(self, sampler, guide is None) as (on_fit, on_refine):

            def after_fit(step, loss, terms):
                on_fit(terms)
                if fit_callback is not None:
                    fit_callback(step, loss, terms)

            def after_refinement(step, t, z, z0):
                on_refine()
                if callback_on_step_end is None:
                    return None
                given = {"latents": z} if "latents" in callback_on_step_end_tensor_inputs else {}
                result = callback_on_step_end(self, step, t, given) or {}
                return result.get("latents")

            # A given guide may draw from other distributions than Gaussians, which Pyro takes from
            # the global state.
            first = generator[0] if isinstance(generator, (list, tuple)) else generator
            with isolated(first.initial_seed()) if first is not None else nullcontext():
                samples = sampler(
                    conditioned,
                    operator,
                    y,
                    num_samples,
                    generator,
                    fit_callback=after_fit,
                    refine_callback=after_refinement,
                    guide=guide,
                )
        self.maybe_free_model_hooks()
        x = samples.images.detach().cpu()
        composite = compose(x, unit.cpu(), observed.cpu())
        images, predictions = (
            to_output(v.transpose(0, 1).flatten(0, 1), output_type)
            for v in (composite, (x / 2 + 0.5).clamp(0, 1))
        )
        output = VIPaintOutput(images, predictions, samples.guide, samples.fit, samples)
        return output if return_dict else output.to_tuple()

    @staticmethod
    def _sampler(settings: dict, num_inference_steps: int | None) -> VIPaintSampler:
        known = {f.name for f in fields(VIPaintSampler)}
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise TypeError(f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        if settings.get("timesteps") is not None:
            settings = {**settings, "timesteps": tuple(settings["timesteps"])}
        sampler = VIPaintSampler(**settings)
        if num_inference_steps is not None:
            if "refinement_steps" in settings:
                raise TypeError("num_inference_steps and refinement_steps are the same: give one")
            sampler = replace(sampler, refinement_steps=num_inference_steps)
        return sampler


def _check_guide(guide: Guide, model: DiffusionModel) -> None:
    """Raise where a given guide cannot stand for one that would be fitted here."""
    if not callable(guide):
        raise TypeError(f"guide is a fitted guide, not {type(guide).__name__}")
    own = getattr(guide, "model", model)
    if not hasattr(model, "timesteps") or not hasattr(own, "timesteps"):
        raise ValueError("a guide of the clean image is its own answer: there is nothing to draw from it")
    if own.timesteps != model.timesteps or own.num_images != model.num_images:
        raise ValueError(
            f"the guide was fitted to {own.num_images} image(s) at timesteps {own.timesteps}, but here are "
            f"{model.num_images} at {model.timesteps}; give the same timesteps and images"
        )


class _Bars:
    """Two progress bars, one per phase, under ``set_progress_bar_config``."""

    def __init__(self, pipe: DiffusionPipeline, sampler: VIPaintSampler, fits: bool) -> None:
        self._pipe, self._totals = pipe, {"refine": sampler.refinement_steps}
        if fits:
            self._totals = {"fit": sampler.fit_steps, **self._totals}
        self._open: dict = {}

    def _bar(self, name: str):
        if name not in self._open:
            for bar in self._open.values():  # one phase ends where the next begins
                bar.close()
            self._open[name] = self._pipe.progress_bar(total=self._totals[name])
            self._open[name].set_description(name)
        return self._open[name]

    def __enter__(self):
        def on_fit(terms):
            bar = self._bar("fit")
            total = sum(float(term.mean()) for term in terms.values())
            bar.set_postfix_str(f"-bound {total:.3f} nats/dim", refresh=False)
            bar.update()

        return on_fit, lambda: self._bar("refine").update()

    def __exit__(self, *error):
        for bar in self._open.values():
            bar.close()
