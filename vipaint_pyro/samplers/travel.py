r"""Time travel: noise levels that are gone down to, up again, and down again.

Lugmayr et al. (RePaint, arXiv:2201.09865), appendix B.
"""

from __future__ import annotations

__all__ = ["num_moves", "positions"]


def positions(num_steps: int, length: int, repeats: int) -> list[int]:
    """Steps left to the clean image, in the order in which they are visited: ``num_steps`` ... 0.

    Every ``length`` steps, from the bottom on, the walk goes up again by ``length`` single steps, so that each such
    stretch is walked down ``repeats`` times.

    Args:
        num_steps: of one way down.
        length: steps that are gone up at once; j of the paper.
        repeats: how often a stretch is walked down; r of the paper, 1 for no travel.
    """
    # Positions are counted as the paper does: times T-1 ... 0, -1 for the clean image.
    left = {k: repeats - 1 for k in range(0, num_steps - length, length)}
    t, visited = num_steps - 1, [num_steps - 1]
    while t >= 1:
        t -= 1
        visited.append(t)
        if left.get(t, 0) > 0:
            left[t] -= 1
            for _ in range(length):
                t += 1
                visited.append(t)
    return [k + 1 for k in [*visited, -1]]


def num_moves(num_steps: int, length: int, repeats: int) -> tuple[int, int]:
    """How many moves go down, a network call each, and how many up."""
    visited = positions(num_steps, length, repeats)
    down = sum(b < a for a, b in zip(visited, visited[1:]))
    return down, len(visited) - 1 - down
