"""Every test: validation on, an empty parameter store, a fixed seed, global state left as found."""

from __future__ import annotations

import os
from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

# The tensors are tiny: threads would only wait for each other, the more so on a busy machine.
# Set before torch is imported, and inherited by the examples.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    import torch
    from diffusers import UNet2DModel

    from vipaint_pyro.exact import GaussianPrior
    from vipaint_pyro.priors.diffusion import DiffusionPrior
    from vipaint_pyro.priors.schedules import NoiseSchedule

# Of what takes seconds to import nothing is at the top: with -n the process that hands the tests out reads this, too.

#: One in how many of the tests of a mark CI runs: of all slow ones, and of each battery's cases by themselves.
ONE_IN = {"slow": 72, "battery": 10}


def pytest_addoption(parser):
    parser.addoption(
        "--slow", choices=("none", "sample", "all"), default="sample",
        help="which tests marked slow to run: none, a seeded sample of them and of each battery, or all of both",
    )  # fmt: skip
    parser.addoption("--slow-seed", type=int, default=0, help="seed of the samples")


def pytest_report_header(config):
    return "tests are run as by --slow {} --slow-seed {}".format(*map(config.getoption, ("--slow", "--slow-seed")))


def pytest_collection_modifyitems(config, items):
    """Deselect what --slow leaves out: of the slow tests those of minutes are no part of a sample."""
    choice, seed = config.getoption("--slow"), config.getoption("--slow-seed")

    def drawn(tests, mark):
        """By their names, so that a test that comes or goes leaves the others where they are."""
        order = sorted(tests, key=lambda item: sha256(f"{seed} {item.nodeid}".encode()).digest())
        return order[: -(-len(tests) // ONE_IN[mark])]

    slow = [item for item in items if item.get_closest_marker("slow")]
    left_out = {item.nodeid for item in slow} if choice != "all" else set()
    if choice == "sample":
        of_seconds = [item for item in slow if not item.get_closest_marker("long")]
        left_out -= {item.nodeid for item in drawn(of_seconds, "slow")}
        batteries = defaultdict(list)
        for item in items:
            if item.get_closest_marker("battery") and item not in slow:
                batteries[item.nodeid.partition("[")[0]].append(item)
        for cases in batteries.values():
            left_out |= {item.nodeid for item in cases} - {item.nodeid for item in drawn(cases, "battery")}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
        items[:] = [item for item in items if item.nodeid not in left_out]


@pytest.fixture(autouse=True)
def clean_state():
    import pyro
    import torch

    pyro.clear_param_store()
    pyro.enable_validation(True)
    torch.manual_seed(0)
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    yield
    assert torch.get_default_dtype() == dtype and torch.is_grad_enabled() == grad
    pyro.clear_param_store()


def tiny_unet(channels: int = 1, classes: int | None = None, size: int = 8, **options) -> UNet2DModel:
    """diffusers' own dummy network: two levels of 4 and 8 channels."""
    import torch
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(4, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8,
        num_class_embeds=classes,
        **options,
    ).eval()


def float64_tables(scheduler):
    """The scheduler with its betas accumulated in float64, so that comparisons can be tight."""
    import torch

    scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas.double(), 0)
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    if hasattr(scheduler, "final_alpha_cumprod"):
        scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    return scheduler


@pytest.fixture
def scheduler():
    from diffusers import DDPMScheduler

    return float64_tables(DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False))


@pytest.fixture
def schedule(scheduler) -> NoiseSchedule:
    from vipaint_pyro.priors.schedules import NoiseSchedule

    return NoiseSchedule.from_scheduler(scheduler)


@pytest.fixture
def gaussian(schedule) -> GaussianPrior:
    """A Gaussian prior over 1x2x3 images in float64, no two pixels alike."""
    import torch

    from vipaint_pyro.exact import GaussianPrior

    mean = torch.linspace(-0.6, 0.7, 6, dtype=torch.float64).reshape(1, 2, 3)
    std = torch.linspace(0.3, 0.9, 6, dtype=torch.float64).reshape(1, 2, 3)
    return GaussianPrior(mean, std, schedule)


@pytest.fixture
def smooth(schedule) -> GaussianPrior:
    """A Gaussian prior over 1x8x8 images in float64, no two pixels alike, with a network's kernel."""
    import torch

    from vipaint_pyro.exact import GaussianPrior

    mean = torch.linspace(-0.6, 0.7, 64, dtype=torch.float64).reshape(1, 8, 8)
    return GaussianPrior(mean, mean.flip(-1).abs() / 2 + 0.3, schedule, kernel="gaussian")


@pytest.fixture(scope="session")
def lpips():
    from vipaint_pyro.measurements.lpips import LPIPS

    return LPIPS()


@pytest.fixture
def network_prior() -> DiffusionPrior:
    """A class-conditional pixel prior with a tiny random network (4 classes, 4 = null)."""
    from diffusers import DDPMScheduler

    from vipaint_pyro.priors.diffusion import DiffusionPrior

    unet = tiny_unet(classes=5).double()
    scheduler = DDPMScheduler(prediction_type="v_prediction", clip_sample=False)
    return DiffusionPrior.from_components(unet, scheduler, null_class=4)


def standard_error(values: torch.Tensor) -> torch.Tensor:
    """Of the mean over the first axis."""
    return values.std(0) / len(values) ** 0.5
