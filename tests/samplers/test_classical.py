"""Classical fills, against what they are known to give, and against OpenCV's and scikit-image's own functions."""

import sys

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from skimage.restoration import inpaint_biharmonic

from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.study.claims import claim
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.images import from_bytes, to_bytes
from vipaint_pyro.measurements import Inpainting, Measurement, make_operator
from vipaint_pyro.measurements.masks import box_mask
from vipaint_pyro.samplers import make_sampler
from vipaint_pyro.samplers.classical import ClassicalFill
from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS

NAMES = [name for name in FOR_SCALE if name != "estimate"]
#: So many of the 255 levels a constant may be off by: where it is rounded.
ROUNDED = {"telea": 0.02, "navier-stokes": 0.01, "biharmonic": 1e-9, "shift-map": 0.5, "fsr": 0}
HOLE = box_mask((32, 48), side=(9, 7), centre=(14, 20))[None]


def prior(schedule, shape):
    return GaussianPrior(torch.zeros(shape).double(), torch.ones(shape).double(), schedule)


def filled(name, x, observed, schedule, **settings):
    operator = Inpainting(observed)
    seen = Measurement.of(operator, operator(x))
    samples = make_sampler(name, **settings)(prior(schedule, tuple(x.shape[1:])), seen, 2)
    assert samples.calls == {} and torch.equal(samples.images[0], samples.images[1])
    return samples.images[0]


