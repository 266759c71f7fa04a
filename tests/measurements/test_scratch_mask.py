"""A scratch: how wide, how long and how far from the border it is, measured on the mask itself."""

import math

import pytest
import torch
from scipy.ndimage import distance_transform_edt, label

from vipaint_pyro.measurements import scratch_mask as module
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.scratch_mask import scratch_mask


def holes(size, seeds=range(60)):
    return [~scratch_mask(size, torch.Generator().manual_seed(s))[0] for s in seeds]


def drawn_by_hand(monkeypatch, *numbers):
    """The numbers in the order of the draws: width, length, theta, phi, swing, periods, left, top."""
    left, ranges = list(numbers), []

    def number(low, high, generator):
        ranges.append((low, high))
        return left.pop(0)

    monkeypatch.setattr(module, "number_between", number)
    return ranges


def test_a_straight_one_to_the_pixel(monkeypatch):
    """Along row 20 from column 10 to 40, three pixels wide, with round ends."""
    ranges = drawn_by_hand(monkeypatch, 3.0, 30.0, 0.0, 0.0, 0.0, 1.0, 10.0, 20.0)
    found = ~scratch_mask((64, 64))[0]
    expected = torch.zeros(64, 64, dtype=torch.bool)
    expected[19:22, 9:42] = True  # the corners are sqrt(2) from the ends: within 1.5
    assert torch.equal(found, expected)
    whole_circle = (0.0, 2 * math.pi)
    assert ranges[:6] == [(2.0, 4.0), (30.0, 50.0), whole_circle, whole_circle, (0.2, 0.8), (0.5, 1.5)]
    assert ranges[6] == pytest.approx((4 + 1.5, 59 - 1.5 - 30)) and ranges[7] == pytest.approx((5.5, 59 - 1.5))


def test_its_direction_swings_as_a_sine(monkeypatch):
    """One period about the x axis ends on it again; half a period has bent it to one side."""
    drawn_by_hand(monkeypatch, 2.0, 40.0, 0.0, 0.0, 0.8, 1.0, 5.0, 20.0)
    rows, columns = torch.where(~scratch_mask((64, 64))[0])
    rise = sum(math.sin(0.8 * math.sin(2 * math.pi * (i + 0.5) / 40)) for i in range(20))
    reach = sum(math.cos(0.8 * math.sin(2 * math.pi * (i + 0.5) / 40)) for i in range(40))
    assert rows.max().item() == math.floor(20 + rise + 1) and rows.min().item() == 19  # a radius of 1
    assert columns.min().item() == 4 and columns.max().item() == math.floor(5 + reach + 1)


def test_it_is_two_to_four_pixels_wide_in_one_piece_and_crooked():
    straight = 0
    for hole in holes((64, 64)):
        inside = distance_transform_edt(hole.numpy())
        assert 1 <= inside.max() <= 2.5  # from the middle to the nearest pixel that is seen
        assert label(hole.numpy(), torch.ones(3, 3))[1] == 1
        assert 2 * 30 * 0.9 < hole.sum() < 4 * 50 * 1.1 + 4 * math.pi
        rows, columns = (v.double() for v in torch.where(hole))
        spread = torch.linalg.eigvalsh(torch.cov(torch.stack([rows, columns])))
        straight += spread[0] < 4**2 / 12 + 0.2  # no wider than a straight line across itself
    assert straight < 40


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (28, 28), (96, 40)])
def test_it_keeps_a_sixteenth_from_the_border_and_goes_with_the_shorter_side(size):
    scale, areas = min(size) / 64, []
    for hole in holes(size):
        rows, columns = torch.where(hole)
        for v, n in ((rows, size[0]), (columns, size[1])):
            assert n // 16 <= v.min() and v.max() <= n - 1 - n // 16
        areas.append(hole.sum().item())
        assert hole.any() and label(hole.numpy(), torch.ones(3, 3))[1] == 1
    # 3 by 40 with its ends on average, of 64x64; no thinner than a pixel
    width = max(3 * scale, 1)
    assert sum(areas) / len(areas) == pytest.approx(width * 40 * scale + math.pi * width**2 / 4, rel=0.25)


def test_all_directions_and_places_are_there():
    everywhere, angles = torch.zeros(64, 64), []
    for hole in holes((64, 64), range(300)):
        everywhere += hole
        rows, columns = (v.double() for v in torch.where(hole))
        axis = torch.linalg.eigh(torch.cov(torch.stack([rows, columns])))[1][:, -1]
        angles.append(math.degrees(math.atan2(axis[0], axis[1])) % 180 // 45)
    assert all(50 < angles.count(k) < 110 for k in range(4))
    assert (everywhere[4:-4, 4:-4] == 0).sum() < 500  # of 3136: the corners are seldom reached
    for quarter in (everywhere[:32, :32], everywhere[:32, 32:], everywhere[32:, :32], everywhere[32:, 32:]):
        assert quarter.mean() == pytest.approx(everywhere.mean().item(), rel=0.15)


@pytest.mark.parametrize("side", [8, 16, 24])
def test_squares_are_of_so_many_pixels_away_from_the_border(side):
    places = set()
    for seed in range(80):
        rows, columns = torch.where(~MASKS[f"square-{side}"]((64, 64), torch.Generator().manual_seed(seed))[0])
        assert len(rows) == side**2 and rows.max() - rows.min() == columns.max() - columns.min() == side - 1
        assert min(rows.min(), columns.min()) >= 4 and max(rows.max(), columns.max()) <= 59
        places |= {(rows.min().item(), columns.min().item())}
    assert len(places) > 60


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match="each at least 16, but is"):
        scratch_mask((64, 15))
    with pytest.raises(ValueError, match="a hole of 24x24 pixels does not fit into an image of 16x16"):
        MASKS["square-24"]((16, 16))
