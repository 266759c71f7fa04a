"""What becomes of every field of a scheduler's, a network's or an autoencoder's config.

A field is honoured, by us or by diffusers' own network that we call; or it says how diffusers draws samples, which is
done otherwise here; or it is refused by name unless it has one of the values written here. A test walks all fields of
diffusers' classes, so that one that a new version adds has to be judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["AUTOENCODERS", "NETWORKS", "SCHEDULERS", "Fields"]


@dataclass(frozen=True)
class Fields:
    """The fields of a class.

    Attributes:
        honoured: field -> where, or how.
        irrelevant: field -> why it does not change E[z_0 | z_t], the noise levels or the codec.
        refused: field -> the values that it may have; any other is refused.
    """

    honoured: Mapping[str, str]
    irrelevant: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, tuple] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """All fields that were judged."""
        return {*self.honoured, *self.irrelevant, *self.refused}


_CLIPPING = dict.fromkeys(
    ("thresholding", "dynamic_thresholding_ratio", "sample_max_value", "clip_sample", "clip_sample_range"),
    "vipaint_pyro.priors.clipping",
)
_STEPS = "which levels diffusers' sampler visits"
_SOLVER = "how diffusers' sampler goes from one level to the next"
_SAMPLING = {
    **dict.fromkeys(
        (
            "timestep_spacing", "steps_offset", "final_sigmas_type", "use_karras_sigmas", "use_exponential_sigmas",
            "use_beta_sigmas", "use_lu_lambdas", "lambda_min_clipped", "interpolation_type", "sigma_min", "sigma_max",
        ),
        _STEPS,
    ),
    **dict.fromkeys(
        (
            "variance_type", "set_alpha_to_one", "skip_prk_steps", "solver_order", "algorithm_type", "solver_type",
            "lower_order_final", "euler_at_final", "predict_x0", "disable_corrector", "solver_p", "predictor_order",
            "corrector_order", "tau_func", "noise_sampler_seed",
        ),
        _SOLVER,
    ),
    **dict.fromkeys(("flow_shift", "time_shift_type"), "of use_flow_sigmas, which is refused"),
}  # fmt: skip
_BETAS = dict.fromkeys(
    (
        "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr",
    ),
    "NoiseSchedule.from_scheduler, by the scheduler's own table",
)  # fmt: skip
_VP = Fields(
    {**_BETAS, **_CLIPPING, "prediction_type": "denoiser_for"},
    _SAMPLING,
    {
        "timestep_type": ("discrete",),
        "use_flow_sigmas": (False, None),
        "use_dynamic_shifting": (False, None),
        "shift_terminal": (None,),
    },
)
_EDM = Fields(
    {
        **_CLIPPING,
        "prediction_type": "EDMDenoiser, by the scheduler's own preconditioning",
        "sigma_data": "EDMDenoiser, by the scheduler's own preconditioning",
        **dict.fromkeys(
            ("num_train_timesteps", "sigma_min", "sigma_max", "sigma_schedule", "rho"), "NoiseSchedule.from_scheduler"
        ),
    },
    {name: why for name, why in _SAMPLING.items() if name not in ("sigma_min", "sigma_max")},
)
_VE = Fields(
    dict.fromkeys(("num_train_timesteps", "sigma_min", "sigma_max"), "NoiseSchedule.from_scheduler"),
    dict.fromkeys(("snr", "sampling_eps", "correct_steps"), _SOLVER),
)
_FLOW = Fields(
    {
        "num_train_timesteps": "NoiseSchedule.from_scheduler; FlowDenoiser, the network's time",
        **dict.fromkeys(
            (
                "shift", "use_dynamic_shifting", "base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len",
                "time_shift_type",
            ),
            "NoiseSchedule.from_scheduler",
        ),
    },
    {"stochastic_sampling": _SOLVER},
    {
        **dict.fromkeys(
            ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas"), (False, None)
        ),
        "shift_terminal": (None, 0),
    },
)  # fmt: skip

#: By class. Distilled ones (LCM, TCD ...) are not here: what their networks predict is no E[z_0 | z_t].
SCHEDULERS: dict[str, Fields] = {
    **{
        f"{name}Scheduler": _VP
        for name in (
            "DDPM", "DDPMParallel", "DDIM", "DDIMParallel", "PNDM", "EulerDiscrete", "EulerAncestralDiscrete",
            "HeunDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "LMSDiscrete", "DPMSolverMultistep",
            "DPMSolverSinglestep", "DPMSolverSDE", "DEISMultistep", "UniPCMultistep", "SASolver",
        )
    },
    "EDMEulerScheduler": _EDM,
    "EDMDPMSolverMultistepScheduler": _EDM,
    "ScoreSdeVeScheduler": _VE,
    "FlowMatchEulerDiscreteScheduler": _FLOW,
    "FlowMatchHeunDiscreteScheduler": _FLOW,
}  # fmt: skip


def _own(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "the network itself, which is called as it is")


_SHAPES = dict.fromkeys(("sample_size", "in_channels", "out_channels"), "the shape of a latent (assembly)")
_UNET = _own(
    "center_input_sample", "time_embedding_type", "time_embedding_dim", "freq_shift", "flip_sin_to_cos",
    "down_block_types", "mid_block_type", "up_block_types", "block_out_channels", "layers_per_block",
    "mid_block_scale_factor", "downsample_padding", "dropout", "act_fn", "attention_head_dim", "norm_num_groups",
    "norm_eps", "resnet_time_scale_shift",
)  # fmt: skip
_UNET_2D = Fields(
    {
        **_SHAPES,
        **_UNET,
        **_own("downsample_type", "upsample_type", "attn_norm_num_groups", "add_attention", "num_train_timesteps"),
        "num_class_embeds": "how many classes there are (assembly)",
    },
    {},
    {"class_embed_type": (None,)},
)
#: By class: those of :mod:`vipaint_pyro.networks.calls`.
NETWORKS: dict[str, Fields] = {
    "UNet2DModel": _UNET_2D,
    "OpenAIUNet2DModel": Fields(
        {**_UNET_2D.honoured, **_own("num_attention_heads", "timestep_scale")}, {}, _UNET_2D.refused
    ),
    "UNet2DConditionModel": Fields(
        {
            **_SHAPES,
            **_UNET,
            **_own(
                "only_cross_attention", "cross_attention_dim", "transformer_layers_per_block",
                "reverse_transformer_layers_per_block", "encoder_hid_dim", "num_attention_heads",
                "dual_cross_attention", "use_linear_projection", "upcast_attention", "resnet_skip_time_act",
                "resnet_out_scale_factor", "time_embedding_act_fn", "timestep_post_act", "conv_in_kernel",
                "conv_out_kernel", "class_embeddings_concat", "mid_block_only_cross_attention", "cross_attention_norm",
                "addition_embed_type_num_heads", "addition_time_embed_dim", "projection_class_embeddings_input_dim",
            ),
        },
        {},
        {
            "class_embed_type": (None,),
            "num_class_embeds": (None,),
            "addition_embed_type": (None, "text", "text_time"),
            "encoder_hid_dim_type": (None, "text_proj"),
            "time_cond_proj_dim": (None,),
            "attention_type": ("default",),
        },
    ),
    "DiTTransformer2DModel": Fields(
        {
            **_SHAPES,
            **_own(
                "num_attention_heads", "attention_head_dim", "num_layers", "dropout", "norm_num_groups",
                "attention_bias", "activation_fn", "upcast_attention", "norm_elementwise_affine", "norm_eps",
            ),
            "patch_size": "multiples of image_size (assembly)",
            "num_embeds_ada_norm": "how many classes there are (assembly)",
        },
        {},
        {"norm_type": ("ada_norm_zero",)},
    ),
    "SD3Transformer2DModel": Fields(
        {
            **_SHAPES,
            **_own(
                "num_layers", "attention_head_dim", "num_attention_heads", "joint_attention_dim",
                "caption_projection_dim", "pooled_projection_dim", "dual_attention_layers", "qk_norm",
            ),
            "patch_size": "multiples of image_size (assembly)",
            "pos_embed_max_size": "the largest image_size (assembly)",
        }
    ),
    "FluxTransformer2DModel": Fields(
        {
            **_own(
                "num_layers", "num_single_layers", "attention_head_dim", "num_attention_heads", "joint_attention_dim",
                "pooled_projection_dim", "axes_dims_rope",
            ),
            "in_channels": "the shape of a latent (assembly): four times its channels",
            "out_channels": "the shape of a latent (assembly): in_channels",
            "guidance_embeds": "guidance as an input (conditioning)",
        },
        {},
        {"patch_size": (1,)},
    ),
    "ClassEmbedder": Fields(
        {"num_classes": "how many classes there are (assembly)", "dim": "the network's cross_attention_dim (assembly)"}
    ),
}  # fmt: skip

_AUTOENCODER = {
    **_own(
        "in_channels", "down_block_types", "up_block_types", "layers_per_block", "act_fn", "norm_num_groups",
        "mid_block_add_attention",
    ),
    "out_channels": "the channels of an image (codecs)",
    "block_out_channels": "how many times an image is larger than its latent (codecs)",
    "latent_channels": "the shape of a latent (assembly)",
    "scaling_factor": "z_0 = (latent - shift) scale (codecs)",
    "force_upcast": "half precision is lifted to float32 (codecs)",
    "sample_size": "the size of a Flux model's images (assembly); of tiles",
}  # fmt: skip
AUTOENCODERS: dict[str, Fields] = {
    "AutoencoderKL": Fields(
        {
            **_AUTOENCODER,
            **_own("use_quant_conv", "use_post_quant_conv"),
            **dict.fromkeys(("shift_factor", "latents_mean", "latents_std"), "z_0 = (latent - shift) scale (codecs)"),
        }
    ),
    "VQModel": Fields(
        {**_AUTOENCODER, **_own("num_vq_embeddings", "vq_embed_dim")},
        {},
        {"norm_type": ("group",), "lookup_from_codebook": (False, None)},
    ),
}
