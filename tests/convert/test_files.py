"""What is read, what is refused, and that nothing is written then."""

import json
import sys
import types

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file, save_file

from tests.convert.tiny_ldm import CHURCHES, IMAGENET, churches_original, imagenet_original, state_of
from vipaint_pyro.convert import convert_ldm
from vipaint_pyro.convert.checkpoint import read_state_dict


@pytest.fixture(scope="module")
def churches():
    return state_of(*churches_original()) | {"scale_factor": torch.tensor(0.2)}


@pytest.fixture(scope="module")
def imagenet():
    return state_of(*imagenet_original())


def refused(state, tmp_path, match, kind="churches-kl-f8", options=CHURCHES):
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match=match) as error:
        convert_ldm(tmp_path / "model.ckpt", tmp_path / "prior", kind, **options)
    assert [p.name for p in tmp_path.iterdir()] == ["model.ckpt"]
    return str(error.value)


def test_one_error_names_missing_left_over_and_misshapen(churches, tmp_path):
    state = dict(churches)
    for i in range(5):
        state[f"model.diffusion_model.further.{i}"] = torch.zeros(1)
    del state["first_stage_model.decoder.conv_out.bias"]
    state["model.diffusion_model.input_blocks.1.1.qkv.weight"] = torch.zeros(96, 31, 1)
    message = refused(state, tmp_path, "no churches-kl-f8 checkpoint")
    assert "1 missing (first_stage_model.decoder.conv_out.bias)" in message
    assert "5 unexpected (model.diffusion_model.further.0, " in message and "further.2, ...)" in message
    assert "further.3" not in message
    assert "1 of another shape (model.diffusion_model.input_blocks.1.1.qkv.weight (96, 31, 1) for (96, 32))" in message


def test_a_running_average_that_is_missing(churches, tmp_path):
    unet = churches_original()[0]
    averages = {"model_ema.diffusion_model" + k.replace(".", ""): v for k, v in unet.state_dict().items()}
    averages.pop("model_ema.diffusion_modelout2bias")
    refused(churches | averages, tmp_path, r"1 missing \(model_ema.diffusion_modelout2bias\)")


def test_the_other_model_is_refused(churches, imagenet, tmp_path):
    refused(imagenet, tmp_path, "no churches-kl-f8 checkpoint: of its tensors [0-9]+ missing")
    refused(churches, tmp_path, "no imagenet-vq-f4 checkpoint", "imagenet-vq-f4", IMAGENET)
    refused(
        churches,
        tmp_path,
        "unknown kind 'celeba' of checkpoint; known are churches-kl-f8, imagenet-vq-f4",
        "celeba",
        {},
    )


