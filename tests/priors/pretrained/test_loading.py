"""Priors by name, folder and hub id: the real path on small pipelines saved to a folder."""

import json
import shutil
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

from tests.conftest import tiny_unet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.priors.pretrained.folder import resolve
from vipaint_pyro.priors.pretrained.loading import load_components

Z = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "prior"
    DDPMPipeline(tiny_unet(), DDPMScheduler(clip_sample=False)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.DDPMScheduler(prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2", clip_sample=False),
        diffusers.DDIMScheduler(prediction_type="sample", beta_schedule="scaled_linear"),
        diffusers.PNDMScheduler(trained_betas=[0.0001 * k for k in range(1, 101)]),
        diffusers.EDMEulerScheduler(sigma_max=40.0),
    ],
    ids=lambda s: type(s).__name__,
)
def test_what_was_saved_is_what_is_loaded(tmp_path, scheduler):
    unet = tiny_unet()
    DDPMPipeline(unet, scheduler).save_pretrained(tmp_path)
    direct = DiffusionPrior.from_components(unet, scheduler)
    for loaded in (DiffusionPrior.from_pretrained(tmp_path), VIPaintPipeline.from_pretrained(tmp_path).prior):
        assert loaded.schedule.num_timesteps == direct.schedule.num_timesteps
        torch.testing.assert_close(loaded.denoise(Z, 70), direct.denoise(Z, 70))


def test_bare_components_and_the_oldest_flat_layout(saved):
    expected = DiffusionPrior.from_pretrained(saved).denoise(Z, 300)
    (saved / "model_index.json").unlink()
    torch.testing.assert_close(DiffusionPrior.from_pretrained(saved).denoise(Z, 300), expected)
    torch.testing.assert_close(VIPaintPipeline.from_pretrained(saved).prior.denoise(Z, 300), expected)
    for part in ("unet", "scheduler"):
        for path in (saved / part).iterdir():
            path.rename(saved / path.name)
        (saved / part).rmdir()
    torch.testing.assert_close(DiffusionPrior.from_pretrained(saved).denoise(Z, 300), expected)


def test_precision_and_null_class(tmp_path):
    pipe = VIPaintPipeline(tiny_unet(classes=5), DDPMScheduler(clip_sample=False), null_class=4)
    pipe.save_pretrained(tmp_path)
    prior = DiffusionPrior.from_pretrained(tmp_path, dtype=torch.float64)
    assert prior.dtype == torch.float64 and prior.null_class == 4 and prior.num_classes == 4
    assert DiffusionPrior.from_pretrained(tmp_path, torch_dtype=torch.float16).dtype == torch.float32
    assert DiffusionPrior.from_pretrained(tmp_path, null_class=0).null_class == 0
    assert VIPaintPipeline.from_pretrained(tmp_path, dtype=torch.float64).unet.dtype == torch.float64
    assert VIPaintPipeline.from_pretrained(tmp_path).config.null_class == 4


def test_the_built_in_prior_denoises():
    # A picture of its own training distribution, noised a little, comes back nearly clean.
    from importlib.resources import files

    from vipaint_pyro.images import read_image, to_unit

    assert set(BUILT_IN) == {"fashion-mnist", "photo-patches", "cartoon-faces"}
    prior = DiffusionPrior.from_pretrained("fashion-mnist").conditioned([9])
    picture = read_image(str(files("vipaint_pyro") / "assets" / "fashion-mnist" / "ankle-boot.png"))
    x = to_unit(picture, prior.image_shape) * 2 - 1
    t = prior.schedule.time_of_ratio(0.5)
    alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    z = alpha * x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        error = (prior.denoise(z, t) - x).pow(2).mean().sqrt()
    assert error < 0.15 < (z / alpha - x).pow(2).mean().sqrt()
    assert prior.class_names[9] == "ankle boot" and prior.null_class == 10


def rewrite(path, **changes):
    config = json.loads(path.read_text())
    config.update(changes)
    path.write_text(json.dumps(config))


