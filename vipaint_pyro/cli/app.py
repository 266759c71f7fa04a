"""``vipaint app``: a page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vipaint_pyro.cli.completion import COMPLETERS
from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.output import NameOrPath
from vipaint_pyro.cli.reporting import reporting

if TYPE_CHECKING:
    from vipaint_pyro.app.filling import Filling
    from vipaint_pyro.app.pieces import Piece
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

__all__ = ["app", "write_filling"]


@click.command()
@click.option(
    "--prior",
    "priors",
    type=NameOrPath(),
    multiple=True,
    metavar="NAME",
    help="A built-in name, a diffusers folder or a hub id; may be repeated. Default: those that are built in.",
    shell_complete=COMPLETERS["--prior"],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="127.0.0.1: this machine alone; 0.0.0.0: any.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: the first free one from 7860 on.")
@click.option("--share", is_flag=True, help="A public link, through gradio's server; needs --password.")
@click.option("--password", help="Asked of every visitor, with the name vipaint.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps ...; auto: the best.")
def app(priors: tuple[str, ...], device: str, **address: Any) -> None:
    """Serve a web page: paint a hole, watch the fit, look at completions and how sure they are.

    It is seen on this machine alone unless --host or --share says otherwise. Ctrl-C ends it.
    """
    from vipaint_pyro.app.needed import check_gradio

    with reporting():
        check_gradio()
        loading_libraries()
        from vipaint_pyro.app.house import House
        from vipaint_pyro.app.serving import Address, check_address, serve
        from vipaint_pyro.app.shelf import Shelf
        from vipaint_pyro.cli.devices import chosen_device
        from vipaint_pyro.cli.run import pipeline_of
        from vipaint_pyro.priors.pretrained.built_in import BUILT_IN

        place = Address(**address)
        check_address(place)
        where = str(chosen_device(device))
        options = {"device": where, "quiet": False, "dtype": "float32"}
        names = priors or tuple(reversed(BUILT_IN))

        def load(name: str) -> VIPaintPipeline:
            pipe = pipeline_of({**options, "prior": name})
            pipe.set_progress_bar_config(disable=True)
            return pipe

        shelf = Shelf(names, load)
        shelf[names[0]]  # a wrong name is said here, not to a visitor
        click.echo("starting the page ...", err=True)
        blocks, url = serve(House(shelf, write_filling), place, wait=False)
        click.echo(f"open {url} in a browser; Ctrl-C ends it")
        if place.share:
            click.echo(f"public, with the name vipaint and your password: {blocks.share_url}")
        try:
            blocks.block_thread()
        finally:
            blocks.close()


def write_filling(folder: Path, filling: Filling) -> None:
    """A run of the page as the command line would write it."""
    from vipaint_pyro.cli.results import write_run
    from vipaint_pyro.cli.whole import Whole

    scene = filling.scene
    if scene is None or not filling.in_squares:
        write_run(folder, False, _run(filling, filling.pieces[0]))
        return
    whole = Whole(scene.base, scene.empty(), filling.facts, filling.asked.by_share)
    for turn in filling.turns:
        square = turn.known.region
        if square is None or not turn.count:
            continue
        runs = [_run(filling, piece, {"sample": i} if turn.later else {}) for i, piece in enumerate(turn.pieces)]
        whole.add(square, runs)
    whole.unfilled = [turn.known.region for turn in filling.unfilled if turn.known.region is not None]
    whole.write(folder, False)


def _run(filling: Filling, piece: Piece, more: dict | None = None) -> Run:
    """One part of it, of which there are more facts."""
    from vipaint_pyro.cli.kept import keeper
    from vipaint_pyro.cli.kinds import said_of_kind
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.cli.run import class_name
    from vipaint_pyro.cli.seen import told

    asked, known, output = piece.asked, piece.known, piece.output
    assert output is not None  # a run is written once there are samples
    facts = {
        **filling.facts, **(more or {}), "prior": asked.prior, "variant": None, "revision": None, "label": piece.label,
        "prompt": asked.prompt or None, "negative_prompt": asked.negative_prompt or None,
        "guidance_scale": asked.guidance, "dtype": "float32", "seed": int(asked.seed), "method": asked.method,
        "effort": asked.effort, "label_name": class_name(piece.label, piece.pipe.prior),
    }  # fmt: skip
    if known.region is not None:
        facts["region"] = known.region.place()
    facts["kind"] = said_of_kind(output.kind, piece.record, piece.sampler, piece.pipe.kind, piece.measurement)
    unit = None if known.unit is None else known.unit[None]
    keep = keeper(output, piece.sampler, piece.measurement, unit, facts, piece.pipe)
    seen = known.unit, known.observed, known.measured
    return Run(*seen, output, told(piece.sampler, piece.likelihood), facts, known.truth, keep)
