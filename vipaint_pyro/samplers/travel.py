r"""Time travel: noise levels that are gone down to, up again, and down again.

Lugmayr et al. (RePaint, arXiv:2201.09865), appendix B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.settings import setting, whole

__all__ = ["TravellingSampler", "positions"]


@dataclass(frozen=True)
class TravellingSampler(ReverseSampler):
    """A walk down that now and then goes up again.

    Args:
        jump_length: how many steps are gone up at once, j; 1 ... num_steps - 1.
        jump_n_sample: how often each stretch is walked down, r; 1 is no travel.
    """

    jump_length: int = setting(10, whole(1), "Steps that are gone up at once.")
    jump_n_sample: int = setting(1, whole(1), "How often each stretch is walked down.")

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        settled = super().settle(prior, measurement)
        if self.jump_n_sample > 1 and self.jump_length >= self.num_steps:
            raise ValueError(
                f"jump_length goes up by fewer steps than num_steps = {self.num_steps}, but is {self.jump_length}: "
                "give more num_steps, or a smaller jump_length"
            )
        return settled

    def visits(self, prior: DiffusionPrior, start: int) -> list[int]:
        times = super().visits(prior, start)
        return [times[-1 - left] for left in self._positions()]

    def phases(self) -> dict[str, int]:
        return {"refinement": len(self._positions()) - 1}

    def _positions(self) -> list[int]:
        return positions(self.num_steps, self.jump_length, self.jump_n_sample)


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
