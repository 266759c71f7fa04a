"""Many calls in one process: from several threads, in inference mode, and again and again."""

import resource
import threading

import pyro
import pytest
import torch
from diffusers import DDPMScheduler
from pyro.infer import Predictive

from tests.conftest import tiny_unet
from vipaint_pyro import VIPaintPipeline, fit
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.draws import draw
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import VIPaintSampler

MASK = torch.zeros(8, 8)
MASK[2:6, 1:4] = 1
FEW = {"fit_steps": 2, "num_inference_steps": 3, "num_samples": 1, "output_type": "pt", "timesteps": (700, 400)}


def pipeline():
    pipe = VIPaintPipeline(tiny_unet(), DDPMScheduler(clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(i):
    return torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(i))


def filled(pipe, i, **more):
    return pipe(picture(i), mask_image=MASK, generator=torch.Generator().manual_seed(i), **FEW, **more).images


@pytest.mark.parametrize("calls", [20, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.long])])
def test_calls_of_several_threads_are_as_if_alone(calls):
    pipes = [pipeline(), pipeline()]
    alone = [filled(pipes[0], i) for i in range(8)]
    wrong, lock = [], threading.Lock()

    def work(thread):
        for k in range(calls // 4):
            i = (thread + k) % 8
            more = {"guide": "mean-field"} if k % 5 == 4 else {}
            try:
                found = filled(pipes[thread % 2], i, **more)
                good = more or torch.equal(found, alone[i])
            except Exception as error:
                good, found = False, error
            if not good:
                with lock:
                    wrong.append((thread, i, found))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("calls", [5, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_calls_leave_nothing_behind(calls):
    pipe, kept = pipeline(), torch.tensor(1.0)
    pyro.param("of_the_users_own", kept)
    for _ in range(min(calls, 100)):
        pipe(picture(0), mask_image=MASK, **FEW)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i in range(calls):
        out = pipe(picture(i), mask_image=MASK, **FEW)
    store = pyro.get_param_store()
    assert list(store.keys()) == ["of_the_users_own"] and pyro.param("of_the_users_own") == 1
    assert set(out.guide.state_dict())  # the guide has its parameters still
    if calls == 1000:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1.02 * before


def test_a_call_in_inference_mode_is_the_same():
    pipe = pipeline()
    expected = filled(pipe, 3)
    with torch.inference_mode():
        image, loaded = picture(3), pipeline()
        assert image.is_inference()
        found = pipe(image, mask_image=MASK, generator=torch.Generator().manual_seed(3), **FEW).images
    assert torch.equal(found, expected) and not torch.is_inference_mode_enabled()
    del loaded


def test_a_prior_loaded_in_inference_mode_can_be_fitted(tmp_path):
    pipeline().save_pretrained(tmp_path)
    with torch.inference_mode():
        pipe = VIPaintPipeline.from_pretrained(tmp_path)
        pipe.set_progress_bar_config(disable=True)
        found = filled(pipe, 3)
    torch.testing.assert_close(found, filled(pipeline(), 3), rtol=0, atol=1e-5)  # backward passes of copied weights


def test_a_sampler_in_inference_mode_is_the_same():
    prior, operator = pipeline().prior, Inpainting(MASK[None, None] == 0)
    sampler = VIPaintSampler(timesteps=(700, 400), fit_steps=2, refinement_steps=3)

    def drawn():
        seen = Measurement.of(operator, operator(picture(1)[None] * 2 - 1))
        return sampler(prior, seen, 1, torch.Generator().manual_seed(0)).images

    expected = drawn()
    with torch.inference_mode():
        assert torch.equal(drawn(), expected)


def test_a_program_of_pyro_says_what_inference_mode_is_not_for(gaussian):
    """Torch's own words name neither, and a guide that was made in it could never be fitted."""
    model = DiffusionModel(gaussian, Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool)), (500, 100))
    y = torch.zeros(1, 1, 2, 3).double()
    guide = HierarchicalGuide(model, y)
    runs = [
        lambda: HierarchicalGuide(model, y), guide, lambda: guide(y), lambda: model(y), lambda: draw(model, guide, 2),
        lambda: guide.median(num_samples=2), lambda: Predictive(model, num_samples=2)(),
        lambda: fit(model, guide, y, num_steps=1),
    ]  # fmt: skip
    with torch.inference_mode():
        for run in runs:
            with pytest.raises(RuntimeError, match="a (guide|model) is of no use in torch.inference_mode.*no_grad"):
                run()
    with torch.no_grad():
        assert draw(model, guide, 2)[100].shape == (2, 1, 1, 2, 3)
    fit(model, guide, y, num_steps=1)
