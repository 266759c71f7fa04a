"""The options of ``vipaint evaluate``, and its presets: named sets of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from vipaint_pyro.cli.completion import COMPLETERS
from vipaint_pyro.cli.output import NamedPath, NameOrPath

__all__ = ["PRESETS", "evaluate_options", "with_preset"]

#: What an option is where neither it nor a preset is given.
DEFAULTS: dict[str, object] = {
    "data": None, "split": "test", "methods": "vipaint-4,vipaint-2,dps", "masks": None, "task": None,
    "images": 20, "first": 0, "samples": 5, "labels": "true", "guidance": 1.0, "seed": 0, "lpips": "alex",
    "features": "lpips-alex", "keep": "few", "engine": "local", "threads": 1, "device": "cpu", "dtype": "float32",
}  # fmt: skip

#: Named sets of values; what is given beside one replaces its value.
PRESETS: dict[str, dict[str, object]] = {
    "quick": {
        "prior": "fashion-mnist", "methods": "vipaint-4,vipaint-2,dps,blended,red-diff", "masks": "rotated,random",
        "images": 4, "samples": 2, "workers": 2,
    },
    "paper": {
        "methods": "vipaint-4,vipaint-2,copaint-tt,copaint,repaint,dps,blended,red-diff,red-diff-v",
        "masks": "rotated,random,small", "images": 100, "samples": 10,
    },
}  # fmt: skip


def _presets() -> str:
    """What each preset holds, as one would write it."""
    said = {name: " ".join(f"--{k} {v}" for k, v in values.items()) for name, values in PRESETS.items()}
    return " ".join(f"{name}: {values}." for name, values in said.items())


def _options() -> list[Callable]:
    def option(name: str, text: str, **how: Any) -> Callable:
        default = DEFAULTS.get(name.strip("-"))
        how["shell_complete"] = COMPLETERS.get(name)
        return click.option(name, help=f"{text} Default: {default}." if default is not None else text, **how)

    whole = click.IntRange(1)
    return [
        option("--preset", f"Values of options by name; what is given besides replaces them. {_presets()}",
               type=click.Choice(list(PRESETS))),
        option("--prior", "A built-in name, a diffusers folder or a hub id. No default: it is given, or a preset's.",
               type=NameOrPath()),
        option("--variant", "Of the prior's weights, like fp16."),
        option("--revision", "Of a hub id: a branch, tag or commit."),
        option("--data", "fashion-mnist, cartoon-faces, photos (patches of photographs, 64x64 in colour), a folder (of "
                         "pictures, or of Fashion-MNIST's files) or hf:NAME. Default: the prior's own, where it is "
                         "built in.", type=NameOrPath()),
        option("--split", "Of the data."),
        click.option("--resize", is_flag=True, help="Crop and resize pictures that the prior does not take."),
        option("--methods", "By commas: NAME, NAME@CALLS, NAME:setting=value;setting=value; vipaint-K has K levels, "
               "a sampler of your own is NAME package.module:Class."),
        option("--masks", "By commas: rotated (one side of a line through the middle, turned at random, is hidden), "
                          "random (rectangles that hide 40 to 80 %), small (the same with 5 to 20 %), box (a rectangle "
                          "of half the height and width, at a random place), square-8 (8x8 pixels at a random place), "
                          "square-16 (16x16), square-24 (24x24), scratch (a thin crooked line). No default: give "
                          "--masks, --task or both."),
        option("--task", "By commas: super-resolution (reduced to a quarter of its sides), deblur (blurred by a "
                         "Gaussian), motion-deblur (blurred by a straight motion), colorization (seen in grey). No "
                         "default."),
        option("--images", "How many.", type=whole),
        option("--first", "The number of the first.", type=click.IntRange(0)),
        option("--samples", "Per image, condition and method.", type=whole),
        option("--labels", "What a sampler is told: true (the data's classes), none, or a file of prompts, one per "
                           "line, the first for image 0.", type=NameOrPath()),
        option("--guidance", "Classifier-free guidance weight.", type=float),
        option("--seed", "Of everything random.", type=click.IntRange(0, 2**63 - 1)),
        option("--lpips", "alex, vgg, or vgg:FILE of its weights.", type=NameOrPath()),
        option("--features", "That KID and FID are on: lpips-alex, faces-classifier, inception:FILE of its weights, or "
                             "none.", type=NameOrPath()),
        click.option("--settings", type=NamedPath(), help="JSON of chosen settings: {\"methods\": {name: {setting: "
                     "value}}, \"conditions\": {condition: {name: {...}}}}."),
        option("--keep", "Whose samples are kept: of the first 8 images, of all, of none.",
               type=click.Choice(["few", "all", "none"])),
        option("--engine", "What computes: processes of this machine, or Ray (extra ray), which a cluster may be of.",
               type=click.Choice(["local", "ray"])),
        option("--workers", "How many items at once. The numbers do not depend on it. Default: 1; with --engine ray "
                            "what there are CPUs for (--threads each), or GPUs.", type=whole),
        click.option("--ray-address", help="Of a Ray that runs: auto, or HOST:PORT of its head. Without it one is "
                                           "started here, and ended."),
        option("--threads", "Of torch, per worker; the numbers' last digits depend on it.", type=whole),
        option("--device", "cpu, cuda, cuda:1 ...; auto: the accelerator, where there is one."),
        option("--dtype", "Precision of the networks.", type=click.Choice(["float32", "float16", "bfloat16"])),
        click.option("--retry-failed", is_flag=True, help="Do items that failed again."),
        click.option("--dry-run", is_flag=True, help="Say what it would cost, and compute nothing."),
        click.option("--out", type=NamedPath(), default="vipaint-study", show_default=True,
                     help="Where the study is kept, and goes on."),
    ]  # fmt: skip


def evaluate_options(command: Callable) -> Callable:
    """All of the options."""
    for option in reversed(_options()):
        command = option(command)
    return command


def with_preset(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, those that are not given taken from the preset, and then from the defaults.

    Data that are not given are the prior's own where it is built in, whatever the preset says of the prior.
    """
    preset = PRESETS.get(options["preset"], {})
    found = {k: v if v is not None else preset.get(k, DEFAULTS.get(k)) for k, v in options.items()}
    if options["preset"] and options["masks"] is None and options["task"] is not None:
        found["masks"] = None  # the conditions of the preset are replaced, not added to
    return found
