"""``vipaint priors``, ``methods`` and ``guides``: what there is, by name."""

from __future__ import annotations

from pathlib import Path

import click

from vipaint_pyro.cli.completion import COMPLETERS
from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.output import NamedPath, NameOrPath
from vipaint_pyro.cli.reporting import reporting

__all__ = ["guides", "methods", "priors"]

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")


@click.command()
@click.argument("names", nargs=-1, type=NameOrPath(), shell_complete=COMPLETERS["--prior"])
@click.option("--for", "picture", type=NamedPath(), help="Rank them, and those of --prior, by how this picture suits.")
@click.option("--mask", type=NamedPath(), help="With --for: white where the picture is to be filled.")
@click.option(
    "--prior", "more", type=NameOrPath(), multiple=True,
    help="With --for: a folder or hub id to rank too; may be repeated.",
)  # fmt: skip
@_as_json
def priors(
    names: tuple[str, ...], picture: Path | None, mask: Path | None, more: tuple[str, ...], as_json: bool
) -> None:
    """List the built-in priors, or what NAMES are, built in, folders or hub ids; with --for, which a picture suits."""
    if names and (picture is not None or mask is not None or more):
        raise click.UsageError("NAMES are described, not ranked: to rank priors beside the built-in ones give --prior")
    if names:
        with reporting():
            loading_libraries(as_json)
            from vipaint_pyro.cli.documents import priors_json
            from vipaint_pyro.cli.prior_facts import lines_of_prior

            click.echo(priors_json(names) if as_json else "\n".join(x for name in names for x in lines_of_prior(name)))
        return
    if picture is not None:
        with reporting():
            loading_libraries(as_json)
            from vipaint_pyro.cli.documents import document
            from vipaint_pyro.cli.priors_for import lines_of, ranked

            rows = ranked(picture, mask, more)
            click.echo(document("priors", rows) if as_json else "\n".join(lines_of(rows)))
        return
    if mask is not None or more:
        raise click.UsageError("--mask and --prior are for ranking priors: give the picture by --for")
    if as_json:
        from vipaint_pyro.cli.documents import priors_json

        click.echo(priors_json())
        return
    from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
    from vipaint_pyro.priors.pretrained.folder import read_labels, resolve

    click.echo("Built in:")
    for name, prior in BUILT_IN.items():
        click.echo(f"  {name:16s} {prior.line}")
        labels = read_labels(resolve(name))["class_names"]
        click.echo(f"  {'':16s} --label: {', '.join(labels)}")
    click.echo(
        "\nAlso, by folder or hub id, diffusers models with safetensors weights:\n"
        "  pixel space                    UNet2DModel (epsilon, v or sample prediction; discrete, EDM or VE noise)\n"
        "  latent, unconditional or class UNet2DModel or UNet2DConditionModel with AutoencoderKL or VQModel\n"
        "  class-conditional transformer  DiT\n"
        "  text                           Stable Diffusion, XL, 3 and 3.5, Flux (extra: text)\n"
        "Original CompVis and OpenAI checkpoints: vipaint convert. What one is, and its levels: vipaint priors NAME."
    )


@click.command()
@click.argument("names", nargs=-1, shell_complete=COMPLETERS["--method"])
@_as_json
def methods(names: tuple[str, ...], as_json: bool) -> None:
    """List the methods that --method takes, or the settings of NAMES; of a spec like dps@20 its meaning.

    A sampler of your own is NAME package.module:Class, looked for in the current folder too.
    """
    from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS, NEEDS

    if as_json:
        with reporting():
            if names:
                loading_libraries()
            from vipaint_pyro.cli.documents import methods_json

            click.echo(methods_json(names))
        return
    if not names:
        width = max(map(len, (*METHODS, *FOR_SCALE)))
        for name, known in METHODS.items():
            needs = f"; needs {', '.join(NEEDS[need] for need in known.needs)}" if known.needs else ""
            click.echo(f"  {name:{width}s} {known.summary} ({known.paper}){needs}")
        click.echo("Beside them in a comparison, for scale:")
        for name, known in FOR_SCALE.items():
            needs = f"; needs {', '.join(NEEDS[need] for need in known.needs)}" if known.needs else ""
            click.echo(f"  {name:{width}s} {known.summary}{needs}")
        click.echo("One of your own is written package.module:Class. What one needs, what it costs, and its settings: "
                   "vipaint methods NAME")  # fmt: skip
        return
    with reporting():
        loading_libraries()
        from vipaint_pyro.cli.methods import described

        for lines in [described(name) for name in names]:
            click.echo("\n".join(lines))


@click.command()
@click.argument("names", nargs=-1, shell_complete=COMPLETERS["--guide"])
@_as_json
def guides(names: tuple[str, ...], as_json: bool) -> None:
    """List the guides that --guide takes, or what NAMES need and their settings (--guide-set).

    A guide of your own is NAME package.module:Class, looked for in the current folder too.
    """
    with reporting():
        if names:
            loading_libraries()
        if as_json:
            from vipaint_pyro.cli.documents import guides_json

            click.echo(guides_json(names, loading_libraries))
            return
        from vipaint_pyro.cli.guides import described_guide, guide_lines

        lines = [line for name in names for line in described_guide(name)] if names else guide_lines(loading_libraries)
        click.echo("\n".join(lines))
