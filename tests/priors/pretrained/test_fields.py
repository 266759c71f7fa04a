"""Every field of every config: honoured as diffusers honours it, or without effect, or refused by name.

The walk reads the constructors of the installed diffusers, so that a field that a new version adds has to be judged.
"""

import inspect

import diffusers
import pytest
import torch

from tests.conftest import float64_tables, tiny_unet
from tests.priors.pretrained.tiny import autoencoder, conditional_unet, dit, edm, flux, stable_diffusion_3, vq
from vipaint_pyro.networks.class_embedder import ClassEmbedder
from vipaint_pyro.networks.openai_unet import OpenAIUNet2DModel
from vipaint_pyro.priors.codecs import codec_for
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.pretrained.configs import check_parts_config, constructor
from vipaint_pyro.priors.pretrained.fields import AUTOENCODERS, NETWORKS, SCHEDULERS

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
OURS = {"ClassEmbedder": ClassEmbedder, "OpenAIUNet2DModel": OpenAIUNet2DModel}
Z = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def kind_of(name):
    if name == "DPMSolverSDEScheduler":  # diffusers hides it where torchsde is missing
        return pytest.importorskip("diffusers.schedulers.scheduling_dpmsolver_sde").DPMSolverSDEScheduler
    return OURS.get(name) or getattr(diffusers, name)


@pytest.mark.parametrize("name", [*SCHEDULERS, *NETWORKS, *AUTOENCODERS])
def test_every_field_is_judged_once(name):
    if name == "DPMSolverSDEScheduler":
        pytest.importorskip("torchsde")
    fields = {**SCHEDULERS, **NETWORKS, **AUTOENCODERS}[name]
    unjudged = constructor(kind_of(name)).keys() - fields.names
    assert not unjudged, f"{name} has fields that nobody has judged: {sorted(unjudged)}"
    assert not fields.honoured.keys() & {*fields.irrelevant, *fields.refused}
    assert not fields.irrelevant.keys() & fields.refused.keys()
    assert all([*fields.honoured.values(), *fields.irrelevant.values()])


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name != "DPMSolverSDEScheduler"])
def test_a_scheduler_made_of_another_ones_config_is_taken(name):
    """``pipe.scheduler = Other.from_config(pipe.scheduler.config)`` takes over fields whose values Other never has."""
    for other in SCHEDULERS.keys() - {"DPMSolverSDEScheduler"}:
        made = kind_of(name).from_config(kind_of(other)().config)
        check_parts_config(made.config, type(made), f"{other} -> {name}")


def test_a_solver_of_a_trained_schedulers_config_has_its_noise_levels():
    trained = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="fixed_large")
    solver = diffusers.DPMSolverMultistepScheduler.from_config(trained.config)
    assert solver.config.variance_type == "fixed_large"
    priors = [DiffusionPrior.from_components(tiny_unet(), s) for s in (trained, solver)]
    levels = [prior.schedule.alpha(torch.arange(1000)) for prior in priors]
    assert torch.equal(*levels)
    wrong = diffusers.DPMSolverMultistepScheduler(variance_type="fixed_smal")
    with pytest.raises(ValueError, match="variance_type is .*'learned_range'.*, but is 'fixed_smal'"):
        DiffusionPrior.from_components(tiny_unet(), wrong)


def test_a_field_that_nobody_has_judged_is_refused_where_it_is_set(monkeypatch):
    class NewScheduler(diffusers.DDPMScheduler):
        @diffusers.configuration_utils.register_to_config
        def __init__(self, num_train_timesteps: int = 1000, clip_sample: bool = False, warp: float = 1.0):
            super().__init__(num_train_timesteps, clip_sample=clip_sample)

    monkeypatch.setitem(SCHEDULERS, "NewScheduler", SCHEDULERS["DDPMScheduler"])
    DiffusionPrior.from_components(tiny_unet(), NewScheduler())
    with pytest.raises(ValueError, match="the scheduler's config: warp = 2.0 is not known here; leave it at 1.0"):
        DiffusionPrior.from_components(tiny_unet(), NewScheduler(warp=2.0))


