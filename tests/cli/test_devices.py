"""--device auto: the accelerator where there is one that computes, else the cpu; said, and kept in run.json."""

import json

import pytest
import torch

from tests.cli.calls import inpaint
from vipaint_pyro.cli import devices
from vipaint_pyro.cli.devices import chosen_device


def accelerator(monkeypatch, name):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda *_, **__: name is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda *_, **__: name and torch.device(name))


def test_without_an_accelerator_it_is_the_cpu(here, monkeypatch):
    accelerator(monkeypatch, None)
    result = inpaint("--device", "auto", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "device cpu: no accelerator is here" in result.stdout.splitlines()
    assert json.loads((here / "out" / "run.json").read_text())["device"] == "cpu"


def test_an_accelerator_that_computes_is_taken(monkeypatch, capsys):
    accelerator(monkeypatch, "cuda")
    monkeypatch.setattr(devices, "check_device", torch.device)
    assert chosen_device("auto") == torch.device("cuda")
    assert capsys.readouterr().out == "device cuda: the accelerator that is here\n"


def test_one_that_does_not_is_named(monkeypatch, capsys):
    accelerator(monkeypatch, "meta")  # there, and computes nothing
    assert chosen_device("auto") == torch.device("cpu")
    assert "device cpu: device 'meta' cannot be used (it computes nothing)\n" == capsys.readouterr().out


@pytest.mark.parametrize("name", ["Auto", "auto:0"])
def test_only_that_word_is_meant(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used"):
        chosen_device(name)


def test_a_gpu_has_another_name():
    with pytest.raises(ValueError, match=r"'gpu' cannot be used \(torch has no device of that name; a GPU is cuda"):
        chosen_device("gpu")
