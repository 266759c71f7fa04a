r"""Guides by name, so that a table of them is a loop over words.

Imports nothing heavy until a guide is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from vipaint_pyro.guides.auto_names import AUTO_GUIDES, JOINT, NO_AUTO_GUIDES
from vipaint_pyro.lazily import Later
from vipaint_pyro.wording import counted, did_you_mean, shown

if TYPE_CHECKING:
    from torch import Tensor

    from vipaint_pyro.guides.base import Guide
    from vipaint_pyro.measurements.measurement import Measurement
    from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = ["GUIDES", "Recipe", "make_guide", "recipe"]


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
    """

    name: str
    summary: str
    build: Callable[..., Guide]
    form: str = "bridge"
    levels: int | None = None
    joint: bool = False
    point: bool = False


_GUIDES = "vipaint_pyro.guides"

#: The guides by name. A guide of your own joins them by ``GUIDES["name"] = Recipe("name", ...)``.
GUIDES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe(
            "hierarchical",
            "VIPaint's: a Gaussian at T_e, the prior's step mixed below it; fitted under latent priors by default",
            Later(f"{_GUIDES}.hierarchical:HierarchicalGuide"),
        ),
        Recipe(
            "hierarchical-x0",
            "VIPaint's for SD 3.5: the prior's step, from a shifted prediction",
            Later(f"{_GUIDES}.hierarchical_x0:HierarchicalX0Guide"),
        ),
        Recipe(
            "hierarchical-guided",
            "VIPaint's, each kernel guided by y from where its z_t is; fitted under pixel priors by default",
            Later(f"{_GUIDES}.hierarchical_guided:HierarchicalGuidedGuide"),
        ),
        Recipe("gaussian", "one Gaussian at one level", Later(f"{_GUIDES}.gaussian:GaussianGuide"), levels=1),
        Recipe("mean-field", "every level an independent Gaussian", Later(f"{_GUIDES}.mean_field:MeanFieldGuide")),
        Recipe(
            "mixture",
            "several Gaussians at T_e, for several meanings",
            Later(f"{_GUIDES}.mixture:MixtureGuide"),
            "marginal",
        ),
        Recipe("flow", "a normalising flow at T_e; needs zuko", Later(f"{_GUIDES}.flow:FlowGuide"), "marginal"),
        *(
            Recipe(
                name, f"Pyro's: {summary}", Later(f"{_GUIDES}.auto:PyroAutoGuide", name=name), "marginal",
                joint=name in JOINT, point=name == "AutoDelta",
            )
            for name, summary in AUTO_GUIDES.items()
        ),
    )
}


#: Methods whose guide is one of the clean image, and of another model.
OF_THE_CLEAN_IMAGE = ("red-diff", "red-diff-v")


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        ValueError: for a name there is none of, with those that there are.
    """
    if not isinstance(name, str):
        raise ValueError(f"a guide is asked for by its name, one of {', '.join(GUIDES)}, not {shown(name)}")
    if name in GUIDES:
        return GUIDES[name]
    if name in OF_THE_CLEAN_IMAGE:
        raise ValueError(
            f"{name!r} is a method of its own, without levels: ask for method={name!r}, or in a Pyro script build "
            "REDDiffGuide(model, y) for a REDDiffModel"
        )
    if name in NO_AUTO_GUIDES:
        raise ValueError(f"{name} is no guide for a diffusion model: {NO_AUTO_GUIDES[name]}")
    raise ValueError(f"no guide is called {name!r}. {did_you_mean(name, GUIDES)}There are {', '.join(GUIDES)}")


def make_guide(name: str, model: DiffusionModel, y: Tensor | Measurement, **settings: Any) -> Guide:
    """A guide by name, ready to fit.

    Args:
        name: one of :data:`GUIDES`.
        model: of the form, and of as many timesteps, as ``recipe(name)`` says.
        y: measurements (N, C', H', W'), 0 where not observed.
        **settings: of the guide's constructor.

    Raises:
        ValueError: for an unknown name, or a model that the guide is not for.
        TypeError: for a setting that the guide does not have.
    """
    from vipaint_pyro.models.diffusion import DiffusionModel

    r = recipe(name)
    if not isinstance(model, DiffusionModel):
        raise ValueError(f"the guide {name!r} needs a DiffusionModel, not a {type(model).__name__}")
    if r.levels is not None and len(model.timesteps) != r.levels:
        number = counted(r.levels, "timestep")
        raise ValueError(f"the guide {name!r} is for {number}, but the model has {model.timesteps}")
    if r.form == "marginal" and model.bridged:
        raise ValueError(f"the guide {name!r} needs a model with form='marginal', but the model's is {model.form!r}")
    taken = signature(r.build).parameters.values()
    known = [p.name for p in taken if p.kind is p.KEYWORD_ONLY]
    unknown = [given for given in settings if given not in known]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in taken):
        takes = f"its settings are {', '.join(known)}" if known else "it has none"
        raise TypeError(f"the guide {name!r} has no setting {unknown[0]!r}: {takes}")
    return r.build(model, y, **settings)
