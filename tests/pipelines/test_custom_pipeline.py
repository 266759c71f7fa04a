"""diffusers' own loader, given this package's file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from diffusers import DDPMScheduler

import vipaint_pyro
from tests.conftest import tiny_unet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

FILE = Path(vipaint_pyro.__file__).parent / "pipelines" / "vipaint.py"
CODE = """
import json, sys, torch
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained(sys.argv[1], custom_pipeline=sys.argv[2], trust_remote_code=True)
pipe.set_progress_bar_config(disable=True)
mask = torch.eye(8)
out = pipe(torch.rand(1, 8, 8), mask, class_labels="b", method="blended", num_inference_steps=2, num_samples=2,
           generator=torch.Generator().manual_seed(0), output_type="pt")
print(json.dumps([type(pipe).__name__, pipe.config.null_class, list(pipe.config.class_names), list(out.images.shape)]))
"""


@pytest.mark.slow
def test_the_file_is_a_custom_pipeline_for_a_folder_that_was_saved_here(tmp_path):
    pipe = VIPaintPipeline(
        tiny_unet(classes=3), DDPMScheduler(clip_sample=False), null_class=2, class_names=["a", "b"]
    )
    pipe.save_pretrained(tmp_path / "prior")
    # A process and a cache of its own: diffusers keeps a copy of the file in its cache.
    env = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(FILE.parents[2])}
    command = [sys.executable, "-c", CODE, str(tmp_path / "prior"), str(FILE)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name, null, names, shape = json.loads(done.stdout.splitlines()[-1])
    assert (name, null, names, shape) == ("VIPaintPipeline", 2, ["a", "b"], [2, 1, 8, 8])
