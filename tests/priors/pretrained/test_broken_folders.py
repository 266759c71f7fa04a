"""A battery of broken folders, made of good ones: each gives one clear error, or is loaded with the right answer."""

import json
import os
import shutil

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import tiny_unet
from tests.priors.pretrained.tiny import autoencoder
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
FILES = {
    "index": "model_index.json",
    "unet": "unet/config.json",
    "vae": "vae/config.json",
    "scheduler": "scheduler/scheduler_config.json",
}
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
#: What a field may be turned into by a hand or a disk that fails.
WRONG = {
    "a text": "x", "negative": -3, "huge": 10**9, "a list": [], "an object": {}, "true": True, "a fraction": 0.5,
    "null": None, "not finite": float("nan"), "a list of null": [None],
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    pipe = VIPaintPipeline(
        tiny_unet(4, classes=5), diffusers.DDIMScheduler(clip_sample=False), vae=autoencoder(), null_class=4,
        class_names=["a", "b", "c", "d"],
    )  # fmt: skip
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture
def copy(good, tmp_path):
    return shutil.copytree(good, tmp_path / "prior")


def rewrite(path, **changes):
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **changes}))


LOADERS = (DiffusionPrior.from_pretrained, lambda folder: VIPaintPipeline.from_pretrained(folder).prior)


def fails(folder, loaders=LOADERS):
    """Every way to load says why in one error of the house's kind; None where they load."""
    said = []
    for load in loaders:
        try:
            load(folder)
        except ValueError as error:
            said.append(str(error))
            assert "Traceback" not in said[-1]
    assert len(said) in (0, len(loaders)), said
    return said[0] if said else None


