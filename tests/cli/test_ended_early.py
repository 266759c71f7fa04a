"""What the command line keeps, and says, where the memory, the disk or the numbers give out on the way."""

import errno
import json

import PIL.Image
import pytest
import safetensors
import torch

from tests.cli.calls import inpaint, plain, vipaint
from vipaint_pyro.priors.denoisers import EpsilonDenoiser


def at_call(n, trouble):
    """The network, whose n-th call and those after it raise, or give NaN."""
    network, calls = EpsilonDenoiser.output, []

    def output(self, z, time, condition):
        calls.append(len(z))
        if len(calls) >= n:
            if isinstance(trouble, BaseException):
                raise trouble
            return network(self, z, time, condition) * trouble
        return network(self, z, time, condition)

    return output


def lines(result):
    return [line for line in result.output.splitlines() if line]


@pytest.mark.parametrize(
    "trouble, said, code",
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0"), "out of memory", 1),
        (MemoryError(), "out of memory", 1),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "out of memory", 1),
        (float("nan"), "the network's prediction is not finite", 1),
        (KeyboardInterrupt(), "Error: stopped by Ctrl-C: kept are 1 of 2 samples, in out", 1),
    ],
)
def test_finished_samples_are_written(here, monkeypatch, trouble, said, code):
    full = plain("--method", "dps", "--set", "num-steps=3", "--set", "chunk=1", "--quiet", "--out", "full")
    assert full.exit_code == 0, full.output
    monkeypatch.setattr(EpsilonDenoiser, "output", at_call(5, trouble))
    result = plain("--method", "dps", "--set", "num-steps=3", "--chunk", "1", "--quiet")
    assert result.exit_code == code and said in lines(result)[-1], result.output
    assert "kept are 1 of 2 samples" in result.output and len(lines(result)) <= 4
    if not isinstance(trouble, KeyboardInterrupt):
        assert "refinement step 1 (time " in lines(result)[-1]
    assert (here / "out" / "sample-00.png").read_bytes() == (here / "full" / "sample-00.png").read_bytes()
    assert not (here / "out" / "sample-01.png").exists()
    facts = json.loads((here / "out" / "run.json").read_text())
    assert facts["num_samples"] == 1 and facts["settings"]["chunk"] == 1
    by = "Ctrl-C" if isinstance(trouble, KeyboardInterrupt) else "an error ("
    assert facts["ended_early"]["by"].startswith(by) and facts["ended_early"]["samples"] == 2
    assert f"This run was ended early, by {by}" in (here / "out" / "report.html").read_text()
    assert "ended_early" not in json.loads((here / "full" / "run.json").read_text())


@pytest.mark.parametrize("n, phase", [(1, "fit step 0"), (4, "fit step"), (9, "refinement step")])
@pytest.mark.parametrize("trouble", [torch.OutOfMemoryError("CUDA out of memory"), float("inf")])
def test_one_line_says_where_and_what_to_do(here, monkeypatch, n, phase, trouble):
    monkeypatch.setattr(EpsilonDenoiser, "output", at_call(n, trouble))
    result = inpaint("--out", "out", "--timesteps", "700,300")
    assert result.exit_code == 1 and phase in lines(result)[-1] and "; " in lines(result)[-1]
    assert len(lines(result)) == 2 and not (here / "out").exists()
    if isinstance(trouble, BaseException):
        assert ("--num-chains" if "fit" in phase else "lower --chunk") in lines(result)[-1]


def test_metrics_that_do_not_fit_cost_no_pictures(here, monkeypatch):
    def metrics(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("vipaint_pyro.cli.run._metrics", metrics)
    result = vipaint(
        "restore", "image.png", "--task", "super-resolution", "--scale", "2", "--simulate", "--prior", "prior",
        "--out", "out", "--samples", 1, "--method", "dps", "--set", "num-steps=3", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 1 and "out of memory (2.00 GiB more were asked for) in metrics" in lines(result)[-1]
    assert json.loads((here / "out" / "run.json").read_text())["to_the_truth"] is None


def test_ctrl_c_before_a_sample_is_finished_is_one_line(here, monkeypatch):
    monkeypatch.setattr(EpsilonDenoiser, "output", at_call(5, KeyboardInterrupt()))
    result = plain("--method", "dps", "--set", "num-steps=8", "--quiet")
    assert result.exit_code == 1 and not (here / "out").exists()
    assert lines(result)[1:] == ["Error: stopped by Ctrl-C: nothing was written"], result.output


def test_ctrl_c_during_the_metrics_costs_no_pictures(here, monkeypatch):
    def metrics(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vipaint_pyro.cli.run._metrics", metrics)
    result = vipaint(
        "restore", "image.png", "--task", "super-resolution", "--scale", "2", "--simulate", "--prior", "prior",
        "--out", "out", "--samples", 1, "--method", "dps", "--set", "num-steps=3", "--quiet",
    )  # fmt: skip
    assert lines(result)[-1] == "Error: stopped by Ctrl-C: kept are 1 of 1 samples, in out", result.output
    assert json.loads((here / "out" / "run.json").read_text())["to_the_truth"] is None


def test_a_full_disk_is_named_where_the_guide_is_written(here, monkeypatch):
    def full(*_, **__):
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    result = inpaint("--out", "out", "--timesteps", "700,300")
    assert result.exit_code == 1 and "could not be written to out: " in lines(result)[-1] and len(lines(result)) == 2


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_full_disk_is_named_and_an_earlier_run_is_kept(here, monkeypatch, n):
    args = ("--method", "dps", "--set", "num-steps=3", "--quiet", "--overwrite")
    assert plain(*args).exit_code == 0
    before = {p.name: p.read_bytes() for p in (here / "out").iterdir()}
    save, calls = PIL.Image.Image.save, []

    def full(self, *given, **options):
        calls.append(given)
        if len(calls) == n:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, *given, **options)

    monkeypatch.setattr(PIL.Image.Image, "save", full)
    result = plain(*args)
    assert result.exit_code == 1 and "could not be written to out: " in lines(result)[-1]
    assert "No space left on device" in lines(result)[-1] and len(lines(result)) == 2
    assert {p.name: p.read_bytes() for p in (here / "out").iterdir()} == before
    assert {p.name for p in here.iterdir()} == {"prior", "image.png", "mask.png", "out"}
