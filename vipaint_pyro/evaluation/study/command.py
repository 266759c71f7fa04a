"""The command line that computes a study, read off its plan."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from vipaint_pyro.measurements.masks import MASKS

__all__ = ["SETTINGS_FILE", "command_of", "has_settings"]

#: What the file of chosen settings is called in the command.
SETTINGS_FILE = "settings.json"
_LISTED = ("methods", "conditions", "settings")


def command_of(plan: Mapping[str, Any]) -> str:
    """``vipaint evaluate`` with all that a plan holds: a study that has grown is one command of it, too.

    Args:
        plan: as plan.json has it; chosen settings stand in a file named :data:`SETTINGS_FILE`.
    """
    given: dict[str, Any] = {**plan, "features": plan.get("features", "none")}  # of a study that knew no features
    options = {f"--{name}": value for name, value in given.items() if name not in _LISTED}
    options["--methods"] = ",".join(plan["methods"])
    for option, own in (("--masks", True), ("--task", False)):
        options[option] = ",".join(c for c in plan["conditions"] if (c in MASKS) == own) or None
    if has_settings(plan):
        options["--settings"] = SETTINGS_FILE
    words = ["vipaint", "evaluate"]
    for name, value in options.items():
        if value is True:
            words.append(name)
        elif value is not None and value is not False:
            words += [name, str(value)]
    return shlex.join(words)


def has_settings(plan: Mapping[str, Any]) -> bool:
    """Whether settings were chosen for any method or condition."""
    settings = plan.get("settings")
    return any(settings.values()) if isinstance(settings, dict) else settings is not None