@pytest.mark.parametrize(
    "name, good, bad, words",
    [
        ("DDPMScheduler", {"num_train_timesteps": 1}, {"num_train_timesteps": 0}, "lies from 1 to 100000, but is 0"),
        ("DDPMScheduler", {"num_train_timesteps": 100_000}, {"num_train_timesteps": 100_001}, "from 1 to 100000, but"),
        ("DDPMScheduler", {"beta_start": 0.0}, {"beta_start": -1e-9}, "beta_start lies from 0 to 1e.12, but is -1e-09"),
        ("DDPMScheduler", {"trained_betas": [0.1, 0.2]}, {"trained_betas": [0.1]}, "has from 2 to 100000 entries"),
        ("DDPMScheduler", {"trained_betas": [0.1] * 100_000}, {"trained_betas": [0.1] * 100_001}, "but has 100001"),
        ("DDPMScheduler", {"trained_betas": [0.1, 0.0]}, {"trained_betas": [0.1, -0.1]}, "to 1e.12, but is -0.1"),
        ("UNet2DModel", {"block_out_channels": [1]}, {"block_out_channels": []}, "from 1 to 1000 entries, but has 0"),
        ("UNet2DModel", {"block_out_channels": [2**16]}, {"block_out_channels": [2**16 + 1]}, "to 65536, but is 65537"),
        ("UNet2DModel", {"sample_size": [8, 8]}, {"sample_size": [8, 8, 8]}, "sample_size is .*, but is .8, 8, 8."),
        ("DDPMScheduler", {"prediction_type": "sample"}, {"prediction_type": "x"},
         "prediction_type is one of 'epsilon', 'sample', 'v_prediction', but is 'x'"),
        ("UNet2DModel", {"dance": None}, {"dance": 1}, "dance = 1 is no field of UNet2DModel"),
        ("DDPMScheduler", {"snr": 0.1}, {"quantization_config": {}}, "quantised weights are not known here"),
    ],
)  # fmt: skip
def test_a_field_is_of_its_type_and_within_its_bounds(name, good, bad, words):
    check_parts_config(good, kind_of(name), "config.json")
    with pytest.raises(ValueError, match=f"config.json: .*{words}"):
        check_parts_config(bad, kind_of(name), "config.json")


# -- names of a scheduler's fields --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, config, near",
    [
        ("DDPMScheduler", {"prediction_typ": "v_prediction"}, "prediction_type"),
        ("DDPMScheduler", {"clip_sampel": False}, "clip_sample"),
        ("FlowMatchEulerDiscreteScheduler", {"shif": 3.0}, "shift"),
        ("EDMEulerScheduler", {"sigma_dta": 1.0}, "sigma_data"),
        ("EulerDiscreteScheduler", {"sover_order": 2}, "solver_order"),  # another scheduler's
    ],
)
def test_a_misspelt_field_is_refused_and_the_nearest_named(name, config, near):
    words = f"is a field of no scheduler of the installed diffusers, .*Did you mean '{near}'. Correct it, remove it, or"
    with pytest.raises(ValueError, match=f"config.json: {next(iter(config))} = .* {words}"):
        check_parts_config(config, kind_of(name), "config.json")