def picture(images, channels, seed=0):
    """Smooth waves and some noise, in 8 bits."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(48.0), indexing="ij")
    phase = torch.rand(images, channels, 1, 1, generator=generator) * 6
    waves = 0.5 * torch.sin(x / 5 + phase) + 0.2 * torch.cos(y / 3 + phase)
    return from_bytes(to_bytes(waves + 0.1 * torch.randn(waves.shape, generator=generator))).double()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_constant_picture_is_filled_with_its_colour(name, channels, schedule):
    colour = from_bytes(torch.tensor([200, 120, 40][:channels], dtype=torch.uint8)).double()
    x = colour[:, None, None].expand(1, channels, 32, 48)
    error = (filled(name, x, HOLE, schedule) - x).abs().max().item() * 127.5
    assert error <= ROUNDED[name] + 1e-4


def test_a_ramp_goes_on_as_a_ramp(schedule):
    """A plane is biharmonic: up to what the sparse solver rounds it is found again."""
    y, x = torch.meshgrid(torch.arange(32.0).double(), torch.arange(48.0).double(), indexing="ij")
    ramp = torch.stack([0.01 * x - 0.02 * y, 0.3 - 0.015 * x, 0.01 * y - 0.4])[None]
    assert (filled("biharmonic", ramp, HOLE, schedule) - ramp).abs().max() < 1e-6
    for name in ("telea", "navier-stokes"):
        assert 1e-3 < (filled(name, ramp, HOLE, schedule) - ramp).abs().max() < 0.3


@pytest.mark.parametrize("name", NAMES)
def test_what_is_seen_is_kept_and_an_image_is_filled_as_by_itself(name, schedule):
    x, settings = picture(3, 3), {"fast": True} if name == "fsr" else {}
    observed = torch.cat([HOLE, torch.ones_like(HOLE), HOLE.flip(-1)])  # of the second one nothing is hidden
    together = filled(name, x, observed, schedule, **settings)
    assert torch.equal(together[1], x[1]) and together.dtype == torch.float64
    for i in range(3):
        seen = observed[i].expand(3, -1, -1)
        assert torch.equal(together[i][seen], x[i][seen])
        alone = filled(name, x[i : i + 1], observed[i : i + 1], schedule, **settings)
        assert torch.equal(alone[0], together[i])
    assert (together[0] != x[0]).any() and together.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_as_the_libraries_own_functions(channels, schedule):
    """Called directly, on numbers that the picture is exactly."""
    x, hidden = picture(1, channels), ~HOLE[0, 0].numpy()
    unit = (x[0] / 2 + 0.5).numpy()
    sixteen = np.rint(unit * 65535).astype(np.uint16)
    mask = hidden.astype(np.uint8) * 255
    for name, flag, radius in (("telea", cv2.INPAINT_TELEA, 3), ("navier-stokes", cv2.INPAINT_NS, 5)):
        own = np.stack([cv2.inpaint(c, mask, radius, flag) for c in sixteen])
        found = filled(name, x, HOLE, schedule, radius=float(radius))[0].numpy()
        assert np.array_equal(np.rint((found / 2 + 0.5) * 65535)[:, hidden], own[:, hidden])
    own = inpaint_biharmonic(np.moveaxis(unit, 0, -1), hidden, channel_axis=-1)
    found = filled("biharmonic", x, HOLE, schedule)[0].numpy() / 2 + 0.5
    assert np.abs(found - np.moveaxis(own, -1, 0))[:, hidden].max() < 1e-12
    eight = to_bytes(x)[0].numpy()
    for fast in (channels == 3,):
        quality = cv2.xphoto.INPAINT_FSR_FAST if fast else cv2.xphoto.INPAINT_FSR_BEST
        own = np.zeros_like(eight)
        for channel, place in zip(eight, own):
            cv2.xphoto.inpaint(channel.copy(), 255 - mask, place, quality)
        found = to_bytes(filled("fsr", x, HOLE, schedule, fast=fast))[0].numpy()
        assert np.array_equal(found[:, hidden], own[:, hidden])


def test_a_shift_map_fills_with_colours_of_the_picture(schedule):
    """Stripes of two colours go on through the hole, each pixel one of the two."""
    two = from_bytes(torch.tensor([[230, 40, 90], [20, 160, 70]], dtype=torch.uint8)).double()
    x = two[(torch.arange(64) // 4) % 2].T[:, None].expand(1, 3, 64, 64)
    hole = box_mask((64, 64), side=12, centre=(30, 32))[None]
    found = filled("shift-map", x, hole, schedule)
    assert (found - x).abs().max() * 127.5 < 0.5
    grey = filled("shift-map", x[:, :1], hole, schedule)
    assert (grey - x[:, :1]).abs().max() < 1e-5


def test_what_a_shift_map_leaves_empty_is_filled_from_what_it_has(schedule, monkeypatch):
    """How much it leaves empty differs between machines; here it fills half of a hole in grey, with black."""
    hole = box_mask((20, 20), side=4, centre=(7, 8))[None]
    rows, columns = np.where(~hole[0, 0].numpy())
    left = columns < 8

    def half(source, mask, found, method):
        assert method == cv2.xphoto.INPAINT_SHIFTMAP and (source[mask == 0] == 0).all()
        found[:] = source
        found[rows[~left], columns[~left]] = [0, 128, 128]  # black is not empty

    monkeypatch.setattr(cv2.xphoto, "inpaint", half)
    x = torch.full((1, 3, 20, 20), 0.5, dtype=torch.float64)
    some = x.clone()
    some[0, :, rows[~left], columns[~left]] = -1
    still = torch.ones_like(hole)
    still[0, 0, rows[left], columns[left]] = False
    expected = filled("telea", some, still, schedule)
    assert (filled("shift-map", x, hole, schedule) - expected).abs().max() < 1e-3
    assert (expected[0, :, rows[left], columns[left]] > -1).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_they_cannot_fill_is_refused(name, schedule):
    restored = make_operator("super-resolution", (3, 16, 16), scale=4)
    seen = Measurement.of(restored, torch.zeros(1, 3, 4, 4).double())
    with pytest.raises(ValueError, match=f"^{name} fills the pixels that a mask hides: it is for inpainting alone$"):
        make_sampler(name).settle(prior(schedule, (3, 16, 16)), seen)

    def refused(shape, observed):
        seen = Measurement.of(Inpainting(observed), torch.zeros(1, *shape).double())
        with pytest.raises(ValueError) as error:
            make_sampler(name).settle(prior(schedule, shape), seen)
        return str(error.value)

    assert refused((4, 16, 16), torch.ones(1, 1, 16, 16) > 0).endswith("one or three channels, and this one has 4")
    uneven = torch.ones(1, 3, 16, 16) > 0
    uneven[0, 1, 3, 3] = False
    assert "takes one mask for all channels" in refused((3, 16, 16), uneven)
    assert "but of an image nothing is" in refused((3, 16, 16), torch.zeros(1, 1, 16, 16) > 0)
    if name == "fsr":
        assert "multiples of 16, not 16x20" in refused((3, 20, 16), torch.ones(1, 1, 20, 16) > 0)
        assert "multiples of 16, not 20x16" in refused((3, 16, 20), torch.ones(1, 1, 16, 20) > 0)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_known_by_their_names_and_cost_nothing(name, schedule):
    assert name not in METHODS and FOR_SCALE[name].needs == ("mask",) and not FOR_SCALE[name].chance
    sampler = make_sampler(name)
    assert isinstance(sampler, ClassicalFill) and sampler.name == name
    seen = Measurement.of(Inpainting(HOLE), torch.zeros(1, 3, 32, 48).double())
    assert claim(sampler, prior(schedule, (3, 32, 48)), seen, 4).forward == 0
    said = CliRunner().invoke(main, ["methods", name]).output
    assert said.startswith(f"{name}: {FOR_SCALE[name].summary}") and "a mask" in said
    assert f"{FOR_SCALE[name].summary}; needs a mask" in CliRunner().invoke(main, ["methods"]).output


@pytest.mark.parametrize("missing, name", [("cv2", "telea"), ("cv2.xphoto", "fsr"), ("skimage", "biharmonic")])
def test_what_is_missing_is_named_before_anything_is_filled(missing, name, schedule, monkeypatch):
    for module in [m for m in sys.modules if m == missing or m.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    seen = Measurement.of(Inpainting(HOLE), torch.zeros(1, 3, 32, 48).double())
    with pytest.raises(ImportError, match=r"the extra 'classical': pip install 'vipaint-pyro\[classical\]'"):
        make_sampler(name).settle(prior(schedule, (3, 32, 48)), seen)
