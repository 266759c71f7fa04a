"""Mask generators."""

import math

import pytest
import torch

from vipaint_pyro.measurements import mask_drawing, masks
from vipaint_pyro.measurements.masks import MASKS, box_mask, random_mask, rotated_window, small_mask


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def hidden(observed: torch.Tensor) -> float:
    return (~observed).double().mean().item()


def test_half_of_the_pixels_are_hidden_at_every_angle():
    for angle in range(0, 360, 7):
        assert hidden(rotated_window((28, 28), angle=angle)) == 0.5


def test_the_angle_says_which_half():
    below = rotated_window((4, 4), angle=0)[0]
    assert below[:2].all() and not below[2:].any()
    left = rotated_window((4, 4), angle=90)[0]
    assert left[:, 2:].all() and not left[:, :2].any()


def test_of_the_line_itself_one_half_is_hidden_and_the_centre_is_seen():
    flat = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]).bool()
    assert torch.equal(rotated_window((3, 5), angle=0)[0], flat)
    assert torch.equal(rotated_window((3, 5), angle=180)[0], flat.flip(0, 1))
    for angle in range(0, 360, 15):
        observed = rotated_window((5, 5), angle=angle)
        assert observed[0, 2, 2] and hidden(observed) == 12 / 25


@pytest.mark.parametrize("name", sorted(MASKS))
def test_the_generator_alone_decides(name):
    drawn = []
    for seed in (1, 1, 2):
        torch.rand(())  # the global state moves on, and is not looked at
        drawn.append(MASKS[name]((24, 32), seeded(seed)))
    assert all(m.shape == (1, 24, 32) and m.dtype == torch.bool for m in drawn)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("name", sorted(MASKS))
def test_without_a_generator_the_global_state_decides(name):
    torch.manual_seed(3)
    first = MASKS[name]((32, 32), None)
    torch.manual_seed(3)
    assert torch.equal(first, MASKS[name]((32, 32), None))


@pytest.mark.battery
@pytest.mark.parametrize("brush", [False, True])
@pytest.mark.parametrize("wanted", [(0.4, 0.8), (0.0, 0.2), (0.3, 0.7), (0.02, 0.1), (0.85, 1.0)])
def test_the_hidden_part_is_of_the_wanted_size(wanted, brush):
    found = [hidden(random_mask((32, 32), seeded(s), wanted, brush)) for s in range(60)]
    assert all(wanted[0] < v < wanted[1] for v in found)
    assert len(set(found)) > 20


def test_the_named_masks_hide_what_they_say():
    random = [hidden(MASKS["random"]((64, 64), seeded(s))) for s in range(150)]
    small = [hidden(small_mask((64, 64), seeded(s))) for s in range(150)]
    box = [hidden(MASKS["box"]((64, 64), seeded(s))) for s in range(20)]
    assert min(random) > 0.4 and max(random) < 0.8
    # The mean of the family over this range, simulated by other code: 0.57.
    assert abs(sum(random) / 150 - 0.57) < 0.03
    assert min(small) > 0.05 and max(small) < 0.2
    assert set(box) == {0.25}


def test_random_masks_have_no_preferred_side():
    """The mean hidden fraction of each quarter is that of the whole, within chance."""
    holes = torch.stack([~random_mask((16, 16), seeded(s)) for s in range(400)]).double()
    for quarter in (holes[..., :8, :8], holes[..., 8:, :8], holes[..., :8, 8:], holes[..., 8:, 8:]):
        assert abs(quarter.mean() - holes.mean()) < 0.04


class Drawn:
    """The numbers that a generator would have drawn, in the order of the draws, each with its range."""

    def __init__(self, *numbers: int) -> None:
        self.numbers, self.ranges = list(numbers), []

    def __call__(self, low: int, high: int, generator) -> int:
        self.ranges.append((low, high))
        value = self.numbers.pop(0)
        assert low <= value <= high
        return value


def test_a_mask_by_hand(monkeypatch):
    """Two small rectangles and a large one, the first reaching out of the picture, mirrored left to right."""
    draws = Drawn(
        2, 3, -1, 3, 4,  # 2 small ones; width 3 from column -1, height 3 from row 4
        2, 5, 0, 0,      # width 2 from column 5, no height: nothing
        1, 6, 1, 4, -2,  # 1 large one; width 6 from column 1, height 4 from row -2
        0, 1,            # not upside down, but mirrored
    )  # fmt: skip
    monkeypatch.setattr(masks, "whole_between", draws)
    observed = random_mask((8, 8), hidden=(0.2, 0.6))
    expected = torch.ones(8, 8, dtype=torch.bool)
    expected[4:7, 0:2] = False  # columns -1 ... 1 of 8
    expected[0:2, 1:7] = False  # rows -2 ... 1
    assert torch.equal(observed[0], expected.flip(1))
    assert not draws.numbers
    assert draws.ranges == [
        (0, 7), (0, 3), (-1, 5), (0, 3), (-1, 5),  # k = 0.8: at most 10 k - 1 = 7, sides below 4
        (0, 3), (-1, 6), (0, 3), (0, 7),
        (0, 3), (0, 7), (-3, 4), (0, 7), (-2, 5),  # at most 5 k - 1 = 3, sides below 8
        (0, 1), (0, 1),
    ]  # fmt: skip


