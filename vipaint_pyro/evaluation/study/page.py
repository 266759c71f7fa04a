"""A study's page: one file of HTML that holds its pictures, and needs neither a server nor the net."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

import PIL.Image

from vipaint_pyro.evaluation.study.command import SETTINGS_FILE, command_of, has_settings
from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.grids import Cell, Grid, one_line
from vipaint_pyro.evaluation.study.identity import name_in, titled
from vipaint_pyro.evaluation.study.layouts import costs_grid, done, long_grid, paired_grid, quality_grids
from vipaint_pyro.evaluation.study.notes import settings_of
from vipaint_pyro.evaluation.study.page_look import SCRIPT
from vipaint_pyro.evaluation.study.stacks import sheet_caption
from vipaint_pyro.pages import as_text, code, details, document, fact_list, figure, head_of

__all__ = ["HEAD", "page"]

_COMMAND = "vipaint report"
#: How the page begins: a file that begins otherwise is not ours.
HEAD = head_of(_COMMAND)


def page(
    found: Found, metrics: Sequence[str], chart: PIL.Image.Image | None, sheets: Mapping[str, PIL.Image.Image]
) -> str:
    """The whole page.

    Args:
        found: the study.
        metrics: whose tables are shown.
        chart: quality against calls; None where nothing is scored.
        sheets: condition -> the figure of its samples.
    """
    sections = {
        "quality": ("Quality", _tables(quality_grids(found, metrics))),
        "paired": ("Compared with the best baseline", _tables([paired_grid(found, m) for m in metrics])),
        "calls": ("Quality against calls", _chart(chart)),
        "samples": ("Samples", _sheets(sheets)),
        "costs": ("Costs", _table(replace(costs_grid(found), title=""))),
        "failures": ("Failures", _failures(found)),
        "long": ("All means", _tables([long_grid(found, m) for m in metrics])),
        "run": ("What was run", _facts(found)),
        "settings": ("Settings of the methods", _settings(found)),
    }
    return document(_COMMAND, _title(found), f"{done(found)}.", sections, SCRIPT)


def _title(found: Found) -> str:
    plan = found.plan
    return one_line(f"vipaint evaluate: {plan.get('prior', 'a prior')} on {plan.get('data', 'images')}")


def _facts(found: Found) -> str:
    plan = {k: v for k, v in found.plan.items() if k not in ("methods", "conditions", "settings")}
    facts = {"conditions": ", ".join(found.conditions), "methods": ", ".join(found.methods), **plan}
    facts |= {"weights": found.common("weights"), "LPIPS network": found.common("lpips_net")}
    facts["features"] = found.common("features")
    facts |= {f"of {c}": said for c in found.conditions if (said := settings_of(found, c))}
    text = fact_list((k, as_text(v)) for k, v in facts.items() if v is not None)
    text += "<h3>Versions</h3>\n" + fact_list((k, ", ".join(v)) for k, v in _versions(found).items())
    text += f"<h3>Command</h3>\n{code(command_of(found.plan) + ' --out FOLDER')}"
    text += "<p>FOLDER is the study's own, to go on with it, or a new one.</p>\n"
    if has_settings(found.plan):
        chosen = json.dumps(found.plan["settings"], indent=1, ensure_ascii=False)
        text += details(one_line(f"Chosen settings: {SETTINGS_FILE}"), code(chosen))
    return text + "<p>This page is made of the records alone, by <code>vipaint report</code>.</p>\n"


def _versions(found: Found) -> dict[str, list[str]]:
    """Library -> all versions that any record names, or else the plan."""
    result: dict[str, set[str]] = {}
    for said in [r.said.get("versions") for r in found.records] or [found.said.get("versions")]:
        for name, version in (said or {}).items():
            result.setdefault(str(name), set()).add(as_text(version))
    return {name: sorted(versions) for name, versions in result.items()}


def _chart(chart: PIL.Image.Image | None) -> str:
    if chart is None:
        return "<p>Nothing has been scored yet.</p>\n"
    caption = (
        "Means over the images in common, ± standard error; hollow: over a method's own images. Calls of the network "
        "are counted forward and backward, with a sample's share of a fit. NAME@CALLS of one NAME, "
        "CALLS of them forward, are joined. Where marks would hide each other the larger lies behind the smaller"
    )
    return figure(chart, "Quality against calls per sample, forward and backward, a panel per condition", caption)


def _sheets(sheets: Mapping[str, PIL.Image.Image]) -> str:
    text = ""
    for condition, sheet in sheets.items():
        alt = f"Samples under {condition}: rows are truth, what was observed, and methods; columns are images"
        text += f"<h3>{escape(condition)}</h3>\n{figure(sheet, alt, sheet_caption(condition), 'pixels')}"
    return text or "<p>No samples were kept.</p>\n"


def _failures(found: Found) -> str:
    failed = [r for r in found.records if r.failed]
    if not failed:
        return "<p>None.</p>\n"
    rows = []
    for r in failed:
        error = r.said["error"]
        said = Cell(f"{error.get('type', 'Error')}: {error.get('message', '')}")
        image = titled(r.image, name_in(r.said)).removeprefix("image ")
        rows.append((Cell(r.condition), Cell(r.method), Cell(image, r.image), said))
    return _table(Grid("", ("condition", "method", "image", "error"), tuple(rows)))


def _settings(found: Found) -> str:
    """Per method, each setting once, with where it holds where that is not everywhere."""
    text = ""
    for method in found.methods:
        ways: dict[str, list[str]] = {}
        for r in found.records:
            if r.method == method and isinstance(r.said.get("settings"), dict):
                ways.setdefault(json.dumps(_of_method(r.said["settings"]), sort_keys=True), []).append(r.condition)
        inside = ""
        for way, conditions in ways.items():
            where = ", ".join(dict.fromkeys(conditions))
            inside += f"<h3>{escape(where)}</h3>\n{fact_list((k, as_text(v)) for k, v in json.loads(way).items())}"
        text += details(one_line(method), inside or "<p>Not known: nothing of it is finished.</p>")
    return text


def _of_method(settings: dict) -> dict:
    """What does not differ from image to image, the sampler's fields flat."""
    rest = {k: v for k, v in settings.items() if k not in ("sampler", "label", "prompt")}
    sampler = settings.get("sampler")
    return {**(sampler if isinstance(sampler, dict) else {"sampler": sampler}), **rest}


