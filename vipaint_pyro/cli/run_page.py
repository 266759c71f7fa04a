"""A run's page, report.html: what was asked, what came out with what each picture says, and how to go on."""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import PIL.Image

from vipaint_pyro.cli.command import the_command
from vipaint_pyro.cli.page_lead import lead, networkless, noun_of, title
from vipaint_pyro.cli.shown import Shown
from vipaint_pyro.pages import as_text, code, details, document, fact_list, figure
from vipaint_pyro.regions.near import LARGE, reduced

__all__ = ["PAGE", "run_page"]

PAGE = "report.html"
_FEW = 128  # pixels: pictures up to so many are enlarged without smoothing
#: Facts that stand elsewhere on the page, change from run to run, or are nothing but numbers.
_ELSEWHERE = ("settings", "kind", "to_the_truth", "bound_terms_nats_per_dim", "versions", "seconds", "correction",
              "label_name", "shown", "ended_early")  # fmt: skip
#: Of the prior, which a method without a network asks for nothing but the size of its pictures.
_OF_THE_PRIOR = ("prior", "variant", "revision", "automatic_prior", "label", "prompt", "negative_prompt",
                 "guidance_scale")  # fmt: skip

#: Of a run with weights, in words.
_FIGURES = {
    "log_evidence": "log p(y)", "ess": "particles that count, where they are fewest", "k_hat": "Pareto k",
    "ancestors": "draws that the samples go back to", "collapsed": "clouds that go back to one draw",
}  # fmt: skip


def run_page(
    place: Path,
    named: Path,
    facts: Mapping[str, object],
    *,
    shown: Mapping[str, Shown] | None = None,
    order: Sequence[int] = (),
    drawn_from: bool = False,
    regions: Sequence[str] = (),
    small: Mapping[str, PIL.Image.Image] | None = None,
) -> str:
    """The page of a folder whose pictures are written already.

    Args:
        place: where they are now.
        named: what the folder will be called.
        facts: of run.json.
        shown: file name -> a figure there.
        order: of the samples, those that differ most first; none of a fit.
        drawn_from: whether ``vipaint draw`` takes the folder.
        regions: the folders of parts that were filled on their own, like ``region-1`` and ``region-2/sample-00``.
        small: file name -> what is shown of a picture that is too large for a page, instead of the file.
    """
    sections = {"observed": ("What was given", _observed(place, facts, small or {}))}
    if order:
        sections["samples"] = (_head(facts, len(order)), _samples(place, facts, order, small or {}))
    for name, one in (shown or {}).items():
        if one.head:
            picture = figure((place / f"{name}.png").read_bytes(), one.alt)
            sections[name] = (one.head, f"<p>{escape(one.words)}</p>\n{picture}")
    if regions:
        links = "".join(f'<li><a href="{name}/{PAGE}">{_part(name)}</a></li>\n' for name in regions)
        text = "<p>Each part of the hole was filled on its own, in a square around it that has a page of its own.</p>\n"
        if any("/" in name for name in regions) and not networkless(facts):
            text += (
                "<p>Where a square sees what others have filled, which is not the same in any two samples, it was "
                "fitted for each sample: sample 0 there goes on from sample 0 of the others, and so on.</p>\n"
            )
        sections["regions"] = ("Region by region", f"{text}<ul>\n{links}</ul>\n")
    sections["again"] = ("Again, and more of it", _again(named, drawn_from, len(order)))
    sections["settings"] = ("Settings", _settings(facts))
    return document("vipaint", title(facts, len(order)), lead(facts, len(order)), sections)


def _part(name: str) -> str:
    """A folder of a part in words: region-1/sample-01 is region 1, sample 1."""
    region, _, sample = name.partition("/")
    words = f"region {int(region.split('-')[1])}"
    return f"{words}, sample {int(sample.split('-')[1])}" if sample else words


def _observed(place: Path, facts: Mapping, small: Mapping[str, PIL.Image.Image]) -> str:
    if facts.get("task"):
        words, alt = "What was measured of the picture.", "What was measured of the picture"
    else:
        words, alt = "Lilac is the hole: nothing of it was looked at.", "The picture, its hole in lilac"
    if facts.get("shown"):
        places = [f"{right - left}x{bottom - top} at {left}, {top}" for left, top, right, bottom in facts["shown"]]
        side = " side by side:" if len(places) > 1 else ""
        words += f" Shown is what lies around it,{side} {'; '.join(places)}. The files hold all of the picture."
    return f"<p>{words}</p>\n{_gallery(_picture(place / 'observed.png', alt, 'Observed', small), facts)}"


def _gallery(pictures: str, facts: Mapping) -> str:
    wide = " wide" if len(facts.get("shown", ())) > 1 else ""
    return f'<div class="pictures{wide}">\n{pictures}</div>\n'


