"""What the lists print with --json: one document each, for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields

from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS, Method

__all__ = ["document", "guides_json", "methods_json", "priors_json"]


def priors_json(names: Sequence[str] = ()) -> str:
    """``{"priors": [{"name", "summary", "labels"}]}``, of those that are built in; labels are the names by number.

    Args:
        names: of priors, which are loaded; each has besides ``"image_shape"`` and ``"latent_shape"`` (C, H, W),
            ``"latent"``, ``"classes"`` (or null), ``"unlabelled"`` (whether it does without a label), ``"text"``,
            ``"network"``, ``"predicts"``, ``"parameters"``, ``"precision"``, ``"times"``, ``"noise_levels"`` (sigma /
            alpha at the first and the last time, null where nothing is left of the image), ``"timesteps"`` (VIPaint's,
            by the number of levels), ``"kind_known"`` and ``"weights"``, their fingerprint. None: all that are built
            in, without these.

    Raises:
        ValueError, OSError: for a name that no prior can be loaded by; says why.
    """
    if names:
        from vipaint_pyro.cli.prior_facts import facts_of_prior

        return document("priors", [facts_of_prior(name) for name in names])
    from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
    from vipaint_pyro.priors.pretrained.folder import read_labels, resolve

    return document("priors", [
        {"name": name, "summary": prior.line, "labels": list(read_labels(resolve(name))["class_names"])}
        for name, prior in BUILT_IN.items()
    ])  # fmt: skip


def guides_json(names: Sequence[str] = (), loading: Callable[[], None] = lambda: None) -> str:
    """``{"guides": [{"name", "summary", "form", "levels", "joint", "point"}]}``, of the fields of a recipe.

    One that another package brings, and that cannot be had, is ``{"name", "error"}``.

    Args:
        names: of guides; each has besides ``"asked"`` and ``"settings"`` (``"name"``, ``"default"``, ``"needed"``,
            ``"text"``). None: all guides, without these.
        loading: called before anything heavy is imported.

    Raises:
        ValueError: for a name that there is no guide of.
    """
    from vipaint_pyro.cli.guides import facts_of_guide, guides_there_are, own_facts

    if names:
        return document("guides", [facts_of_guide(name) for name in names])
    there = guides_there_are(loading)
    return document("guides", [own_facts(r) if r else {"name": name, "error": why} for name, r, why in there])


def methods_json(texts: Sequence[str] = ()) -> str:
    """``{"methods": [{"name", "summary", "paper", "needs", "cost", "for_scale"}]}``.

    Args:
        texts: names or specs of a study; each has besides what it says (``"asked"``, ``"levels"``, ``"calls"``,
            ``"given"``) and what may be set (``"settings"``: ``"name"``, ``"default"``, ``"text"``). None: all methods,
            without these.

    Raises:
        ValueError: for an unknown method, or a spec that cannot be.
    """
    if not texts:
        return document("methods", [_method(known) for known in (*METHODS.values(), *FOR_SCALE.values())])
    from vipaint_pyro.cli.methods import spec_of
    from vipaint_pyro.samplers.written import written_name

    found = []
    for text in texts:
        spec = spec_of(text)
        kept = [f for f in fields(spec.method.kind) if f.name in spec.method.open()]
        settings = [
            {"name": written_name(f.name), "default": f.default, "text": f.metadata.get("text", "")} for f in kept
        ]
        said = {"asked": text, "levels": spec.levels, "calls": spec.calls, "given": dict(spec.settings)}
        found.append({**_method(spec.method), **said, "settings": settings})
    return document("methods", found)


def _method(known: Method) -> dict[str, object]:
    kept = {key: vars(known)[key] for key in ("name", "summary", "paper", "cost")}
    return {**kept, "needs": list(known.needs), "for_scale": known.name in FOR_SCALE}


def document(name: str, entries: list) -> str:
    """Entries as one JSON document under a name."""
    return json.dumps({name: entries}, indent=2, allow_nan=False, ensure_ascii=False)
