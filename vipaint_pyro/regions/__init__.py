"""Squares of a picture that is larger than the prior: where they lie, their way to the prior's size and back."""

from vipaint_pyro.regions.canvas import expanded
from vipaint_pyro.regions.completing import completed
from vipaint_pyro.regions.keeping import keepable
from vipaint_pyro.regions.pasting import paste
from vipaint_pyro.regions.placement import Region, centred, regions_of
from vipaint_pyro.regions.resampling import enlarged, shrunk
from vipaint_pyro.regions.taking import taken

__all__ = [
    "Region", "centred", "completed", "enlarged", "expanded", "keepable", "paste", "regions_of", "shrunk",
    "taken",
]  # fmt: skip
