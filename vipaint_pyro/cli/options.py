"""The options that every fitting command of the command line takes.

Those of VIPaint are made of its settings' fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields

import click

from vipaint_pyro.cli.completion import COMPLETERS
from vipaint_pyro.cli.output import NamedPath, NameOrPath
from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS
from vipaint_pyro.samplers.vipaint.effort import EFFORTS
from vipaint_pyro.samplers.vipaint.levels import DEFAULT_LEVELS, LATENT_RATIOS, RATIOS
from vipaint_pyro.samplers.vipaint.settings import Correct, Fit, Refine

__all__ = ["AFTER", "SAMPLES", "SETTINGS", "all_options", "as_options", "option_name", "options_after", "options_but"]

#: Completions that are drawn where --samples is not given, by a method of which they differ.
SAMPLES = 8
#: VIPaint's settings, in the order of the options.
SETTINGS: dict[str, Field] = {f.name: f for kind in (Fit, Refine, Correct) for f in fields(kind)}


def option_name(name: str) -> str:
    """A setting of VIPaint as it is written on the command line."""
    return SETTINGS[name].metadata["option"] or "--" + name.replace("_", "-")


def as_options(values: Mapping[str, object]) -> str:
    """Settings as one would write them; in words where there are none."""
    return " ".join(f"{option_name(name)} {value}" for name, value in values.items()) or "the defaults"


class _Times(click.ParamType):
    name = "T_e,...,T_s"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no comma-separated list of whole times, like 550,500,450,400")


def _of(f: Field, default: str = "") -> Callable:
    """The option of a setting; it is None where it is not given: then it is as ``default`` says, else its own."""
    kind, said = f.metadata["kind"], f.metadata
    name = option_name(f.name)
    own = said["stands_for"] or (str(f.default).lower() if kind.type is bool else f.default)
    text = f"{said['text']} Default: {default or own}."
    if kind.type is dict:
        return click.option(name, f.name, multiple=True, metavar="NAME=VALUE", help=text)
    if kind.type is bool:
        return click.option(f"{name}/--no-{name[2:]}", f.name, default=None, help=text)
    plain = NameOrPath() if f.name == "perceptual_weights" else kind.type
    type_ = click.Choice(kind.choices) if kind.choices else _Times() if kind.type is tuple else plain
    return click.option(name, f.name, type=type_, help=text, shell_complete=COMPLETERS.get(name))


#: What ``vipaint draw`` may change of a guide's settings: what comes after the fit.
AFTER = tuple(f.name for kind in (Refine, Correct) for f in fields(kind))


def options_after(command: Callable) -> Callable:
    """The options of the refinement and the correction; those of the fit are refused by name."""
    fitting = {option_name(name) for name in SETTINGS if name not in AFTER}
    others = {"--levels", "--T_e", "--T_s", "--effort", "--method", "--label", "--prompt", "--guidance"}
    for name in sorted(fitting | others):
        command = _refused(name, f"{name} is of the fit, which is done here: vipaint fit makes another")(command)
    for name in reversed(AFTER):
        command = _of(SETTINGS[name], "the fit's")(command)
    return command


def _renamed(old: str, now: str) -> Callable:
    """An option that is no more, whose name says what there is instead."""
    return _refused(old, f"{old} is {now}")


def _refused(option: str, text: str) -> Callable:
    """An option that is known, and refused with a reason."""

    def refuse(context, _, value):
        if value is not None:
            raise click.UsageError(text, context)

    name = f"old{option.replace('-', '_')}"
    return click.option(option, name, hidden=True, expose_value=False, callback=refuse)


def _ratio(k: int) -> str:
    """The first or the last noise-to-signal ratio of the usual number of levels."""
    pixel, latent = RATIOS[DEFAULT_LEVELS][k], LATENT_RATIOS[DEFAULT_LEVELS][k]
    return f"with {DEFAULT_LEVELS} levels {pixel:g}, of latent priors {latent:g}"


def _options(prior: str | None) -> list[Callable]:
    """All of them; prior is what is taken where none is given, in words, None where one has to be given."""
    dtypes = click.Choice(["float32", "float16", "bfloat16"])
    seeds = click.IntRange(0, 2**63 - 1)
    efforts = " ".join(f"{name}: {as_options(values)}." for name, values in EFFORTS.items())
    return [
        click.option(
            "--prior",
            type=NameOrPath(),
            required=prior is None,
            help="A built-in name, a diffusers folder or a hub id." + (f" Default: {prior}." if prior else ""),
            shell_complete=COMPLETERS["--prior"],
        ),
        click.option("--variant", help="Of the prior's weights, like fp16. Default: the plain ones."),
        click.option("--revision", help="Of a hub id: a branch, tag or commit. Default: main."),
        click.option(
            "--label",
            help="Class of the image, by number or name. Default: none.",
            shell_complete=COMPLETERS["--label"],
        ),
        click.option("--prompt", help="Of a text-conditional prior. Default: the empty text."),
        click.option("--negative-prompt", help="What guidance leads away from. Default: the empty text."),
        click.option("--out", type=NamedPath(), help="Output folder. Default: vipaint-<image>."),
        click.option("--dtype", type=dtypes, default="float32", show_default=True, help="Precision of the networks."),
        click.option(
            "--samples",
            type=click.IntRange(1),
            help=f"Completions to draw. Default: {SAMPLES}; 1 of a method without chance.",
        ),
        click.option(
            "--method",
            default="vipaint",
            show_default=True,
            help=f"How: {', '.join(METHODS)}; without a network {', '.join(FOR_SCALE)}; or package.module:Class.",
            shell_complete=COMPLETERS["--method"],
        ),
        click.option(
            "--set",
            "more",
            multiple=True,
            metavar="NAME=VALUE",
            help="A setting of the method; vipaint methods NAME lists them, with their defaults. Default: none.",
        ),
        click.option("--effort", help=f"What a sample may cost: settings of VIPaint where not given. {efforts}"),
        click.option(
            "--levels",
            type=click.IntRange(1),
            help="1, 2 or 4, where --timesteps are not given; any number with --T_e or --T_s. Default: 4.",
        ),
        click.option(
            "--T_e",
            "top",
            type=float,
            help=f"Highest level, by its noise-to-signal ratio. Default: {_ratio(0)}.",
        ),
        click.option(
            "--T_s",
            "bottom",
            type=float,
            help=f"Lowest level, likewise; others lie between, geometrically. Default: {_ratio(-1)}.",
        ),
        *map(_of, SETTINGS.values()),
        _renamed("--num-levels", "--transitions, and how many levels the guide has is --levels"),
        click.option(
            "--guidance",
            "guidance_scale",
            default=1.0,
            show_default=True,
            help="Classifier-free guidance weight.",
        ),
        click.option(
            "--device",
            default="cpu",
            show_default=True,
            help="cpu, cuda, cuda:1, mps ...; auto: the accelerator, where there is one.",
        ),
        click.option(
            "--seed",
            default=0,
            show_default=True,
            type=seeds,
            help="Where all chance comes from: the same one gives the same pictures, another one others.",
        ),
        click.option(
            "--check-kind/--no-check-kind",
            default=True,
            help="Look first whether the picture is of the prior's kind, in a few calls, and warn. Default: yes.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace an earlier run in the output folder."),
        click.option("--quiet", is_flag=True, help="No progress bars, and not what is being loaded."),
    ]


def all_options(prior: str) -> Callable[[Callable], Callable]:
    """All of the options; prior is what is taken where none is given, in words."""
    return options_but(prior=prior)


def options_but(*names: str, prior: str | None = None) -> Callable[[Callable], Callable]:
    """All of the options but these, which the command settles itself; prior as in :func:`all_options`."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(_options(prior)):
            changed = option(lambda: None)
            if changed.__click_params__[0].name not in names:
                command = option(command)
        return command

    return decorate