#: Fields that folders on the hub carry beside those of their class.
HUB = {
    "DDPMScheduler": {"tensor_format": "pt", "timestep_values": None, "predict_epsilon": True, "snr": 0.1},
    "PNDMScheduler": {"clip_sample": False, "clip_sample_range": 1.0, "thresholding": False, "sample_max_value": 1.0},
    "EulerDiscreteScheduler": {
        "skip_prk_steps": True, "set_alpha_to_one": False, "clip_sample": False, "dynamic_thresholding_ratio": 0.995,
        "original_inference_steps": 50, "timestep_scaling": 10.0, "use_clipped_sample": True,
    },
    "DPMSolverMultistepScheduler": {"skip_prk_steps": True, "interpolation_type": "linear", "s_churn": 0.0},
    "FlowMatchEulerDiscreteScheduler": {"rescale_betas_zero_snr": False, "snr_shift_scale": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("name", HUB)
def test_fields_of_other_schedulers_and_of_early_ones_may_stay(name):
    own = {"_class_name": name, "_diffusers_version": "0.4.0.dev0", "_name_or_path": "x", "num_train_timesteps": 1000}
    assert HUB[name].keys() - constructor(kind_of(name)).keys() == HUB[name].keys()
    check_parts_config({**own, **HUB[name]}, kind_of(name), "config.json")


def test_what_an_early_field_said_is_not_lost():
    """A network that gives the clean image would be read as one that gives the noise."""
    kind = kind_of("DDPMScheduler")
    check_parts_config({"predict_epsilon": False, "prediction_type": "sample"}, kind, "config.json")
    with pytest.raises(ValueError, match="predict_epsilon = False .* write prediction_type = 'sample'"):
        check_parts_config({"predict_epsilon": False}, kind, "config.json")


# -- schedulers ---------------------------------------------------------------------------------------------

DISCRETE = [name for name, fields in SCHEDULERS.items() if fields is SCHEDULERS["DDPMScheduler"]]
#: Another value of each field of a discrete scheduler that does not change what is believed.
SAMPLING = {
    "variance_type": "fixed_large", "timestep_spacing": "trailing", "steps_offset": 1, "set_alpha_to_one": False,
    "skip_prk_steps": True, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True, "interpolation_type": "linear",
    "solver_order": 1, "lower_order_final": False, "euler_at_final": True, "use_lu_lambdas": True,
    "lambda_min_clipped": -5.1, "predict_x0": False, "predictor_order": 1, "corrector_order": 1,
    "use_exponential_sigmas": True, "use_beta_sigmas": True, "sigma_min": 0.1, "sigma_max": 3.0,
    "disable_corrector": [0], "noise_sampler_seed": 3,
}  # fmt: skip
#: Fields without a second value here, and why.
SINGLE = {
    "algorithm_type": "its values are other solvers'", "solver_type": "the same", "solver_p": "an object",
    "tau_func": "a function", "flow_shift": "see use_flow_sigmas", "time_shift_type": "has one value",
}  # fmt: skip
BELIEVED = [
    {"num_train_timesteps": 200}, {"beta_start": 0.001}, {"beta_end": 0.03}, {"beta_schedule": "scaled_linear"},
    {"trained_betas": [0.001 * k for k in range(1, 60)]}, {"prediction_type": "v_prediction"},
    {"prediction_type": "sample"}, {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
    {"clip_sample": True}, {"clip_sample": True, "clip_sample_range": 0.6},
    {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.3},
]  # fmt: skip
MINE = {"clip_sample": False}


def made(name, **config):
    kind = kind_of(name)
    own = {k: v for k, v in {**MINE, **config}.items() if k in constructor(kind)}
    return kind(**own)


def accepts(name, config):
    return set(config) <= set(constructor(kind_of(name))) and not (
        name == "PNDMScheduler" and config.get("prediction_type") == "sample"
    )


def by_diffusers(scheduler, output, z, t):
    """z_0 as diffusers' DDPM step predicts it, with the scheduler's own table and the fields that it has."""
    shared = {k: v for k, v in scheduler.config.items() if k in constructor(type(scheduler))}
    plain = {k: v for k, v in shared.items() if k in constructor(diffusers.DDPMScheduler) and k != "variance_type"}
    ddpm = float64_tables(diffusers.DDPMScheduler(**{**MINE, **plain}))
    return ddpm.step(output, t, z).pred_original_sample


CASES = [
    pytest.param(name, config, id=f"{name}-{'-'.join(map(str, config))}")
    for name in DISCRETE if name != "DPMSolverSDEScheduler" for config in BELIEVED if accepts(name, config)
]  # fmt: skip


@pytest.mark.battery
@pytest.mark.parametrize("name, config", CASES)
def test_a_field_of_a_scheduler_changes_the_prediction_as_it_changes_diffusers_own(name, config):
    unet, z = tiny_unet().double(), 2 * Z
    scheduler = made(name, **config)
    prior = DiffusionPrior.from_components(unet, scheduler)
    t = min(700, prior.schedule.last - 5)
    with torch.no_grad():
        ours, output = prior.denoise(z, t), unet(z, t).sample
    base = DiffusionPrior.from_components(unet, made(name))
    with torch.no_grad():
        assert base.schedule.num_timesteps != prior.schedule.num_timesteps or not torch.allclose(
            ours, base.denoise(z, t), atol=1e-4
        )
    torch.testing.assert_close(ours, by_diffusers(scheduler, output, z, t), rtol=2e-4, atol=2e-4)


@pytest.mark.battery
@pytest.mark.parametrize("name", DISCRETE)
def test_what_says_how_diffusers_samples_changes_nothing(name):
    if name == "DPMSolverSDEScheduler":
        pytest.importorskip("torchsde")
    own, unet = constructor(kind_of(name)), tiny_unet().double()
    plain = DiffusionPrior.from_components(unet, made(name))
    expected = plain.denoise(Z, 300)
    for field in own.keys() & SCHEDULERS[name].irrelevant.keys() - SINGLE.keys():
        value = SAMPLING[field]
        if field == "variance_type" and own[field].default is None:
            value = "learned"
        prior = DiffusionPrior.from_components(unet, made(name, **{field: value}))
        assert torch.equal(prior.denoise(Z, 300), expected), field
        assert torch.equal(prior.schedule.sigma(torch.arange(1000)), plain.schedule.sigma(torch.arange(1000))), field


REFUSED = [
    ("EulerDiscreteScheduler", {"timestep_type": "continuous", "sigma_min": 0.1, "sigma_max": 9.0}, "timestep_type"),
    ("DPMSolverMultistepScheduler", {"use_flow_sigmas": True}, "use_flow_sigmas"),
    ("UniPCMultistepScheduler", {"use_dynamic_shifting": True}, "use_dynamic_shifting"),
    ("UniPCMultistepScheduler", {"shift_terminal": 0.1}, "shift_terminal"),
    ("DPMSolverMultistepScheduler", {"prediction_type": "flow_prediction"}, "flow_prediction"),
    ("FlowMatchEulerDiscreteScheduler", {"use_karras_sigmas": True}, "use_karras_sigmas"),
    ("FlowMatchEulerDiscreteScheduler", {"use_exponential_sigmas": True}, "use_exponential_sigmas"),
    ("FlowMatchEulerDiscreteScheduler", {"use_beta_sigmas": True}, "use_beta_sigmas"),
    ("FlowMatchEulerDiscreteScheduler", {"invert_sigmas": True}, "invert_sigmas"),
    ("FlowMatchEulerDiscreteScheduler", {"shift_terminal": 0.1}, "shift_terminal"),
    ("LCMScheduler", {}, "LCMScheduler is not known here.*distilled"),
    ("TCDScheduler", {}, "TCDScheduler is not known here.*distilled"),
    ("EDMEulerScheduler", {"prediction_type": "sample"}, "prediction_type"),
]


@pytest.mark.parametrize("name, config, words", REFUSED)
def test_a_scheduler_that_is_refused_is_refused_by_name(name, config, words):
    with pytest.raises(ValueError, match=words):
        DiffusionPrior.from_components(tiny_unet(), getattr(diffusers, name)(**config))


@pytest.mark.parametrize(
    "name", ["DDPMScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler",
             "UniPCMultistepScheduler", "EulerAncestralDiscreteScheduler"]
)  # fmt: skip
@pytest.mark.parametrize("betas", ["linear", "scaled_linear"])
def test_zero_signal_at_the_end(name, betas):
    """Schedulers by sigma lift the last level to 2^-24, above linear betas' last but one: the network saw zero."""
    scheduler = getattr(diffusers, name)(rescale_betas_zero_snr=True, beta_schedule=betas, prediction_type="sample")
    schedule = DiffusionPrior.from_components(tiny_unet(), scheduler).schedule
    assert schedule.alpha(999) == 0 and schedule.sigma(999) == 1 and schedule.alpha(998) > 0
    exact = diffusers.DDPMScheduler(rescale_betas_zero_snr=True, beta_schedule=betas).alphas_cumprod.double()
    torch.testing.assert_close(schedule.alpha(torch.arange(1000)) ** 2, exact)
    epsilon = type(scheduler)(rescale_betas_zero_snr=True, beta_schedule=betas)
    with pytest.raises(ValueError, match=r"zero signal \(rescale_betas_zero_snr\)"):
        DiffusionPrior.from_components(tiny_unet(), epsilon)


def test_clipping_is_that_of_the_schedulers_own_fields():
    """A config given from class to class keeps fields that diffusers' class does not look at."""
    euler = diffusers.EulerDiscreteScheduler.from_config(diffusers.DDPMScheduler(clip_sample=True).config)
    assert euler.config.clip_sample
    plain = diffusers.EulerDiscreteScheduler()
    unet = tiny_unet().double()
    got, expected = (DiffusionPrior.from_components(unet, s).denoise(3 * Z, 900) for s in (euler, plain))
    assert torch.equal(got, expected) and expected.abs().max() > 1


@pytest.mark.parametrize("changes", [
    {"shift": 2.0}, {"num_train_timesteps": 500}, {"use_dynamic_shifting": True},
    {"use_dynamic_shifting": True, "base_shift": 0.3}, {"use_dynamic_shifting": True, "max_shift": 2.0},
    {"use_dynamic_shifting": True, "base_image_seq_len": 100}, {"use_dynamic_shifting": True, "max_image_seq_len": 99},
    {"use_dynamic_shifting": True, "time_shift_type": "linear"},
], ids=lambda c: "-".join(c))  # fmt: skip
def test_a_field_of_a_flow_changes_its_sigmas_as_it_changes_diffusers_own(changes):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(**changes)
    pipe = stable_diffusion_3()
    schedule = DiffusionPrior.from_components(None, scheduler, transformer=pipe.transformer, vae=pipe.vae).schedule
    count, c, mu = scheduler.config.num_train_timesteps, scheduler.config, None
    if c.use_dynamic_shifting:
        from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import calculate_shift

        mu = calculate_shift(16, c.base_image_seq_len, c.max_image_seq_len, c.base_shift, c.max_shift)
    scheduler.set_timesteps(sigmas=[k / count for k in range(count, 0, -1)], **({} if mu is None else {"mu": mu}))
    own = scheduler.sigmas[:-1].double().flip(0)
    torch.testing.assert_close(schedule.sigma(torch.arange(count)), own, atol=1e-6, rtol=1e-5)
    plain = diffusers.FlowMatchEulerDiscreteScheduler().sigmas.double().flip(0)
    assert len(plain) != count or not torch.allclose(own, plain, atol=1e-4)


@pytest.mark.parametrize("changes", [
    {"sigma_min": 0.01}, {"sigma_max": 40.0}, {"sigma_data": 0.7}, {"sigma_schedule": "exponential"}, {"rho": 5.0},
    {"num_train_timesteps": 500}, {"prediction_type": "v_prediction"},
], ids=lambda c: "-".join(c))  # fmt: skip
def test_a_field_of_edm_changes_the_prediction_as_it_changes_diffusers_own(changes):
    unet, z = tiny_unet().double(), 5 * Z
    scheduler = diffusers.EDMEulerScheduler(**changes)
    prior = DiffusionPrior.from_components(unet, scheduler)
    count = scheduler.config.num_train_timesteps
    scheduler.set_timesteps(count)
    index = count // 3
    moment, t = scheduler.timesteps[index], count - 1 - index
    with torch.no_grad():
        out = unet(scheduler.scale_model_input(z, moment), moment.double()).sample
        own = scheduler.step(out, moment, z).pred_original_sample
        got = prior.denoise(z, t)
    torch.testing.assert_close(got, own, rtol=1e-4, atol=1e-3)
    plain = DiffusionPrior.from_components(unet, diffusers.EDMEulerScheduler())
    same = plain.schedule.num_timesteps == count
    assert not same or not torch.allclose(plain.denoise(z, t), got, atol=1e-4)


@pytest.mark.parametrize("changes", [{"sigma_min": 0.1}, {"sigma_max": 50.0}, {"num_train_timesteps": 100}])
def test_a_field_of_a_variance_exploding_schedule_changes_its_sigmas(changes):
    scheduler = diffusers.ScoreSdeVeScheduler(**changes)
    schedule = DiffusionPrior.from_components(tiny_unet(), scheduler).schedule
    own = 2 * scheduler.discrete_sigmas.double()  # images in [-1, 1], for the network's in [0, 1]
    torch.testing.assert_close(schedule.sigma(torch.arange(len(own))), own, rtol=1e-4, atol=0)
    unseen = diffusers.ScoreSdeVeScheduler(**changes, snr=0.3, sampling_eps=1e-3, correct_steps=3)
    again = DiffusionPrior.from_components(tiny_unet(), unseen).schedule
    assert torch.equal(again.sigma(torch.arange(len(own))), schedule.sigma(torch.arange(len(own))))


# -- networks -----------------------------------------------------------------------------------------------

#: Of each field of a network that it sees to itself, another value: the prediction is made of the network's own output.
UNET = [
    {"center_input_sample": True}, {"time_embedding_dim": 12}, {"freq_shift": 1}, {"flip_sin_to_cos": False},
    {"down_block_types": ("DownBlock2D", "DownBlock2D")}, {"mid_block_type": None},
    {"up_block_types": ("UpBlock2D", "UpBlock2D")}, {"block_out_channels": (8, 8)}, {"layers_per_block": 2},
    {"mid_block_scale_factor": 2.0}, {"downsample_padding": 0},
    {"downsample_type": "resnet", "down_block_types": ("AttnDownBlock2D", "DownBlock2D"), "attention_head_dim": 4},
    {"upsample_type": "resnet"}, {"dropout": 0.1}, {"act_fn": "relu"}, {"attention_head_dim": 4},
    {"norm_num_groups": 2}, {"attn_norm_num_groups": 2}, {"norm_eps": 0.1},
    {"resnet_time_scale_shift": "scale_shift"}, {"add_attention": False},
    {"time_embedding_type": "learned", "num_train_timesteps": 1000},
]  # fmt: skip


def unet_of(**changes):
    torch.manual_seed(0)
    return diffusers.UNet2DModel(**{**_TINY, **changes}).double().eval()


_TINY = {
    "sample_size": 8, "in_channels": 1, "out_channels": 1, "block_out_channels": (4, 8), "layers_per_block": 1,
    "norm_num_groups": 4, "attention_head_dim": 8, "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}  # fmt: skip


@pytest.mark.battery
@pytest.mark.parametrize("changes", UNET, ids=lambda c: "-".join(c))
def test_what_a_network_sees_to_itself_is_in_the_prediction(changes):
    scheduler = float64_tables(diffusers.DDPMScheduler(clip_sample=False, prediction_type="sample"))
    network = unet_of(**changes)
    t = torch.tensor(400)
    with torch.no_grad():
        got = DiffusionPrior.from_components(network, scheduler).denoise(Z, 400)
        torch.testing.assert_close(got, network(Z, t).sample)
        first, *more = changes
        if first != "dropout":  # which is of training alone
            other = unet_of(**{field: changes[field] for field in more})
            assert not torch.allclose(got, other(Z, t).sample, atol=1e-4)


def test_those_values_are_of_all_fields_that_the_network_sees_to():
    own = {field for field, how in NETWORKS["UNet2DModel"].honoured.items() if how.startswith("the network itself")}
    assert own == set().union(*UNET)


@pytest.mark.parametrize("network, words", [
    *((lambda k=k: unet_of(class_embed_type=k, num_class_embeds=3), f"class_embed_type='{k}'.*not classes out of a")
      for k in ("timestep", "identity", "projection", "simple_projection")),
    (lambda: unet_of(time_embedding_type="fourier"), "'fourier' takes the logarithm of sigma, and DDPMScheduler"),
    (lambda: unet_of(time_embedding_type="learned", num_train_timesteps=10), "num_train_timesteps = 10 times, and"),
    (lambda: unet_of(num_class_embeds=0), "num_class_embeds is at least 1"),
    *((lambda k=k, more=more: conditional_unet(1, class_embed_type=k, **more), f"class_embed_type='{k}'")
      for k, more in (("timestep", {}), ("identity", {}), ("projection", {"projection_class_embeddings_input_dim": 8}),
                      ("simple_projection", {"projection_class_embeddings_input_dim": 8}))),
    (lambda: conditional_unet(1, num_class_embeds=4), "num_class_embeds=4.*beside its text"),
    (lambda: conditional_unet(1, time_cond_proj_dim=4), "time_cond_proj_dim=4.*distilled"),
    (lambda: conditional_unet(1, addition_embed_type="text_image", cross_attention_dim=8, encoder_hid_dim=8),
     "addition_embed_type='text_image'.*pictures"),
    (lambda: conditional_unet(1, encoder_hid_dim=8, encoder_hid_dim_type="image_proj"), "encoder_hid_dim_type='image"),
])  # fmt: skip
def test_a_network_that_is_refused_is_refused_by_name(network, words):
    with pytest.raises(ValueError, match=words):
        DiffusionPrior.from_components(network(), diffusers.DDPMScheduler(clip_sample=False))


def test_the_text_widths_of_a_network_are_its_own():
    """encoder_hid_dim (text_proj) and the pooled text of addition_embed_type 'text' are made of what it is given."""
    scheduler = float64_tables(diffusers.DDPMScheduler(clip_sample=False, prediction_type="sample"))
    states = torch.randn(2, 3, 6, dtype=torch.float64)
    pooled = {"cross_attention_dim": 6, "addition_embed_type": "text", "addition_embed_type_num_heads": 2}
    for config in ({"cross_attention_dim": 8, "encoder_hid_dim": 6}, pooled):
        network = conditional_unet(1, **config).double()
        prior = DiffusionPrior.from_components(network, scheduler).prompted({"encoder_hidden_states": states})
        with torch.no_grad():
            torch.testing.assert_close(prior.denoise(Z, 300), network(Z, 300, states).sample)


# -- autoencoders -------------------------------------------------------------------------------------------

X = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
KL = [
    {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3,
     "block_out_channels": (4, 4, 8)},
    {"layers_per_block": 2}, {"act_fn": "relu"}, {"latent_channels": 2}, {"norm_num_groups": 4},
    {"scaling_factor": 0.3}, {"shift_factor": 0.3}, {"latents_mean": [0.5] * 4, "latents_std": [2.0] * 4},
    {"use_quant_conv": False}, {"use_post_quant_conv": False}, {"mid_block_add_attention": False},
]  # fmt: skip


def kl_of(**changes):
    torch.manual_seed(1)
    base = {
        "block_out_channels": (4, 8), "norm_num_groups": 2, "latent_channels": 4, "sample_size": 16,
        "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
    }  # fmt: skip
    return diffusers.AutoencoderKL(**{**base, **changes}).double().eval()


@pytest.mark.parametrize("changes", KL, ids=lambda c: "-".join(c))
def test_a_field_of_an_autoencoder_changes_the_codec_as_it_changes_diffusers_own(changes):
    network = kl_of(**changes)
    c, codec, posterior = network.config, codec_for(network), network.encode(X).latent_dist.mean
    mean, std = c.latents_mean or [0.0] * c.latent_channels, c.latents_std or [1.0] * c.latent_channels
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, -1, 1, 1) for v in (mean, std))
    z = (posterior - (c.shift_factor or 0) - mean) * c.scaling_factor / std
    torch.testing.assert_close(codec.encode(X), z)
    torch.testing.assert_close(codec.decode(z), network.decode(posterior).sample)
    plain = codec_for(kl_of())
    other, one = plain.encode(X), plain.decode(plain.encode(X))
    decodes = not torch.allclose(one, codec.decode(z), atol=1e-6)
    assert decodes or other.shape != z.shape or not torch.allclose(other, z, atol=1e-6)
    assert codec.factor * z.shape[-1] == 16


def test_an_autoencoder_that_is_refused_is_refused_by_name():
    for config in ({"norm_type": "spatial"}, {"lookup_from_codebook": True}):
        torch.manual_seed(0)
        sizes = {"block_out_channels": (32, 32), "norm_num_groups": 32}
        network = diffusers.VQModel(**{**vq().config, **sizes, **config})
        with pytest.raises(ValueError, match=next(iter(config))):
            DiffusionPrior.from_components(tiny_unet(3), diffusers.DDPMScheduler(clip_sample=False), vae=network)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_scale_of_latents_is_positive(scale):
    with pytest.raises(ValueError, match="scaling_factor"):
        codec_for(autoencoder(scale=scale))


def test_null_classes_and_names_are_those_of_the_network():
    pipe = dit()
    parts = {"transformer": pipe.transformer, "vae": pipe.vae}
    for null_class, words in ((1001, "none of the network's 1000"), (-1, "from 0 on"), (True, "from 0 on")):
        with pytest.raises(ValueError, match=words):
            DiffusionPrior.from_components(None, pipe.scheduler, null_class, **parts)
    with pytest.raises(ValueError, match="class_names are 2, but the network has 3 classes"):
        DiffusionPrior.from_components(tiny_unet(classes=3), edm().scheduler, class_names=["a", "b"])
    with pytest.raises(ValueError, match="class_names are 2, but the network has no classes"):
        DiffusionPrior.from_components(tiny_unet(), edm().scheduler, class_names=["a", "b"])


def test_what_a_flux_network_is_refused_for():
    pipe = flux()
    config = {**pipe.transformer.config, "patch_size": 2, "out_channels": 16}
    with pytest.raises(ValueError, match="FluxTransformer2DModel with patch_size=2 is not known here"):
        DiffusionPrior.from_components(
            None, pipe.scheduler, transformer=diffusers.FluxTransformer2DModel(**config), vae=pipe.vae
        )
    sd3 = stable_diffusion_3()
    with pytest.raises(ValueError, match="pos_embed_max_size 96"):
        DiffusionPrior.from_components(None, sd3.scheduler, transformer=sd3.transformer, vae=sd3.vae, image_size=800)


def test_the_signature_that_is_walked_is_diffusers_own():
    assert set(constructor(diffusers.DDPMScheduler)) == set(inspect.signature(diffusers.DDPMScheduler).parameters)