def test_a_mask_out_of_range_is_thrown_away(monkeypatch):
    nothing, half = [0, 0, 0, 0], [0, 1, 7, 0, 6, 0, 0, 0]
    draws = Drawn(*nothing, *half)
    monkeypatch.setattr(masks, "whole_between", draws)
    observed = random_mask((8, 8))
    expected = torch.ones(8, 8, dtype=torch.bool)
    expected[:6, :7] = False
    assert torch.equal(observed[0], expected) and not draws.numbers


def test_a_fraction_at_the_end_of_the_range_is_thrown_away(monkeypatch):
    nothing, half = [0, 0, 0, 0], [0, 1, 7, 0, 4, 0, 0, 0]
    for wanted, first in (((0.0, 0.8), nothing), ((0.1, 28 / 64), half)):
        draws = Drawn(*first, *([0, 1, 7, 0, 3, 0, 0, 0]))
        monkeypatch.setattr(masks, "whole_between", draws)
        assert hidden(random_mask((8, 8), hidden=wanted)) == 21 / 64 and not draws.numbers


def test_of_a_rectangle_the_width_is_drawn_first(monkeypatch):
    draws = Drawn(0, 1, 7, 0, 2, 1, 0, 0)  # one of 7 columns from 0, of 2 rows from 1, in 4 rows of 10 columns
    monkeypatch.setattr(masks, "whole_between", draws)
    expected = torch.ones(4, 10, dtype=torch.bool)
    expected[1:3, :7] = False
    assert torch.equal(random_mask((4, 10), hidden=(0.2, 0.6))[0], expected)
    assert draws.ranges[2:6] == [(0, 9), (-3, 5), (0, 3), (-1, 2)]


def test_a_stroke_is_what_lies_near_the_line():
    near = mask_drawing.near_line((5, 7), [(1.0, 1.0), (4.0, 1.0)], 1.0)
    expected = torch.zeros(5, 7, dtype=torch.bool)
    expected[1, 0:6] = True  # one pixel beyond either end
    expected[[0, 2], 1:5] = True
    assert torch.equal(near, expected)
    # A slanted line: 3-4-5, so that (0, 5) and (3, 1) ... lie at whole distances from it.
    slanted = mask_drawing.near_line((6, 6), [(0.0, 0.0), (3.0, 4.0)], 1.0)
    for row in range(6):
        for column in range(6):
            along = min(max((3 * column + 4 * row) / 25, 0), 1)
            away = math.hypot(column - 3 * along, row - 4 * along)
            assert slanted[row, column] == (away <= 1 + 1e-12)
    # A point is a disc.
    assert mask_drawing.near_line((3, 3), [(1.0, 1.0), (1.0, 1.0)], 1.0).sum() == 5


def test_strokes_scale_with_the_image(monkeypatch):
    """Radius between 6 and 24 pixels of 256, corners within the image, 4 to 17 segments."""
    seen = []
    monkeypatch.setattr(masks, "near_line", lambda *given: seen.append(given))
    for seed in range(100):
        masks._stroke((64, 32), seeded(seed))
    for size, corners, radius in seen:
        assert size == (64, 32) and 6 / 8 <= radius <= 24 / 8 and 5 <= len(corners) <= 18
        assert all(0 <= x <= 31 and 0 <= y <= 63 for x, y in corners)
    assert {len(corners) for _, corners, _ in seen} == set(range(5, 19))


def test_a_box_to_the_pixel():
    observed = box_mask((6, 8), side=(2, 3), centre=(3, 4))
    expected = torch.ones(1, 6, 8, dtype=torch.bool)
    expected[:, 2:4, 3:6] = False
    assert torch.equal(observed, expected)
    assert not box_mask((4, 4), side=4).any()


def test_a_large_box_keeps_what_distance_it_can():
    for seed in range(20):
        rows, columns = torch.where(~box_mask((32, 48), seeded(seed), (30, 47))[0])
        assert (rows.min(), rows.max()) == (1, 30) and columns.min() in (0, 1)
        assert not box_mask((32, 32), seeded(seed), 32).any()


def test_a_box_at_random_keeps_its_distance():
    """A quarter of 32 pixels hidden, 2 pixels of border at least, every place equally likely."""
    corners = []
    for seed in range(300):
        rows, columns = torch.where(~box_mask((32, 32), seeded(seed), 16)[0])
        corners += [rows.min().item(), columns.min().item()]
        assert len(rows) == 256 and rows.max() - rows.min() == 15 and columns.max() - columns.min() == 15
    assert set(corners) == set(range(2, 15))


def test_errors():
    for wanted in [(0.5, 0.5), (0.6, 0.4), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)]:
        with pytest.raises(ValueError, match="0 <= lo < hi <= 1"):
            random_mask((16, 16), seeded(0), wanted)
    with pytest.raises(ValueError, match="of 16 pixels no whole number"):
        random_mask((4, 4), seeded(0), (0.5, 0.55))
    with pytest.raises(ValueError, match="at least 2, but is"):
        random_mask((1, 16), seeded(0))
    with pytest.raises(ValueError, match=r"20x2 pixels does not fit .* of 16x16"):
        box_mask((16, 16), side=(20, 2))
    with pytest.raises(ValueError, match="reaches out"):
        box_mask((16, 16), side=8, centre=(2, 8))


def test_a_range_that_is_never_met_ends(monkeypatch):
    monkeypatch.setattr(masks, "MAX_TRIES", 20)
    with pytest.raises(ValueError, match="none of 20 random masks of 32x32 .* rectangles alone: widen"):
        random_mask((32, 32), seeded(0), (0.998, 1.0))
