"""Offloading ends with a call of the pipeline, however that ends."""

import pytest
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import quiet, run
from vipaint_pyro.faults import NonFiniteError
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline


@pytest.fixture
def pipe():
    return quiet(VIPaintPipeline(tiny_unet(classes=5), DDPMScheduler(clip_sample=False), null_class=4))


@pytest.fixture
def freed(pipe, monkeypatch):
    calls = []
    monkeypatch.setattr(type(pipe), "maybe_free_model_hooks", lambda self: calls.append(self))
    return calls


def test_after_a_call(pipe, freed):
    run(pipe)
    assert freed == [pipe]


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["fit_callback", "callback_on_step_end"])
def test_after_an_error_of_a_callback(pipe, freed, error, where):
    def callback(*_):
        raise error("enough")

    with pytest.raises(error):
        run(pipe, **{where: callback})
    assert freed == [pipe]


def test_after_numbers_that_are_not_finite(pipe, freed):
    pipe.unet.conv_out.weight.data.fill_(float("nan"))
    with pytest.raises(NonFiniteError):
        run(pipe)
    assert freed == [pipe]


def test_after_an_error_once_a_prompt_is_encoded(pipe, freed):
    """By then the encoder of texts is on the accelerator."""
    with pytest.raises(ValueError, match="asks for prompt_embeds"):
        run(pipe, callback_on_step_end=lambda *_: {}, callback_on_step_end_tensor_inputs=["prompt_embeds"])
    assert freed == [pipe]
