"""The benchmark's cells, and what others measured in them."""

from __future__ import annotations

__all__ = ["CELLS", "PUBLISHED", "SOURCE"]

CELLS = tuple((d, d_y) for d in (8, 80, 800) for d_y in (1, 2, 4))

SOURCE = "Cardoso et al., arXiv:2308.07983"
#: Sliced W1, mean and 95 % CI over 20 problems of the same distribution (not the same ones): main table and appendix.
PUBLISHED = {
    "MCGDiff": (
        (1.43, 0.55), (0.49, 0.24), (0.38, 0.25),
        (1.39, 0.45), (0.67, 0.24), (0.28, 0.14),
        (2.40, 1.00), (1.31, 0.60), (0.47, 0.19),
    ),
    "DDRM": (
        (5.88, 1.16), (5.20, 1.32), (2.51, 1.29),
        (5.64, 1.10), (7.07, 1.35), (7.81, 1.48),
        (7.44, 1.15), (8.95, 1.12), (8.39, 1.48),
    ),
    "DPS": (
        (4.86, 1.01), (5.79, 1.96), (3.48, 1.52),
        (4.98, 1.14), (5.10, 1.23), (4.28, 1.26),
        (6.49, 1.16), (6.88, 1.01), (5.51, 1.18),
    ),
    "RNVP": (
        (9.43, 0.99), (8.93, 1.29), (6.71, 1.54),
        (6.86, 0.88), (7.79, 1.50), (7.95, 1.61),
        (7.74, 1.34), (8.75, 1.02), (7.81, 1.63),
    ),
}  # fmt: skip
