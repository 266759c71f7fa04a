"""How a guide is made, and what it needs: what a name in a list of guides stands for. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter
from typing import TYPE_CHECKING

from vipaint_pyro.lazily import Later

if TYPE_CHECKING:
    from vipaint_pyro.guides.base import Guide

__all__ = ["Recipe"]


def _none() -> tuple[Parameter, ...]:
    return ()


@dataclass(frozen=True)
class Recipe:
    """How to make a guide, and the model that it is for.

    Args:
        name: the word for it.
        summary: what it is, in half a line.
        build: from the model, the measurements y and keyword settings to a guide.
        form: of the :class:`~vipaint_pyro.models.DiffusionModel`: ``"bridge"`` where q(z_{T_e}) is
            Gaussian (such a guide runs on the marginal form too), else ``"marginal"``.
        levels: how many timesteps it takes; None for any number.
        joint: whether it is one approximation of all images together, so that an image's draws depend on its
            neighbours; samplers refuse it for more than one image.
        point: whether it is one value once it is finished, which has no density to be weighed by.
        options: further keywords that ``build`` takes, where its signature does not name them.
    """

    name: str
    summary: str
    build: Callable[..., Guide]
    form: str = "bridge"
    levels: int | None = None
    joint: bool = False
    point: bool = False
    options: Callable[[], Iterable[Parameter]] = _none

    @property
    def maker(self) -> Callable[..., Guide]:
        """The class or function that lies behind ``build``, which may be late or have some keywords given."""
        return self.build.func if isinstance(self.build, (partial, Later)) else self.build