def _table(grid: Grid) -> str:
    numeric = [any(row[k].value is not None for row in grid.rows) for k in range(len(grid.head))]
    looks = [' class="number"' if n else "" for n in numeric]
    head = "".join(
        f'<th scope="col"{look}><button type="button">{escape(h)}</button></th>' for h, look in zip(grid.head, looks)
    )
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in grid.rows)
    title = f"<h3>{escape(grid.title)}</h3>\n" if grid.title else ""
    notes = "".join(f"<li>{escape(note)}.</li>" for note in grid.notes)
    table = f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    return title + table + (f'<ul class="notes">{notes}</ul>\n' if notes else "")


def _tables(grids: Sequence[Grid]) -> str:
    """The first open, the others to be opened."""
    if not grids:
        return "<p>Nothing has been scored yet.</p>\n"
    rest = [details(one_line(grid.title), _table(replace(grid, title=""))) for grid in grids[1:]]
    return "".join([_table(grids[0]), *rest])


def _cell(cell: Cell) -> str:
    text = f'<span class="{cell.mark}">{escape(cell.text)}</span>' if cell.mark else escape(cell.text)
    value = repr(cell.value).replace("inf", "Infinity")  # as JavaScript has it
    return f"<td>{text}</td>" if cell.value is None else f'<td class="number" data-v="{value}">{text}</td>'
