"""Parts of a page: pictures as data URIs, lists of facts, commands, what is opened by a click."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Iterable, Mapping
from html import escape

import PIL.Image

__all__ = ["as_text", "code", "details", "fact_list", "figure"]


def figure(picture: PIL.Image.Image | bytes, alt: str, caption: str = "", kind: str = "") -> str:
    """A picture with a caption, the whole of it inside the page.

    Args:
        picture: a PIL image, or the bytes of a PNG file.
        alt: what those are told who cannot see it.
        caption: below it; a full stop is set after it.
        kind: classes of the image, by :data:`vipaint_pyro.pages.look.STYLE`: ``pixels`` is never made smaller,
            ``few`` is enlarged without smoothing.
    """
    if not isinstance(picture, bytes):
        file = io.BytesIO()
        picture.save(file, format="png")
        picture = file.getvalue()
    width, height = struct.unpack(">II", picture[16:24])  # where every PNG has them
    data = base64.b64encode(picture).decode("ascii")
    below = f"<figcaption>{escape(caption)}.</figcaption>" if caption else ""
    look = f' class="{kind}"' if kind else ""
    look += f' width="{width}" height="{height}"'
    return f'<figure><img{look} alt="{escape(alt)}" src="data:image/png;base64,{data}">{below}</figure>\n'


def fact_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what is known of each."""
    lines = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>\n" for k, v in pairs)
    return f"<dl>\n{lines}</dl>\n" if lines else "<p>Not known.</p>\n"


def details(head: str, inside: str) -> str:
    """What a click on its head opens; ``inside`` is HTML."""
    return f"<details><summary>{escape(head)}</summary>\n{inside}</details>\n"


def code(text: str) -> str:
    """A command, or a file, as it is."""
    return f"<pre><code>{escape(text)}</code></pre>\n"


def as_text(value: object) -> str:
    """A setting as one would write it, without the brackets of the JSON file that it stands in, too."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ([], (), {}):
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{str(k).replace('_', ' ')} {as_text(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(v, (list, tuple, Mapping)) for v in value)
        return ("; " if nested else ", ").join(map(as_text, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