def right(folder):
    """The prior of a folder that is loaded still is what diffusers' own classes make of it."""
    unet = diffusers.UNet2DModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False)
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae", low_cpu_mem_usage=False)
    config = json.loads((folder / FILES["scheduler"]).read_text())
    scheduler = getattr(diffusers, config["_class_name"]).from_config(config)
    prior = DiffusionPrior.from_pretrained(folder)
    t, shape = min(300, prior.schedule.last), prior.latent_shape
    z = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = unet(z, t, torch.tensor([1])).sample
        scheduler.set_timesteps(scheduler.config.num_train_timesteps)
        z0 = scheduler.step(output, t, z).pred_original_sample
        shift = vae.config.shift_factor or 0
        x = vae.decode(z0 / vae.config.scaling_factor + shift).sample
        ours = prior.conditioned([1]).denoise(z, t)
        torch.testing.assert_close(ours, z0, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(prior.decode(z0), x, atol=1e-4, rtol=1e-4)
    for load in LOADERS:
        assert load(folder).null_class == prior.null_class


def fields():
    """(file, field) of a good folder, read off the constructors."""
    from vipaint_pyro.priors.pretrained.configs import constructor

    kinds = {"unet": diffusers.UNet2DModel, "vae": diffusers.AutoencoderKL, "scheduler": diffusers.DDIMScheduler}
    for file, kind in kinds.items():
        yield from ((file, field) for field in ("_class_name", *constructor(kind)))
    yield from (("index", f) for f in ("unet", "vae", "scheduler", "null_class", "class_names", "id2label"))
    yield from (("index", f) for f in ("image_size", "force_zeros_for_empty_prompt", "_class_name"))


@pytest.mark.slow
@pytest.mark.parametrize("file, field", [*fields()])
def test_a_field_that_is_wrong(copy, good, file, field):
    """Of every kind of wrong value: an error that names the file and the field, or what diffusers makes of it."""
    path = copy / FILES[file]
    before = path.read_text()
    refused = 0
    for what, value in WRONG.items():
        path.write_text(before)
        rewrite(path, **{field: value})
        said = fails(copy, LOADERS[:1])
        if said is None:
            right(copy)
            continue
        refused += 1
        named = FILES[file] in said or str(path.parent) in said or file in said or FILES[file].split("/")[0] in said
        assert named or "the network" in said or "autoencoder" in said, (what, said)
        # A network without classes leaves the weights of the table over.
        assert field in said or (field == "num_class_embeds" and "class_embedding.weight" in said), (what, said)
    assert refused >= 3, "nearly anything is accepted"


OTHER = {
    "no weights": lambda f: (f / WEIGHTS).unlink(),
    "empty weights": lambda f: (f / WEIGHTS).write_bytes(b""),
    "truncated weights": lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-10]),
    "a header of noise": lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 300),
    "weights that are a folder": lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()),
    "a weight in float8": lambda f: recast(f, torch.float8_e4m3fn),
    "a weight in complex": lambda f: recast(f, torch.complex64),
    "no scheduler": lambda f: shutil.rmtree(f / "scheduler"),
    "no vae": lambda f: shutil.rmtree(f / "vae"),
    "no unet": lambda f: shutil.rmtree(f / "unet"),
    "two autoencoders": lambda f: shutil.copytree(f / "vae", f / "vqvae"),
    "a null vae": lambda f: rewrite(f / "model_index.json", vae=[]),
    "a vae of one word": lambda f: rewrite(f / "model_index.json", vae=["diffusers"]),
    "a vae of another class": lambda f: rewrite(f / "model_index.json", vae=["diffusers", "VQModel"]),
    "a unet of another class": lambda f: rewrite(f / "model_index.json", unet=["diffusers", "UNet2DConditionModel"]),
    "a scheduler of no library": lambda f: rewrite(f / "model_index.json", scheduler=[None, "DDIMScheduler"]),
    "an encoder that is not there": lambda f: rewrite(f / "model_index.json", class_embedder=["a.b", "ClassEmbedder"]),
    "labels with gaps": lambda f: rewrite(f / "model_index.json", class_names=None, id2label={"0": "a", "2": "b"}),
    "labels that are no texts": lambda f: rewrite(f / "model_index.json", id2label={"0": 1}),
    "a null class too big": lambda f: rewrite(f / "model_index.json", null_class=5),
    "names of other classes": lambda f: rewrite(f / "model_index.json", class_names=["a"]),
    "quantised": lambda f: rewrite(f / FILES["unet"], quantization_config={"load_in_8bit": True}),
    "a field of no version": lambda f: rewrite(f / FILES["unet"], attention_of_tomorrow="yes"),
    "a misspelt field": lambda f: rewrite(f / FILES["scheduler"], prediction_typ="v_prediction"),
    "another beta schedule": lambda f: rewrite(f / FILES["scheduler"], beta_schedule="cosine"),
    "betas beyond one": lambda f: rewrite(f / FILES["scheduler"], beta_end=1.5),
    "betas that are none": lambda f: rewrite(f / FILES["scheduler"], trained_betas=[0.1, "x"]),
    "channels of another model": lambda f: rewrite(f / FILES["vae"], latent_channels=3),
    "a size of three": lambda f: rewrite(f / FILES["unet"], sample_size=[8, 8, 8]),
    "a size of fractions": lambda f: rewrite(f / FILES["unet"], sample_size=8.5),
    "times without end": lambda f: rewrite(f / FILES["scheduler"], num_train_timesteps=10**8),
    "widths without end": lambda f: rewrite(f / FILES["unet"], block_out_channels=[4, 10**9]),
    "widths within bounds": lambda f: rewrite(f / FILES["unet"], block_out_channels=[4, 2**16]),
    "a deep list": lambda f: (f / FILES["unet"]).write_text("[" * 100_000),
    "a number of many digits": lambda f: (f / FILES["unet"]).write_text('{"sample_size": ' + "9" * 9999 + "}"),
    "a scheduler that is none": lambda f: rewrite(f / FILES["scheduler"], _class_name="UNet2DModel"),
    "a scheduler that is a module": lambda f: rewrite(f / FILES["scheduler"], _class_name="schedulers"),
    "shards that are none": lambda f: shard(f, {"weight_map": []}),
    "shards that are gone": lambda f: shard(f, {"weight_map": {"conv_in.bias": "part-2.safetensors"}}),
    "a link in a circle": lambda f: loop(f / FILES["unet"]),
    "a folder that links to itself": lambda f: (shutil.rmtree(f / "unet"), loop(f / "unet")),
}  # fmt: skip
for _name, _file in FILES.items():
    OTHER |= {
        f"{_name}: empty": lambda f, p=_file: (f / p).write_bytes(b""),
        f"{_name}: truncated": lambda f, p=_file: (f / p).write_text((f / p).read_text()[:20]),
        f"{_name}: a list": lambda f, p=_file: (f / p).write_text("[]"),
        f"{_name}: noise": lambda f, p=_file: (f / p).write_bytes(b"\xff\xfe\x00"),
        f"{_name}: a folder": lambda f, p=_file: ((f / p).unlink(), (f / p).mkdir()),
        f"{_name}: a link to nothing": lambda f, p=_file: ((f / p).unlink(), (f / p).symlink_to("nowhere")),
    }


