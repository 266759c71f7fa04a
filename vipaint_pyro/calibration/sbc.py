r"""Simulation-based calibration: the rank of the truth among posterior draws.

Talts et al. 2018, "Validating Bayesian inference algorithms with simulation-based calibration",
arXiv:1804.06788; its shapes in words after Yao et al. 2018, "Yes, but did it work?", arXiv:1802.02538.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check_problems, own_generator
from vipaint_pyro.calibration.drawing import axes_or_new, draw_ecdf, draw_histogram
from vipaint_pyro.calibration.ranks import bias_and_dispersion, random_ranks, uniform_p_value
from vipaint_pyro.wording import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SBCResult", "sbc"]

_LEVEL = 0.05
#: Of fewer problems nothing is said: "calibrated" would mean that no test could have failed.
_FEWEST = 5


@dataclass(frozen=True, eq=False, repr=False)
class SBCResult(Said):
    """Ranks of the truth for P problems and Q quantities, with three tests of each quantity.

    Attributes:
        ranks: (P, Q), integers in 0..L: how many draws lie below the truth.
        num_draws: L.
        names: Q names of the quantities.
        p_values: (Q,), Kolmogorov-Smirnov against uniform ranks.
        bias: (Q,) in (-1, 1), twice the mean rank's distance from the middle. Positive where the
            truths lie above the draws, that is where the posterior is too low.
        bias_p_values: (Q,), of no bias.
        dispersion: (Q,) in (-1, 2), the ranks' spread about the middle relative to a uniform's, less
            one and less what the bias adds. Positive (a U-shaped histogram) where the posterior is
            too narrow, negative (an arch) where it is too wide.
        dispersion_p_values: (Q,), of no excess or lack of dispersion.
    """

    ranks: Tensor
    num_draws: int
    names: tuple[str, ...]
    p_values: Tensor
    bias: Tensor
    bias_p_values: Tensor
    dispersion: Tensor
    dispersion_p_values: Tensor

    @property
    def _corrected(self) -> Tensor:
        """(3, Q) p values of KS, bias and dispersion, Bonferroni-corrected for all 3 Q tests."""
        p = torch.stack([self.p_values, self.bias_p_values, self.dispersion_p_values])
        return (p * p.numel()).clamp_max(1)

    @property
    def p_value(self) -> float:
        """Of all quantities and all three tests together, by Bonferroni."""
        return float(self._corrected.min())

    def words(self, quantity: int) -> str:
        """What is wrong with one quantity at the overall 5 % level, ``"calibrated"`` if nothing is."""
        uneven, biased, misspread = (self._corrected[:, quantity] < _LEVEL).tolist()
        said = []
        if biased:
            said.append("biased low" if self.bias[quantity] > 0 else "biased high")
        if misspread:
            said.append("too narrow" if self.dispersion[quantity] > 0 else "too wide")
        if uneven and not said:
            said.append("not uniform")
        return ", ".join(said) or "calibrated"

    @property
    def verdict(self) -> str:
        """In words: calibrated or not, the p value, and what is wrong with which quantity."""
        if len(self.ranks) < _FEWEST:
            return f"unknown (too few problems: {len(self.ranks)}, and 200 or more are advisable)"
        wrong = [(n, self.words(i)) for i, n in enumerate(self.names) if self.words(i) != "calibrated"]
        head = f"{'not calibrated' if wrong else 'calibrated'} (p = {self.p_value:.2g})"
        return head + "".join(f"; {name} {words}" for name, words in wrong)

    def plot(self, ax: Axes | None = None, kind: str = "ecdf", quantity: int = 0) -> Axes:
        """Draw the ranks.

        Args:
            ax: matplotlib Axes; by default those of a new figure.
            kind: ``"ecdf"`` for the empirical distribution functions of all quantities less the
                uniform one, with the band that holds each entirely with probability 95 %;
                ``"histogram"`` for the counts of one quantity relative to their expectation, with
                95 % of each bar's binomial.
            quantity: index of the one in the histogram.

        Returns:
            The Axes.
        """
        if kind not in ("ecdf", "histogram"):
            raise ValueError(f"kind is 'ecdf' or 'histogram', not {kind!r}")
        if kind == "histogram":
            return draw_histogram(axes_or_new(ax), self.ranks[:, quantity], self.num_draws, self.names[quantity])
        return draw_ecdf(axes_or_new(ax), self.ranks, self.num_draws, self.names)


def sbc(
    truths: Tensor, samples: Tensor, generator: torch.Generator | None = None, names: Sequence[str] | None = None
) -> SBCResult:
    r"""Simulation-based calibration of P problems by the ranks of Q test quantities.

    For each problem draw x* from the prior, y from p(y | x*), and L posterior draws given y; a test
    quantity is any function of x, or of x and y. Coordinates of x alone cannot tell the exact
    posterior from the prior: include a quantity that depends on y, such as log p(y | x). A discrete
    one, such as the index of a mixture component, is fine, as ties are broken at random.

    Args:
        truths: (P, Q), the quantities of the P true values; 200 problems or more are advisable.
        samples: (P, L, Q), those of L >= 1 draws each, independent of each other.
        generator: of ties and of the KS test's spreading; None is a new one with a fixed seed.
        names: of the quantities; by default ``"x0"``, ``"x1"`` ...

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or another number of names.
    """
    check_problems(truths, samples)
    quantities, draws = truths.shape[1], samples.shape[1]
    if names is not None and not isinstance(names, Iterable):
        raise ValueError(f"names is a list of one name per quantity, not {shown(names)}")
    names = tuple(f"x{i}" for i in range(quantities)) if names is None else tuple(names)
    if len(names) != quantities:
        raise ValueError(f"{len(names)} names for {quantities} quantities: give one each")
    generator = own_generator(generator)
    ranks = random_ranks(truths, samples, generator).cpu()
    p_values = [uniform_p_value(r, draws, generator) for r in ranks.T]
    p = torch.tensor(p_values, dtype=torch.float64, device="cpu")
    return SBCResult(ranks, draws, names, p, *bias_and_dispersion(ranks, draws))
