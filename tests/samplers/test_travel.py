"""The visits of time travel against the numbers that RePaint and CoPaint publish."""

import pytest

from vipaint_pyro.samplers.travel import positions


@pytest.mark.parametrize("steps, length, repeats, down, up", [
    (250, 10, 10, 2410, 2160), (250, 10, 5, 1210, 960), (100, 10, 10, 910, 810), (50, 10, 10, 410, 360),
    (250, 10, 2, 490, 240), (250, 10, 1, 250, 0),
])  # fmt: skip
def test_published_counts(steps, length, repeats, down, up):
    # 2,410 forward calls and 2,160 renoisings at T = 250, j = r = 10: RePaint, appendix B and its released schedule.
    visited = positions(steps, length, repeats)
    moves = [b - a for a, b in zip(visited, visited[1:])]
    assert (moves.count(-1), moves.count(1)) == (down, up)


def test_a_walk_written_out():
    # T = 6, j = 2, r = 2: stretches of two, from times 2 and 0 up again.
    assert positions(6, 2, 2) == [6, 5, 4, 3, 4, 5, 4, 3, 2, 1, 2, 3, 2, 1, 0]
    assert positions(3, 5, 4) == positions(3, 1, 1) == [3, 2, 1, 0]


def test_moves_are_single_steps():
    visited = positions(60, 7, 4)
    assert {b - a for a, b in zip(visited, visited[1:])} == {-1, 1} and visited[0] == 60 and visited[-1] == 0