def test_pickles_are_refused_with_the_way_to_convert_them(saved):
    UNet2DModel.from_pretrained(saved / "unet").save_pretrained(saved / "unet", safe_serialization=False)
    (saved / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    for load in (DiffusionPrior.from_pretrained, VIPaintPipeline.from_pretrained):
        with pytest.raises(ValueError, match=r"pickle \(diffusion_pytorch_model.bin\).*save_pretrained"):
            load(saved)
    for load in (DiffusionPrior.from_pretrained, VIPaintPipeline.from_pretrained):
        with pytest.raises(ValueError, match="always True"):
            load(saved, use_safetensors=False)


def test_a_pickle_is_never_opened(saved):
    marker = saved / "opened"

    class Bomb:
        def __reduce__(self):
            return (marker.write_text, ("boom",))

    import pickle

    (saved / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (saved / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="pickle"):
        DiffusionPrior.from_pretrained(saved)
    assert not marker.exists()


#: What may be wrong with weights, of which diffusers says nothing.
CHANGES = {
    "a weight missing": lambda tensors: tensors.pop("conv_out.bias"),
    "a weight too many": lambda tensors: tensors.update({"conv_out.extra": torch.zeros(1)}),
    "a weight not finite": lambda tensors: tensors["conv_out.bias"].fill_(float("nan")),
    "whole numbers": lambda tensors: tensors.update({"conv_out.bias": tensors["conv_out.bias"].to(torch.int8)}),
}


def damage(what):
    def apply(folder):
        unet, scheduler = folder / "unet", folder / "scheduler"
        weights = unet / "diffusion_pytorch_model.safetensors"
        if what == "no weights":
            weights.unlink()
        elif what == "truncated":
            weights.write_bytes(weights.read_bytes()[:500])
        elif what == "no config":
            (unet / "config.json").unlink()
        elif what == "no scheduler":
            (scheduler / "scheduler_config.json").unlink()
        elif what == "broken json":
            (unet / "config.json").write_text("{")
        elif what == "json list":
            (unet / "config.json").write_text("[]")
        elif what == "other network":
            rewrite(unet / "config.json", _class_name="Transformer2DModel")
        elif what == "other shapes":
            rewrite(unet / "config.json", block_out_channels=[8, 8])
        elif what == "unknown scheduler":
            rewrite(scheduler / "scheduler_config.json", _class_name="NewScheduler")
            rewrite(folder / "model_index.json", scheduler=["diffusers", "NewScheduler"])
        elif what == "two schedulers":
            rewrite(folder / "model_index.json", scheduler=["diffusers", "DDIMScheduler"])
        elif what in CHANGES:
            tensors = load_file(weights)
            CHANGES[what](tensors)
            save_file(tensors, weights)
        elif what == "unknown prediction":
            rewrite(scheduler / "scheduler_config.json", prediction_type="flow")
        elif what == "latent":
            rewrite(folder / "model_index.json", vae=["diffusers", "AutoencoderKL"])

    return apply


@pytest.mark.battery
@pytest.mark.parametrize(
    "what, words",
    [
        ("no weights", "holds no weights"),
        ("truncated", "cannot be loaded"),
        ("no config", "config.json is missing"),
        ("no scheduler", "scheduler_config.json is missing"),
        ("broken json", "cannot be read as JSON"),
        ("json list", "holds no JSON object"),
        ("other network", "Transformer2DModel"),
        ("other shapes", "cannot be loaded"),
        ("unknown scheduler", "'NewScheduler', unknown"),
        ("unknown prediction", "'flow'"),
        ("latent", "latent diffusion model"),
        ("two schedulers", "names the scheduler DDIMScheduler in model_index.json and DDPMScheduler in scheduler/"),
        ("a weight missing", "lacks conv_out.bias; weights and config.json do not belong together"),
        ("a weight too many", "none of its network's: conv_out.extra"),
        ("a weight not finite", "not finite: conv_out.bias"),
        ("whole numbers", r"whole numbers \(quantised\?\): conv_out.bias"),
    ],
)
def test_damaged_folders(saved, what, words):
    damage(what)(saved)
    with pytest.raises(ValueError, match=words):
        DiffusionPrior.from_pretrained(saved)
    if what not in ("unknown scheduler", "unknown prediction"):  # which a pipeline's own loading speaks of
        with pytest.raises(ValueError, match=words):
            VIPaintPipeline.from_pretrained(saved)


@pytest.mark.parametrize("name", ["fashion-mnst", "/nowhere/at/all", "./prior", "a/b/c", ""])
def test_unknown_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="neither built in|no diffusion prior"):
        resolve(name)


def test_a_file_is_no_prior(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="is a file; give the folder"):
        resolve(tmp_path / "model.safetensors")


def test_a_hub_id_that_is_not_there_offline(tmp_path):
    with pytest.raises(OSError, match="no folder here, and the hub did not give it: .*Check the id"):
        resolve("nobody/nothing", cache_dir=str(tmp_path), local_files_only=True)


def test_the_clone_stands_before_the_installed_package(tmp_path):
    """A script run from a clone's root finds vipaint_pyro/ there, and guides/ and models/ beside it."""
    import shutil
    import subprocess
    import sys

    root = Path(__file__).parents[3]
    for name in ("vipaint_pyro", "guides", "models"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("assets"))
    code = "import vipaint_pyro.guides as g, vipaint_pyro.models as m; print(g.__file__); print(m.__file__)"
    # Isolated from any installation of this package, but with what else is installed.
    places = [p for p in sys.path if p and Path(p).resolve() != root]
    isolated = f"sys.meta_path = [f for f in sys.meta_path if 'editable' not in str(f)]; sys.path += {places!r}"
    code = f"import sys; {isolated}; {code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [str(tmp_path / n / "__init__.py") for n in ("guides", "models")], done.stderr


def test_a_config_is_tried_once_in_a_process(saved, monkeypatch):
    tried = []
    monkeypatch.setattr("vipaint_pyro.priors.pretrained.loading._TRIED", set())
    monkeypatch.setattr("vipaint_pyro.priors.pretrained.loading.tried", tried.append)
    for name in (saved, saved, "fashion-mnist"):
        load_components(name)
    assert len(tried) == 2


def test_unknown_options():
    with pytest.raises(ValueError, match="unknown option 'dtypes' of a prior. Did you mean 'dtype'.* takes dtype, .*"):
        load_components("fashion-mnist", dtypes=torch.float16)
    with pytest.raises(ValueError, match="device is one that torch has here, like 'cpu', but is 'gpu'"):
        load_components("fashion-mnist", device="gpu")


def test_a_device_is_where_all_parts_are():
    prior = DiffusionPrior.from_pretrained("cartoon-faces", device="meta")
    assert prior.device.type == "meta" and prior.codec.network.device.type == "meta"
    assert DiffusionPrior.from_pretrained("fashion-mnist").device.type == "cpu"


def test_the_built_in_latent_prior_denoises_faces_of_its_kind():
    pytest.importorskip("python_avatars")
    from vipaint_pyro.datasets.cartoon_faces.classifier import read_attributes
    from vipaint_pyro.datasets.cartoon_faces.faces import draw_attributes, number, render, shows
    from vipaint_pyro.evaluation.metrics import psnr

    prior = DiffusionPrior.from_pretrained("cartoon-faces").conditioned([None])
    assert prior.image_shape == (3, 64, 64) and prior.latent_shape == (4, 16, 16) and prior.null_class == 12
    faces = [draw_attributes("test", i) for i in range(6)]
    x = torch.stack([render(face) for face in faces])
    with torch.no_grad():
        z = prior.encode(x)
        assert psnr(prior.decode(z), x).mean() > 32
        t = prior.schedule.time_of_ratio(0.5)
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
        noisy = float(prior.schedule.alpha(t)) * z + float(prior.schedule.sigma(t)) * noise
        z0 = prior.denoise(noisy, t)
    assert (z0 - z).pow(2).mean() < 0.2 * (noisy / float(prior.schedule.alpha(t)) - z).pow(2).mean()
    truth = torch.stack([number(face) for face in faces])
    right = (read_attributes(prior.decode(z0)) == truth) | ~shows(truth)
    assert right.float().mean() > 0.9


@pytest.mark.parametrize(
    "options, words",
    [
        ({"dtype": "float16"}, "dtype is a torch.dtype of floating-point numbers, like torch.float16, not 'float16'"),
        ({"torch_dtype": {"unet": torch.float16}}, "torch_dtype is a torch.dtype of floating-point numbers"),
        ({"dtype": torch.int8}, "dtype is a torch.dtype of floating-point numbers.*not torch.int8"),
        ({"dtype": torch.float16, "torch_dtype": torch.float64}, "dtype and torch_dtype are the same: give one"),
    ],
)
@pytest.mark.parametrize("kind", [DiffusionPrior, VIPaintPipeline])
def test_a_precision_that_is_none_is_refused_rather_than_made_float32(kind, options, words):
    with pytest.raises(TypeError, match=words):
        kind.from_pretrained("fashion-mnist", **options)


def test_parts_of_ones_own_take_the_place_of_a_folders_with_an_index_or_without(saved):
    unet = tiny_unet()
    bare = saved.parent / "bare"
    shutil.copytree(saved, bare, ignore=shutil.ignore_patterns("model_index.json"))
    for folder in (saved, bare):
        pipe = VIPaintPipeline.from_pretrained(folder, unet=unet, low_cpu_mem_usage=False)
        assert pipe.unet is unet and type(pipe.scheduler).__name__ == "DDPMScheduler"
    with pytest.raises(ValueError, match="device_map is for diffusers' own loading.*no model_index.json"):
        VIPaintPipeline.from_pretrained(bare, device_map="cpu")
