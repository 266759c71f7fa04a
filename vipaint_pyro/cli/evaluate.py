"""``vipaint evaluate``: methods compared on images whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vipaint_pyro.cli.evaluate_options import evaluate_options, with_preset
from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.reporting import one_line_warnings, reporting
from vipaint_pyro.wording import counted, span

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.study.records import StudyFolder
    from vipaint_pyro.evaluation.study.study import Study

__all__ = ["evaluate"]

_SHOWN = 5


@click.command()
@evaluate_options
def evaluate(**options: Any) -> None:
    """Compare methods on images whose truth is known, under masks or other measurements.

    Every finished image, condition and method is one record in the folder --out. The same command goes on where an
    ended one was; with more images, methods or conditions it adds to what is there.
    """
    with reporting():
        options = with_preset(options)
        loading_libraries()
        plan = _plan(options)
        from vipaint_pyro.cli.devices import chosen_device
        from vipaint_pyro.evaluation.study.engines import check_engine
        from vipaint_pyro.evaluation.study.records import StudyFolder
        from vipaint_pyro.evaluation.study.study import Study
        from vipaint_pyro.evaluation.versions import versions
        from vipaint_pyro.files import check_writable

        check_engine(options["engine"], plan, options["ray_address"])
        plan = replace(plan, device=str(chosen_device(plan.device)))
        folder = StudyFolder(options["out"])
        check_writable(folder.path)
        with one_line_warnings():
            study = Study(plan)
            if options["dry_run"]:
                folder.check(plan, study.marks, versions(), study.pictures)
                _dry(study, folder, options["retry_failed"], options["workers"] or 1)
                return
            with folder.alone():
                _compute(study, folder, options)


def _compute(study: Study, folder: StudyFolder, options: dict) -> None:
    from vipaint_pyro.evaluation.study.driver import missing, run_study
    from vipaint_pyro.evaluation.study.engines import opened
    from vipaint_pyro.evaluation.study.report import check_place, write_report
    from vipaint_pyro.evaluation.versions import versions

    check_place(folder.path)
    _warn_of_unread(study)
    folder.sweep()
    for other in folder.begin(study.plan, study.marks, versions(), study.pictures):
        click.echo(f"Warning: the study was begun with another version: {other}", err=True)
    todo, tally = missing(study, folder, options["retry_failed"])
    if tally.done:
        click.echo(f"{tally.done} of {tally.items} items are there")
    try:
        if todo:
            with opened(options["engine"], study.plan, options["workers"], options["ray_address"]) as (engine, workers):
                run_study(study, folder, todo, tally, click.echo, workers, engine)
        text = write_report(folder.path)
    except (KeyboardInterrupt, SystemExit) as ended:
        done = f"{tally.done} of {tally.items} items"
        report = f"; vipaint report {folder.path} reports what is there" if tally.done else ""
        click.echo(f"ended with {done} done: the same command goes on from there{report}", err=True)
        raise SystemExit(130 if isinstance(ended, KeyboardInterrupt) else ended.code) from None
    for first in text.split("## ")[1:2]:  # of the scores; where all has failed there is none
        click.echo(f"\n{first}")
    click.echo(f"{tally.done} of {tally.items} items are done, in {folder.path}: open {folder.path / 'report.html'}")
    if tally.failed:
        failed = f"{tally.failed} of {tally.items} items"
        mend = f"mend {_listed(study.unread)}, then " if study.unread else ""
        click.echo(f"{failed} failed, as their records say: {mend}--retry-failed does them again")
        raise SystemExit(1)


def _dry(study: Study, folder: StudyFolder, retry_failed: bool, workers: int) -> None:
    from vipaint_pyro.evaluation.study.driver import missing
    from vipaint_pyro.evaluation.study.dry import cost

    _warn_of_unread(study)
    todo, tally = missing(study, folder, retry_failed)
    click.echo(f"{tally.items} items, {tally.done} of them done, {len(todo)} to do")
    if not todo:
        return
    found = cost(study, todo)
    most = "at most " if found.at_most else ""
    click.echo(f"{most}{found.forward:,} forward and {found.backward:,} backward calls of the network")
    workers = min(workers, len(todo))
    time = f"about {span(found.seconds)} of them by one worker"
    time += f" and {span(found.seconds / workers)} by {workers} that do not slow each other" if workers > 1 else ""
    click.echo(f"{time}, from {found.timed} calls that were timed; what is computed beside them is not in it")


def _warn_of_unread(study: Study) -> None:
    if study.unread:
        click.echo(f"Warning: {counted(len(study.unread), 'picture')} of {len(study.pictures)} cannot be used "
                   f"({_listed(study.unread)}): items of such a picture fail until it is mended", err=True)  # fmt: skip


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _plan(options: dict) -> Any:
    from vipaint_pyro.evaluation.study.own_data import own_data
    from vipaint_pyro.evaluation.study.plan import Plan
    from vipaint_pyro.evaluation.study.specs import split_specs

    prior = options["prior"]
    if prior is None:
        raise ValueError("no prior is given: --prior is a built-in name, a diffusers folder or a hub id")
    data = options["data"] or own_data(prior)
    if data is None:
        raise ValueError(f"no data are given: --data says what {prior} is to be judged on")
    conditions = _words(options["masks"]), _words(options["task"])
    if not any(conditions):
        raise ValueError("no condition is given: give --masks, --task, or both")
    _check_kinds(*conditions)
    kept = ("variant", "revision", "split", "resize", "first", "images", "samples", "labels", "guidance", "seed",
            "lpips", "features", "keep", "device", "dtype", "threads")  # fmt: skip
    methods, settings = split_specs(options["methods"]), _settings(options["settings"])
    named = {name: options[name] for name in kept}
    return Plan(prior, data, methods, (*conditions[0], *conditions[1]), settings=settings, **named)


def _check_kinds(masks: tuple[str, ...], tasks: tuple[str, ...]) -> None:
    from vipaint_pyro.measurements.masks import MASKS
    from vipaint_pyro.measurements.tasks import TASKS

    for option, given, known in (("--masks", masks, MASKS), ("--task", tasks, TASKS)):
        for name in given:
            if name not in known:
                raise ValueError(f"{option} has no {name!r}: it has {', '.join(known)}")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",")) if text is not None else ()


def _settings(path: Path | None) -> dict:
    if path is None:
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"--settings {path} is no JSON: {error}") from error
