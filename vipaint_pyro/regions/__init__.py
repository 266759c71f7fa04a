"""Squares of a picture that is larger than the prior: where they lie, their way to the prior's size and back."""

from vipaint_pyro.regions.canvas import expanded
from vipaint_pyro.regions.completing import completed
from vipaint_pyro.regions.filled import Filled
from vipaint_pyro.regions.keeping import keepable
from vipaint_pyro.regions.pasting import paste, put
from vipaint_pyro.regions.placement import Region, centred, regions_of
from vipaint_pyro.regions.resampling import enlarged, shrunk
from vipaint_pyro.regions.square import Square
from vipaint_pyro.regions.taking import taken
from vipaint_pyro.regions.tiling import Tile, tiles_of

__all__ = [
    "Filled", "Region", "Square", "Tile", "centred", "completed", "enlarged", "expanded", "keepable", "paste", "put",
    "regions_of", "shrunk", "taken", "tiles_of",
]  # fmt: skip
