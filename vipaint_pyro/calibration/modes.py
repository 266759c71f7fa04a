"""Do the samples visit every mode of a known mixture posterior, and as often as they should?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check
from vipaint_pyro.calibration.drawing import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ModesResult", "mode_total_variation"]

_NOTABLE, _SHARE = 0.01, 0.1


@dataclass(frozen=True, eq=False, repr=False)
class ModesResult(Said):
    """Exact and sampled weights of K modes, for each posterior (*).

    Attributes:
        weights: (*, K), the exact posterior's.
        frequencies: (*, K), the samples'.
        total_variation: (*) in [0, 1], half the sum of the absolute differences.
        floor: (*), what as many exact draws, each assigned to one mode, have on average.
        notable: (*), the number of modes of weight above 1 %.
        found: (*), how many of these got at least a tenth of their weight.
    """

    weights: Tensor
    frequencies: Tensor
    total_variation: Tensor
    floor: Tensor
    notable: Tensor
    found: Tensor

    @property
    def verdict(self) -> str:
        """In words; of several posteriors the sum of the modes and the mean of the distances."""
        tv, floor = self.total_variation.mean(), self.floor.mean()
        found = f"{int(self.found.sum())} of {int(self.notable.sum())} modes above 1 % found"
        return f"{found}; total variation {tv:.3f} (exact draws {floor:.3f})"

    def plot(self, ax: Axes | None = None, index: int | tuple[int, ...] = ()) -> Axes:
        """Draw the exact and the sampled weights side by side.

        Args:
            ax: matplotlib Axes; by default those of a new figure.
            index: of the posterior, where there are several.

        Returns:
            The Axes.

        Raises:
            ValueError: where the index leaves more than one posterior.
        """
        exact, sampled = self.weights[index], self.frequencies[index]
        if exact.ndim != 1:
            raise ValueError(f"choose one posterior of {tuple(self.weights.shape[:-1])} by index")
        ax = axes_or_new(ax)
        modes = torch.arange(len(exact), device="cpu")
        for shift, values, label in ((-0.2, exact, "exact"), (0.2, sampled, "samples")):
            ax.bar((modes + shift).numpy(), values.cpu().numpy(), 0.4, label=label)
        ax.set(xlabel="mode", ylabel="weight")
        ax.legend(fontsize=8)
        return ax


def expected_total_variation(weights: Tensor, num_draws: Tensor) -> Tensor:
    r"""E of half of sum_k |N_k/n - w_k| for N multinomial of n draws with probabilities w.

    Each N_k is binomial, whose mean absolute deviation is de Moivre's
    :math:`2 m \binom{n}{m} w^m (1 - w)^{n - m + 1}`, m = floor(n w) + 1.

    Args:
        weights: w, (*, K), in float64.
        num_draws: n, (*), whole numbers.
    """
    n = num_draws[..., None].double()
    m = (n * weights).floor() + 1
    log_choose = torch.lgamma(n + 1) - torch.lgamma(m + 1) - torch.lgamma(n - m + 1)
    log_power = torch.xlogy(m, weights) + torch.xlogy(n - m + 1, 1 - weights)
    deviation = 2 * m * (log_choose + log_power).exp()  # 0 where w = 1, as then m = n + 1
    return (deviation / n).sum(-1) / 2


def mode_total_variation(
    responsibilities: Tensor, weights: Tensor, sample_weights: Tensor | None = None
) -> ModesResult:
    r"""Compare the share of the samples in each mode with the exact posterior weight of the mode.

    Args:
        responsibilities: (*, S, K), p(k | x_s) of each sample x_s, exact; for assignments k_s
            ``torch.nn.functional.one_hot(k, K).double()``.
        weights: (*, K), the exact posterior's, up to a constant.
        sample_weights: (*, S), importance weights up to a constant; by default equal. The floor is
            then that of as many draws as their effective number, rounded.

    Raises:
        ValueError: for shapes that do not fit, negative or infinite values, responsibilities that do
            not sum to 1, or weights that sum to 0.
    """
    check("responsibilities", responsibilities, "(*, S, K)")
    check("weights", weights, "(*, K)")
    batch, (size, modes) = responsibilities.shape[:-2], responsibilities.shape[-2:]
    if sample_weights is None:
        sample_weights = torch.ones((*batch, size), dtype=torch.float64, device=responsibilities.device)
    check("sample_weights", sample_weights, "(*, S)")
    if weights.shape != (*batch, modes) or sample_weights.shape != (*batch, size):
        raise ValueError(
            f"responsibilities {tuple(responsibilities.shape)} are (*, S, K), weights {tuple(weights.shape)} (*, K) "
            f"and sample_weights {tuple(sample_weights.shape)} (*, S), with the same *, S and K"
        )
    given = {"responsibilities": responsibilities, "weights": weights, "sample_weights": sample_weights}
    for name, x in given.items():
        if (x < 0).any() or (x.sum(-1) == 0).any():
            raise ValueError(f"{name} are not negative, with a positive sum")
    if ((responsibilities.sum(-1) - 1).abs() > 1e-3).any():
        raise ValueError("responsibilities sum to 1 over the modes")
    shares, exact, each = (x.double() / x.double().sum(-1, keepdim=True) for x in given.values())
    frequencies = (each[..., None] * shares).sum(-2)
    notable = exact > _NOTABLE
    draws = (1 / each.square().sum(-1)).round()
    return ModesResult(
        weights=exact,
        frequencies=frequencies,
        total_variation=(frequencies - exact).abs().sum(-1) / 2,
        floor=expected_total_variation(exact, draws),
        notable=notable.sum(-1),
        found=(notable & (frequencies >= _SHARE * exact)).sum(-1),
    )
