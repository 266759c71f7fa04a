"""How long squares that are to come will take."""

import numpy as np

from vipaint_pyro.cli.left import Left
from vipaint_pyro.regions import Region, tiles_of

TALL = np.zeros((20, 60), bool)
TALL[9, 3:53] = True


def test_a_square_with_more_fits_takes_at_most_as_many_times_as_long():
    """Of nine parts every second, five, is filled first, by one fit each; the four between them by one a sample."""
    squares = tiles_of(TALL, 8)
    assert len(squares) == 9
    left = Left(squares, 3)
    assert left.at_first() == "9 regions: 5 with one fit, 4 with a fit for each of 3 samples: 17 fits"
    assert left.after(1.0) == "at most about 16 s for the 8 regions that are left, as those before went"  # 4 + 4 * 3
    assert left.after(3.0) == "at most about 30 s for the 7 regions that are left, as those before went"  # 2 (3 + 12)
    assert [left.after(2.0) for _ in range(3)][-1].startswith("at most about 24 s for the 4 ")
    assert left.after(4.0) == "about 12 s for the 3 regions that are left, as those before went"
    assert left.after(6.0) == "about 10 s for the 2 regions that are left, as those before went"
    assert left.after(5.0) == "about 5 s for the region that is left, as those before went".replace("the", "the 1", 1)
    assert left.after(5.0) is None


def test_tiles_of_one_sample_need_no_word():
    left = Left(tiles_of(TALL, 8), 1)
    assert left.at_first() is None and left.after(2.0).startswith("about 16 s for the 8 ")


def test_squares_that_stand_alone_need_no_word():
    """Two holes three pixels apart, of which each lies in the other's square."""
    hidden = np.zeros((20, 20), bool)
    hidden[8, 4] = hidden[8, 8] = True
    squares = [Region(2, 4, 8, hidden & (np.arange(20) == c)) for c in (4, 8)]
    assert squares[1].inside(*squares[0].pixels()).any()
    left = Left(squares, 3)
    assert left.at_first() is None and left.after(2.0).startswith("about 2 s for the 1 ")
