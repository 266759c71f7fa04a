"""Mask generators. Every mask is a bool tensor with shape (1, H, W), True where observed.

The families are those of VIPaint (arXiv:2411.18929, section 5): a rotated window, random masks and small ones;
and the box that DPS (Chung et al., arXiv:2209.14687) and others are tested on; and small holes of fixed numbers of
pixels, as photographs have them. A mask depends on its size and its generator alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from vipaint_pyro.measurements.mask_drawing import checked_size, near_line, number_between, whole_between
from vipaint_pyro.measurements.scratch_mask import scratch_mask
from vipaint_pyro.randomness import drawn_on, one_generator
from vipaint_pyro.settings import checked, number, switch, whole
from vipaint_pyro.wording import shown

__all__ = ["MASKS", "box_mask", "random_mask", "rotated_window", "small_mask"]

#: Masks drawn and thrown away before :func:`random_mask` gives up.
MAX_TRIES = 10_000


def rotated_window(
    size: tuple[int, int],
    generator: torch.Generator | None = None,
    angle: float | None = None,
) -> Tensor:
    """Half of the image hidden: one side of a line through the centre at a random whole angle.

    The paper's "rotated window" (methods of VIPaint, arXiv:2411.18929, section 5): a half-plane
    turned about the centre by an angle uniform on 0 ... 359 degrees. A pixel is hidden if its
    centre lies strictly below the line, or on it and to its left.

    Args:
        size: (H, W).
        generator: of the angle; None takes the global random state.
        angle: in degrees, instead of a random one; 0 hides the lower half, 90 the left one.

    Returns:
        A bool tensor (1, H, W), True where observed.
    """
    height, width = checked_size(size)
    if angle is not None:
        checked("angle", angle, number())
    generator = one_generator(generator)
    if angle is None:
        angle = torch.randint(360, (), generator=generator, device=drawn_on(generator)).item()
    angle = math.radians(angle)
    rows = torch.arange(height, dtype=torch.float64, device="cpu")[:, None] - (height - 1) / 2
    columns = torch.arange(width, dtype=torch.float64, device="cpu")[None] - (width - 1) / 2
    across = rows * math.cos(angle) - columns * math.sin(angle)
    along = rows * math.sin(angle) + columns * math.cos(angle)
    on_line = across.abs() < 1e-9
    hidden = torch.where(on_line, along < 0, across > 0)
    return ~hidden[None]


def random_mask(
    size: tuple[int, int],
    generator: torch.Generator | None = None,
    hidden: tuple[float, float] = (0.4, 0.8),
    brush: bool = False,
) -> Tensor:
    r"""Rectangles anywhere, perhaps with brush strokes, drawn until the hidden part is of the wanted size.

    The family of co-mod-GAN (Zhao et al., arXiv:2103.10428), as VIPaint's code has it; its default range is the
    paper's "random". With :math:`k = \min(\mathrm{lo} + \mathrm{hi}, 1)`, up to 10 k - 1 rectangles with sides below
    half of the image's, then up to 5 k - 1 with sides below the image's; with the brush up to 20 k - 1 strokes. Each
    of them may reach out of the image by half of its size. The whole is flipped by two coins.

    Lengths are relative to the image. Where the code has brush widths in pixels (12 to 48), they are taken for
    images of 256 and scaled. A range with lo + hi < 0.2, which leaves the code no rectangle to draw, gets one.

    Args:
        size: (H, W), each at least 2.
        generator: of everything; None takes the global random state.
        hidden: (lo, hi), the hidden fraction lies strictly between them; 0 <= lo < hi <= 1.
        brush: whether there are strokes beside the rectangles. VIPaint's code has them switched off.

    Returns:
        A bool tensor (1, H, W), True where observed.

    Raises:
        ValueError: for a range that is none or holds no whole number of pixels, or that 10,000 draws do not meet.
    """
    height, width = checked_size(size, least=2)
    pair = isinstance(hidden, Sequence) and len(hidden) == 2 and all(number(least=0, most=1).check(v) for v in hidden)
    if not pair or not hidden[0] < hidden[1]:
        raise ValueError(f"hidden is a range (lo, hi) of fractions with 0 <= lo < hi <= 1, but is {shown(hidden)}")
    checked("brush", brush, switch())
    (lo, hi), generator = hidden, one_generator(generator)
    pixels = height * width
    if math.floor(lo * pixels + 1) >= hi * pixels:
        raise ValueError(f"of {pixels} pixels no whole number is a fraction strictly between {lo:g} and {hi:g}")
    k = min(lo + hi, 1.0) + 1e-9  # 10 (0.1 + 0.7) is 7.999...
    for _ in range(MAX_TRIES):
        hole = torch.zeros(height, width, dtype=torch.bool, device="cpu")
        for _ in range(whole_between(0, max(1, int(10 * k) - 1), generator)):
            _fill(hole, (height // 2, width // 2), generator)
        for _ in range(whole_between(0, max(0, int(5 * k) - 1), generator)):
            _fill(hole, (height, width), generator)
        if brush:
            for _ in range(whole_between(0, max(1, int(20 * k) - 1), generator)):
                hole |= _stroke((height, width), generator)
        hole = hole.flip([axis for axis in (0, 1) if whole_between(0, 1, generator)])
        if lo < hole.sum().item() / pixels < hi:
            return ~hole[None]
    raise ValueError(
        f"none of {MAX_TRIES} random masks of {height}x{width} pixels hides a fraction strictly between {lo:g} and "
        f"{hi:g}{'' if brush else ' with rectangles alone'}: widen the range"
    )


def small_mask(size: tuple[int, int], generator: torch.Generator | None = None) -> Tensor:
    """A random mask that hides between 5 % and 20 % of the image.

    The paper's "small" hides up to 20 %. Without a floor half of such masks would hide next to nothing, and
    measure nothing: 5 % is this package's.

    Args:
        size: (H, W).
        generator: as in :func:`random_mask`, whose range is (0.05, 0.2), rectangles alone.

    Returns:
        A bool tensor (1, H, W), True where observed.
    """
    return random_mask(size, generator, hidden=(0.05, 0.2))


def box_mask(
    size: tuple[int, int],
    generator: torch.Generator | None = None,
    side: int | tuple[int, int] | None = None,
    centre: tuple[int, int] | None = None,
) -> Tensor:
    """A rectangular hole, by default of half the height and half the width, at a random place.

    DPS's "box" hides 128 x 128 of 256 x 256 pixels, at least 16 from the border. Here the margin is a sixteenth
    of the image's size too, or what the box leaves of it.

    Args:
        size: (H, W).
        generator: of the place, uniform over whole pixels; None takes the global random state.
        side: of the hole, in pixels, or (height, width).
        centre: (row, column) instead of a random place: the hole begins side // 2 pixels above and to the left.

    Returns:
        A bool tensor (1, H, W), True where observed.

    Raises:
        ValueError: for a hole that does not fit into the image.
    """
    height, width = checked_size(size)
    if side is None:
        sides = (max(height // 2, 1), max(width // 2, 1))
    else:
        sides = side if isinstance(side, Sequence) and not isinstance(side, str) else (side, side)
        if len(sides) != 2 or not all(whole().check(s) for s in sides):
            raise ValueError(f"side is a whole number of pixels of at least 1, or two of them, but is {shown(side)}")
    generator = one_generator(generator)
    if not all(1 <= s <= n for s, n in zip(sides, (height, width), strict=True)):
        raise ValueError(f"a hole of {sides[0]}x{sides[1]} pixels does not fit into an image of {height}x{width}")
    if centre is None:
        margins = [min(n // 16, (n - s) // 2) for s, n in zip(sides, (height, width))]
        corner = [whole_between(m, n - s - m, generator) for s, n, m in zip(sides, (height, width), margins)]
    else:
        if not isinstance(centre, Sequence) or len(centre) != 2 or not all(whole(0).check(c) for c in centre):
            raise ValueError(f"centre is (row, column), two whole numbers, but is {shown(centre)}")
        corner = [c - s // 2 for c, s in zip(centre, sides, strict=True)]
        if not all(0 <= c <= n - s for c, s, n in zip(corner, sides, (height, width))):
            raise ValueError(f"a hole of {sides[0]}x{sides[1]} pixels about {tuple(centre)} reaches out of the image")
    observed = torch.ones(1, height, width, dtype=torch.bool, device="cpu")
    observed[:, corner[0] : corner[0] + sides[0], corner[1] : corner[1] + sides[1]] = False
    return observed


#: Name -> mask of (size, generator).
MASKS: dict[str, Callable[[tuple[int, int], torch.Generator | None], Tensor]] = {
    "rotated": rotated_window,
    "random": random_mask,
    "small": small_mask,
    "box": box_mask,
    **{f"square-{side}": partial(box_mask, side=side) for side in (8, 16, 24)},
    "scratch": scratch_mask,
}


def _fill(hole: Tensor, below: tuple[int, int], generator: torch.Generator | None) -> None:
    """Add a rectangle, its sides shorter than ``below``, to a hole (H, W), in place; clipped at the border."""
    spans = []
    for n, bound in ((hole.shape[1], below[1]), (hole.shape[0], below[0])):  # across, then down
        length = whole_between(0, bound - 1, generator)
        start = whole_between(-(length // 2), n - length + length // 2 - 1, generator)
        spans.append(slice(max(start, 0), max(start + length, 0)))
    hole[spans[1], spans[0]] = True


def _stroke(size: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """The pixels (H, W) of a brush stroke: a polyline that turns to and fro, with round corners and ends."""
    height, width = size
    reach = math.hypot(height, width) / 8
    segments = whole_between(4, 17, generator)
    low = 2 * math.pi / 5 - number_between(0, 2 * math.pi / 15, generator)
    high = 2 * math.pi / 5 + number_between(0, 2 * math.pi / 15, generator)
    corners = [(float(whole_between(0, width - 1, generator)), float(whole_between(0, height - 1, generator)))]
    for i in range(segments):
        heading = number_between(low, high, generator)
        heading = heading if i % 2 else 2 * math.pi - heading
        normal = float(torch.randn((), generator=generator, dtype=torch.float64, device=drawn_on(generator)))
        length = min(max(reach + reach / 2 * normal, 0.0), 2 * reach)
        x, y = corners[-1]
        x, y = x + length * math.cos(heading), y + length * math.sin(heading)
        corners.append((min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)))
    radius = number_between(12, 48, generator) * min(size) / 256 / 2
    return near_line(size, corners, radius)