def recast(folder, dtype):
    tensors = load_file(folder / WEIGHTS)
    tensors["conv_out.bias"] = tensors["conv_out.bias"].to(dtype)
    save_file(tensors, folder / WEIGHTS)


def shard(folder, index):
    (folder / WEIGHTS).unlink()
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


def loop(path):
    if path.exists():
        path.unlink()
    os.symlink(path.name, path)


@pytest.mark.battery
@pytest.mark.parametrize("what", OTHER)
def test_a_folder_that_is_broken(copy, what):
    OTHER[what](copy)
    said = fails(copy)
    assert (said is not None and str(copy) in said) or "null_class 5" in said or "class_names are 1" in said \
        or "scheduler's" in said or "DDIMScheduler has betas" in said, said  # fmt: skip
    assert len(said) < 1500


def test_there_are_enough_of_them():
    assert len(OTHER) + len(WRONG) * len(list(fields())) >= 500


def test_the_good_folder_is_right(copy):
    right(copy)


def test_a_file_that_cannot_be_read(copy, monkeypatch):
    from pathlib import Path

    def read_text(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", read_text)
    with pytest.raises(ValueError, match="model_index.json cannot be read as JSON.*Permission denied"):
        DiffusionPrior.from_pretrained(copy)


@pytest.mark.parametrize("parts", [("unet", "vae"), ("unet",)])
def test_weights_of_a_variant_alone(copy, parts):
    for part in parts:
        path = copy / part / "diffusion_pytorch_model.safetensors"
        path.rename(path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    for load in (DiffusionPrior.from_pretrained, VIPaintPipeline.from_pretrained):
        with pytest.raises(ValueError, match=r"variant fp16 of its weights alone: give .*--variant fp16"):
            load(copy)
        load(copy, variant="fp16")
        with pytest.raises(ValueError, match="alone"):
            load(copy, variant="ema")
    assert VIPaintPipeline.from_pretrained(copy, variant="fp16").prior.null_class == 4


def test_a_variant_that_there_is_not(copy):
    for load in (DiffusionPrior.from_pretrained, VIPaintPipeline.from_pretrained):
        with pytest.raises(ValueError, match="no weights of the variant 'fp16'"):
            load(copy, variant="fp16")
        with pytest.raises(ValueError, match="variant is a word"):
            load(copy, variant=16)
        with pytest.raises(ValueError, match="revision is of a hub id, and .* is a folder"):
            load(copy, revision="main")
        with pytest.raises(ValueError, match="no variant 'fp16'"):
            load("fashion-mnist", variant="fp16")


def test_the_variant_that_is_asked_for_is_the_one_loaded(copy):
    plain = copy / WEIGHTS
    tensors = {k: v + 1 for k, v in load_file(plain).items()}
    save_file(tensors, plain.with_name("diffusion_pytorch_model.fp16.safetensors"))
    for load in (lambda **o: DiffusionPrior.from_pretrained(copy, **o).denoiser.network,
                 lambda **o: VIPaintPipeline.from_pretrained(copy, **o).unet):  # fmt: skip
        torch.testing.assert_close(load(variant="fp16").conv_in.bias, load().conv_in.bias + 1)


def test_an_option_that_there_is_not(copy):
    for name in ("varient", "torch_dtypes", "num_samples"):
        with pytest.raises(TypeError, match=f"from_pretrained has no option '{name}'; it has cache_dir"):
            VIPaintPipeline.from_pretrained(copy, **{name: "x"})
        with pytest.raises(ValueError, match=f"unknown option '{name}'"):
            DiffusionPrior.from_pretrained(copy, **{name: "x"})
