"""The title and the first sentences of a run's page: what was asked, what came of it, and whether all of it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vipaint_pyro.samplers.for_scale import FOR_SCALE
from vipaint_pyro.wording import counted

__all__ = ["lead", "networkless", "noun_of", "title"]


def networkless(facts: Mapping) -> bool:
    """Whether the method calls no network and draws nothing: its samples are one picture."""
    return facts.get("method") in FOR_SCALE


def noun_of(facts: Mapping) -> str:
    """What a sample is."""
    return "restoration" if facts.get("task") else "completion"


def title(facts: Mapping, count: int) -> str:
    """Of the page of so many samples; 0 of a fit."""
    if not count:
        return f"A guide fitted to {_whose(facts)}"
    return f"{counted(count, noun_of(facts))} of {_whose(facts)}"


def lead(facts: Mapping, count: int) -> str:
    """What stands below the title."""
    hidden, task = facts.get("hidden_fraction"), facts.get("task")
    said = [*_ended(facts, count)]
    if task:
        said.append(
            f"{_image(facts)} was {'measured, and is ' if facts.get('simulated') else ''}restored: {task['name']}."
        )
    elif isinstance(hidden, float):
        share = f"{100 * hidden:.1f}" if hidden >= 0.001 else f"{100 * hidden:.2g}"
        said.append(f"{share} % of {_whose(facts)} was hidden.")
    if networkless(facts):
        seen = "was measured" if task else "is seen"
        return " ".join([*said, f"One picture was made of what {seen}, by {facts['method']}: without a network and "
                                "without chance, so that it does not show what else may be there."])  # fmt: skip
    fit = facts.get("fit")
    if isinstance(fit, Mapping):
        said.append(f"A guide was fitted to what was seen, in {counted(fit['steps'], 'step')}.")
    if count:
        by = f" by {facts['method']}" if facts.get("method") else ""
        drawn = f"{'was' if count == 1 else 'were'} drawn{by}"
        pictures = f"{counted(count, 'picture')} that the model finds likely, given that, {drawn}"
        said.append(f"{pictures} under the prior {facts.get('prior')}.")
    asked = facts.get("prompt") or facts.get("label_name")
    if asked is None and facts.get("label") is not None:
        asked = f"class {facts['label']}"
    if asked is not None:
        said.append(f"Asked for was: {asked}.")
    return " ".join([*said, *_of_kind(facts.get("kind"))])


def _ended(facts: Mapping, count: int) -> list[str]:
    """That it was ended early, and what is not filled."""
    said, ended, unfilled = [], facts.get("ended_early"), facts.get("unfilled")
    if isinstance(ended, Mapping):
        said.append(f"This run was ended early, by {ended['by']}: {count} of {ended['samples']} samples are here.")
    if unfilled:
        of = len(unfilled) + len(facts.get("regions", ()))
        stay = "square of the hole stays" if len(unfilled) == 1 else "squares of the hole stay"
        said.append(f"{len(unfilled)} {stay} unfilled, of {of}: there the pictures are as they were given.")
    return said


def _image(facts: Mapping) -> str:
    image = str(facts.get("image", "the picture"))
    return image if " " in image else Path(image).name


def _whose(facts: Mapping) -> str:
    """The picture, or the square of it that was looked at alone."""
    return f"a square of {_image(facts)}" if facts.get("region") else _image(facts)


def _of_kind(kind: object) -> list[str]:
    """What is known of the picture's kind, and of the bound, a sentence each."""
    if not isinstance(kind, Mapping):
        return []
    known = [one for one in (kind, kind.get("bound", {})) if one.get("verdict", "unknown") != "unknown"]
    return [f"{one['text'][:1].upper()}{one['text'][1:]}." for one in known]