def _head(facts: Mapping, count: int) -> str:
    """Of the samples: one picture has no order, and of two either may come first."""
    if count > 2:
        return "The most different first"
    return f"The {noun_of(facts)}{'s' if count > 1 else ''}"


def _words(facts: Mapping, count: int) -> str:
    """How the samples are looked at."""
    if networkless(facts):
        return f"What {facts['method']} makes of it is the same every time."
    if count == 1:
        return "It is one draw from the posterior: another one (more --samples, another --seed) may differ from it."
    if _one_ancestor(facts):
        return "All go back to one weighed draw: they are copies of it, or near, and show nothing else that may be."
    words = "Each is a draw from one and the same posterior: together they show what may be there."
    if count == 2:
        return words
    return (
        f"{words} The first two are those that differ most; each one after them is as unlike those before it as "
        "possible."
    )


def _samples(place: Path, facts: Mapping, order: Sequence[int], small: Mapping[str, PIL.Image.Image]) -> str:
    scores, pictures = facts.get("to_the_truth") or {}, ""
    for k in order:
        near = [f"{name.split('_')[0].upper()} {scores[name][k]:.3g}" for name in _scored(scores)]
        caption = f"Sample {k}" + (f": {', '.join(near)}" if near else "")
        pictures += _picture(place / f"sample-{k:02d}.png", f"Sample {k}", caption, small)
    text = f"<p>{escape(_words(facts, len(order)))}</p>\n{_gallery(pictures, facts)}{_weights(facts)}"
    note = (
        "<p>Beside it: how near to the truth (LPIPS, 0 for the same picture; PSNR in dB, the higher the nearer).</p>\n"
    )
    return text + (note if scores else "")


def _one_ancestor(facts: Mapping) -> bool:
    """Whether weights have left one draw for all samples."""
    return (facts.get("correction") or {}).get("ancestors") == [1]


def _weights(facts: Mapping) -> str:
    """What the weights of particles say, of a run that has some."""
    said = facts.get("correction") or {}
    known = {text: said[name][0] for name, text in _FIGURES.items() if said.get(name)}
    found = [f"{text} {'not known' if value is None else f'{value:.3g}'}" for text, value in known.items()]
    text = f"Weights: {'; '.join(found)}." if found else ""
    if (said.get("collapsed") or [0])[0]:
        text += " Where all particles go back to one draw, modes weighed by them are not to be relied on: take more."
    return f"<p>{escape(text)}</p>\n" if text else ""


def _scored(scores: Mapping) -> list[str]:
    """The scores of what is shown: of composites, where there are any."""
    return [n for n in scores if n.endswith("_composite")] or [*scores]


def _picture(path: Path, alt: str, caption: str, instead: Mapping[str, PIL.Image.Image]) -> str:
    """A file, made smaller where it is large: the page holds it whole."""
    if path.name not in instead:
        with PIL.Image.open(path) as picture:
            longer = max(picture.size)
            if longer <= LARGE:
                return figure(path.read_bytes(), alt, caption, "few" if longer <= _FEW else "")
            small = reduced(picture.convert("RGBA" if "A" in picture.mode else "RGB"))
    else:
        small = instead[path.name]
    file = io.BytesIO()
    small.save(file, format="png")
    return figure(file.getvalue(), alt, caption, "few" if min(small.size) <= _FEW else "")


def _again(named: Path, drawn_from: bool, count: int) -> str:
    text, command = "", the_command()
    if drawn_from:
        what = "More of them, from the same fit" if count else "Completions, drawn from this fit"
        text += f"<p>{what}:</p>\n" + code(f"vipaint draw {shlex.quote(str(named))} --samples 16")
    if command is not None:
        text += "<p>The same once more (into another --out, or with --overwrite):</p>\n" + code(command)
    files = "<code>run.json</code> says all of this to a program. "
    if count == 1:
        files += "<code>sample-00.png</code> is the picture."
    elif count:
        files += "<code>sample-00.png</code> and so on are the pictures, <code>grid.png</code> shows all of them."
    return text + f"<p>{files}</p>\n"


def _settings(facts: Mapping) -> str:
    left = (*_ELSEWHERE, *(_OF_THE_PRIOR if networkless(facts) else ()))
    said = {k: v for k, v in facts.items() if k not in left and v not in (None, {}, "")}
    text = fact_list((k.replace("_", " "), as_text(v)) for k, v in said.items())
    for head in ("settings", "versions"):
        if isinstance(facts.get(head), Mapping):
            name = "Settings of the method" if head == "settings" else "Versions"
            listed = fact_list((k, as_text(v)) for k, v in facts[head].items())
            text += details(name, listed if facts[head] else "<p>There are none.</p>\n")
    return text