def test_scales_and_schedules(churches, imagenet, tmp_path):
    refused({k: v for k, v in churches.items() if k != "scale_factor"}, tmp_path, "it has no scale_factor")
    scaled = imagenet | {"scale_factor": torch.tensor(0.9)}
    refused(scaled, tmp_path, "latents are scaled by 0.9", "imagenet-vq-f4", IMAGENET)
    other = DDIMScheduler(beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear").betas
    refused(churches | {"betas": other}, tmp_path, "betas are those of another schedule")
    # Their own schedule, and the other leavings of the training, do not disturb.
    leavings = {"betas": torch.linspace(0.0015**0.5, 0.0155**0.5, 1000) ** 2, "logvar": torch.zeros(1000)}
    leavings["first_stage_model.loss.discriminator.main.0.weight"] = torch.zeros(3)
    torch.save(churches | leavings, tmp_path / "model.ckpt")
    convert_ldm(tmp_path / "model.ckpt", tmp_path / "prior", "churches-kl-f8", **CHURCHES)


def test_safetensors_and_an_empty_folder(churches, tmp_path):
    # In half precision, as some copies are: the folder is in float32 all the same.
    save_file({k: v.half() for k, v in churches.items()}, tmp_path / "model.safetensors")
    (tmp_path / "prior").mkdir()
    folder = convert_ldm(tmp_path / "model.safetensors", tmp_path / "prior", "churches-kl-f8", **CHURCHES)
    assert json.loads((folder / "vqvae" / "config.json").read_text())["scaling_factor"] == pytest.approx(0.2, rel=1e-3)
    assert all(v.dtype == torch.float32 for v in load_file(next((folder / "unet").glob("*.safetensors"))).values())
    assert {p.name for p in tmp_path.iterdir()} == {"model.safetensors", "prior"}
    # And now it is full.
    before = (folder / "model_index.json").stat().st_mtime_ns
    with pytest.raises(FileExistsError, match="not overwritten"):
        convert_ldm(tmp_path / "model.safetensors", folder, "churches-kl-f8", **CHURCHES)
    assert (folder / "model_index.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("name, words", [("file/x", "file is a file"), ("a" * 300, "File name too long")])
def test_where_nothing_can_be_written_is_said_before_anything_is_read(tmp_path, name, words):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=f"cannot be made: .*{words}"):
        convert_ldm(tmp_path / "absent.ckpt", tmp_path / name, "churches-kl-f8", **CHURCHES)
    with pytest.raises(FileExistsError, match="file exists already, and is not overwritten"):
        convert_ldm(tmp_path / "absent.ckpt", tmp_path / "file", "churches-kl-f8", **CHURCHES)


def test_a_full_disk_while_converting_is_one_line(churches, tmp_path):
    import resource

    torch.save({"state_dict": churches}, tmp_path / "model.ckpt")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="prior cannot be written: File too large. What was there is as it was"):
            convert_ldm(tmp_path / "model.ckpt", tmp_path / "prior", "churches-kl-f8", **CHURCHES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in tmp_path.iterdir()] == ["model.ckpt"]


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint file"):
        read_state_dict(tmp_path / "absent.ckpt")
    junk = {"junk.ckpt": b"not tensors", "text.ckpt": b"hello\n", "junk.safetensors": b"not tensors"}
    for name, content in junk.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="no checkpoint of tensors alone|cannot be read as safetensors"):
            read_state_dict(tmp_path / name)
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="no state dict"):
        read_state_dict(tmp_path / "list.pt")


def planted(module, tmp_path, monkeypatch, content):
    """A checkpoint holding an object whose class lives in ``module`` and leaves a trace when it is made."""
    traces = []

    class ModelCheckpoint:
        def __init__(self):
            self.best = 0.1

        def __setstate__(self, state):
            traces.append("ran")

    ModelCheckpoint.__module__, ModelCheckpoint.__qualname__ = module, "ModelCheckpoint"
    for i in range(module.count(".") + 1):
        name = ".".join(module.split(".")[: i + 1])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[module].ModelCheckpoint = ModelCheckpoint
    callbacks = {ModelCheckpoint: ModelCheckpoint(), "best": np.float64(0.1), "scores": np.zeros(3)}
    torch.save({"state_dict": content, "callbacks": callbacks}, tmp_path / "model.ckpt")
    return tmp_path / "model.ckpt", traces


def test_lightnings_callbacks_are_read_as_blanks(tmp_path, monkeypatch):
    content = {"a": torch.arange(3.0)}
    path, traces = planted("pytorch_lightning.callbacks.model_checkpoint", tmp_path, monkeypatch, content)
    allowed = torch.serialization.get_safe_globals()
    assert torch.equal(read_state_dict(path)["a"], content["a"]) and not traces
    assert torch.serialization.get_safe_globals() == allowed


def test_code_in_a_checkpoint_does_not_run(tmp_path, monkeypatch):
    path, traces = planted("elsewhere", tmp_path, monkeypatch, {"a": torch.zeros(1)})
    with pytest.raises(ValueError, match="no checkpoint of tensors alone"):
        read_state_dict(path)
    assert not traces
