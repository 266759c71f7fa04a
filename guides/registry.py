r"""Guides by name, so that a table of them is a loop over words.

Imports nothing heavy until a guide is made.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from vipaint_pyro.guides.auto_names import AUTO_GUIDES, JOINT, NO_AUTO_GUIDES
from vipaint_pyro.guides.recipes import Recipe
from vipaint_pyro.guides.settings import settings_of
from vipaint_pyro.lazily import Later
from vipaint_pyro.places import in_a_file
from vipaint_pyro.wording import counted, did_you_mean, shown

if TYPE_CHECKING:
    from torch import Tensor

    from vipaint_pyro.guides.base import Guide
    from vipaint_pyro.measurements.measurement import Measurement
    from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = ["GUIDES", "Recipe", "check_name", "make_guide", "recipe"]


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
                options=Later(f"{_GUIDES}.auto:pyro_options", name=name),
            )
            for name, summary in AUTO_GUIDES.items()
        ),
    )
}


#: Methods whose guide is one of the clean image, and of another model.
OF_THE_CLEAN_IMAGE = ("red-diff", "red-diff-v")


def recipe(name: str | type) -> Recipe:
    """The recipe of this name.

    Args:
        name: of :data:`GUIDES`, or of a guide that an installed package brings
            (:data:`~vipaint_pyro.guides.own.GROUP`); ``"package.module:Class"``, one of your own, or that class.

    Raises:
        ValueError: for a name there is none of, with those that there are, or what is no guide.
    """
    from vipaint_pyro.guides.own import entry_points_by_name, recipe_at, recipe_of, recipe_of_entry_point

    if isinstance(name, type):
        return recipe_of(name)
    if not isinstance(name, str):
        raise ValueError(
            f"a guide is asked for by its name, one of {', '.join(GUIDES)}, or by package.module:Class or such a "
            f"class, not {shown(name)}"
        )
    if name in GUIDES:
        return GUIDES[name]
    check_name(name)
    return recipe_at(name) if ":" in name else recipe_of_entry_point(entry_points_by_name()[name])


def check_name(name: str) -> None:
    """Raise ValueError for a name that no guide can have, as :func:`recipe` does; no guide is imported."""
    from vipaint_pyro.guides.own import entry_points_by_name

    first, colon, _ = name.partition(":")
    if name in OF_THE_CLEAN_IMAGE:
        raise ValueError(
            f"{name!r} is a method of its own, without levels: ask for method={name!r}, or in a Pyro script build "
            "REDDiffGuide(model, y) for a REDDiffModel"
        )
    if name in NO_AUTO_GUIDES:
        raise ValueError(f"{name} is no guide for a diffusion model: {NO_AUTO_GUIDES[name]}")
    if colon and first in GUIDES:
        raise ValueError(
            f"{name!r} is no guide: settings of {first!r} are given by guide_settings, in a row of vipaint exact "
            f"as {first}:setting=value"
        )
    known = list(dict.fromkeys((*GUIDES, *entry_points_by_name())))
    if not colon and name not in known:
        raise ValueError(
            f"no guide is called {name!r}. {in_a_file(name) or did_you_mean(name, known)}There are {', '.join(known)}; "
            "one of your own is written package.module:Class"
        )


def make_guide(name: str | type, model: DiffusionModel, y: Tensor | Measurement, **settings: Any) -> Guide:
    """A guide by name, ready to fit.

    Args:
        name: as :func:`recipe` takes it.
        model: of the form, and of as many timesteps, as ``recipe(name)`` says.
        y: measurements (N, C', H', W'), 0 where not observed.
        **settings: of the guide's constructor.

    Raises:
        ValueError: for an unknown name, a model that the guide is not for, a setting that is none of its kind, or a
            class whose constructor makes no guide.
        TypeError: for a setting that the guide does not have.
    """
    from vipaint_pyro.guides.base import Guide
    from vipaint_pyro.models.diffusion import DiffusionModel

    r = recipe(name)
    if not isinstance(model, DiffusionModel):
        raise ValueError(f"the guide {r.name!r} needs a DiffusionModel, not a {type(model).__name__}")
    if r.levels is not None and len(model.timesteps) != r.levels:
        number = counted(r.levels, "timestep")
        raise ValueError(f"the guide {r.name!r} is for {number}, but the model has {model.timesteps}")
    if r.form == "marginal" and model.bridged:
        raise ValueError(f"the guide {r.name!r} needs a model with form='marginal', but the model's is {model.form!r}")
    known = settings_of(r)
    unknown = [given for given in settings if given not in known]
    if unknown and not _takes_any(r):
        takes = f"its settings are {', '.join(known)}" if known else "it has none"
        raise TypeError(f"the guide {r.name!r} has no setting {unknown[0]!r}: {takes}")
    for given, value in settings.items():
        if given in known and not known[given].takes(value):
            raise ValueError(f"{given} of the guide {r.name!r} {known[given].expected}, but is {shown(value)}")
    guide = r.build(model, y, **settings)
    if not isinstance(guide, Guide):
        raise ValueError(f"the recipe of {r.name!r} makes no vipaint_pyro.guides.Guide, but {shown(guide)}")
    return guide


def _takes_any(r: Recipe) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in signature(r.build).parameters.values())
