"""A diffusion prior's components as a diffusers pipeline: loading, labels, prompts, memory."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from torch import Tensor

from vipaint_pyro.kind.range import FILE, Range, read_range, write_range
from vipaint_pyro.networks.class_embedder import ClassEmbedder
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.pretrained.folder import parts_kept
from vipaint_pyro.priors.pretrained.index import TEXT_COMPONENTS
from vipaint_pyro.priors.pretrained.pipeline import load_pipeline
from vipaint_pyro.priors.pretrained.text import checked_prompts, encode, sized

__all__ = ["PriorPipeline"]


class PriorPipeline(DiffusionPipeline):
    """The components of a diffusion prior, of whatever family, as a diffusers pipeline.

    Which family of models it is follows from its components: a pixel model has a network and a scheduler, a
    latent one an autoencoder too, a text-conditional one encoders and tokenizers.

    Args:
        unet: ``UNet2DModel`` or ``UNet2DConditionModel``.
        scheduler: the scheduler it was trained with: its noise levels and prediction type.
        vae, vqvae: the autoencoder of a latent model, under either name.
        transformer: in place of a U-Net: DiT, Stable Diffusion 3 or Flux.
        class_embedder: from labels to what a ``UNet2DConditionModel`` attends to
            (:class:`vipaint_pyro.networks.class_embedder.ClassEmbedder`).
        text_encoder, tokenizer, text_encoder_2, tokenizer_2, text_encoder_3, tokenizer_3: of a
            text-conditional model; with ``prompt_embeds`` they are not needed.
        null_class: the class that stands for "no label", where the network has one.
        class_names: a name per class, for people.
        image_size: side, or (height, width), of the images, for a network that takes other sizes than the
            one in its config.
        force_zeros_for_empty_prompt: of Stable Diffusion XL.

    Attributes:
        kind: the range of the prior's own kind (:class:`vipaint_pyro.kind.range.Range`), where its folder has one.
    """

    kind: Range | None = None

    model_cpu_offload_seq = "text_encoder->text_encoder_2->text_encoder_3->unet->transformer->vae->vqvae"
    _optional_components = ["unet", "scheduler", "transformer", "vae", "vqvae", "class_embedder", *TEXT_COMPONENTS]

    def __init__(
        self,
        unet: UNet2DModel | UNet2DConditionModel | None = None,
        scheduler: SchedulerMixin | None = None,
        *,
        vae: AutoencoderKL | VQModel | None = None,
        vqvae: AutoencoderKL | VQModel | None = None,
        transformer: DiTTransformer2DModel | SD3Transformer2DModel | FluxTransformer2DModel | None = None,
        class_embedder: ClassEmbedder | None = None,
        text_encoder: Any = None,
        tokenizer: Any = None,
        text_encoder_2: Any = None,
        tokenizer_2: Any = None,
        text_encoder_3: Any = None,
        tokenizer_3: Any = None,
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
            null_class=null_class, class_names=class_names, image_size=image_size,
            force_zeros_for_empty_prompt=force_zeros_for_empty_prompt,
        )  # fmt: skip

    @classmethod
    @torch.inference_mode(False)  # weights made in it could take part in no gradient
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> PriorPipeline:
        """Load a prior: the name of a built-in one, a diffusers folder, or a hub id.

        Args:
            pretrained_model_name_or_path: see :func:`vipaint_pyro.priors.pretrained.folder.resolve`.
            kwargs: components (``unet=`` ...) in place of the folder's, ``dtype``, ``variant`` of the weights
                (``"fp16"``), ``revision``, ``cache_dir``, ``local_files_only`` and what else of diffusers says how
                a hub id is fetched or where weights are put (``device_map`` ...); ``null_class``, ``class_names``
                and ``image_size``. Weights are read from safetensors only.

        Raises:
            ValueError, OSError: where it is no prior that can be loaded; says why.
            TypeError: for an option that there is not.
        """
        pipe, folder = load_pipeline(cls, super().from_pretrained, pretrained_model_name_or_path, kwargs)
        if parts_kept(kwargs):
            pipe.kind = read_range(folder)
        return pipe

    @classmethod
    def from_pipe(cls, pipeline: Any, **kwargs: Any) -> PriorPipeline:
        """diffusers' own; a pipeline of all the parts of another one has the range of its kind."""
        pipe = super().from_pipe(pipeline, **kwargs)
        pipe.kind = pipeline.kind if isinstance(pipeline, PriorPipeline) and parts_kept(kwargs) else None
        return pipe

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> None:
        """The folder that :meth:`from_pretrained` loads, with the range of the prior's kind where it is known."""
        super().save_pretrained(save_directory, *args, **kwargs)
        if self.kind is not None:
            write_range(Path(save_directory) / FILE, self.kind)

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
    ) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor] | None]:
        """What the network takes for a prompt, to be given as ``prompt_embeds`` once or many times.

        Encoders and tokenizers alone will do (``from_pretrained(..., unet=None, vae=None)``); the embeddings
        go to a second pipeline without them.

        Args:
            prompt: one text, or N.
            negative_prompt: one, or N, that guidance leads away from; None leaves them out.

        Returns:
            Tensors by the network's names, each (N, ...), and the same for the negative prompts or None.

        Raises:
            ValueError: where the encoders are missing, the network takes no text, or the numbers differ.
        """
        network, size = self.unet if self.unet is not None else self.transformer, None
        if network is not None:
            prior = self.prior
            if not prior.needs:
                raise ValueError("this prior takes no text: leave prompt out")
            size = prior.image_shape[1:]
        prompts, negatives = checked_prompts(prompt, negative_prompt)
        parts = {name: getattr(self, name) for name in (*TEXT_COMPONENTS, "transformer")}
        return encode(network, parts, prompts, negatives, size, self.config.force_zeros_for_empty_prompt)

    def free_text_encoders(self) -> None:
        """Drop the text encoders from memory; from here on, give ``prompt_embeds``."""
        self.register_modules(**{name: None for name in TEXT_COMPONENTS if name.startswith("text_encoder")})
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def conditioned(
        self,
        num_images: int,
        class_labels: Any = None,
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        prompt_embeds: Mapping[str, Tensor] | None = None,
        negative_prompt_embeds: Mapping[str, Tensor] | None = None,
        guidance_scale: float = 1.0,
    ) -> DiffusionPrior:
        """The prior given labels or text for N images, with one guidance weight for fit and sampling.

        The arguments are those of :meth:`vipaint_pyro.VIPaintPipeline.__call__`. A text-conditional prior without a
        prompt takes the empty one.

        Raises:
            ValueError: for what the network does not take, two ways of saying one thing, or other numbers.
        """
        prior = self.prior
        texts = (prompt, negative_prompt, prompt_embeds, negative_prompt_embeds)
        if not prior.needs:
            if any(v is not None for v in texts):
                raise ValueError("this prior takes no text: leave the prompts out")
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
        given, null = (sized(v, prior.needs, prior.image_shape[1:]) for v in (prompt_embeds, negative_prompt_embeds))
        for name, embeds in (("prompt_embeds", given), ("negative_prompt_embeds", null)):
            if embeds is not None:
                prior.conditioning.check_names(embeds, name)
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
