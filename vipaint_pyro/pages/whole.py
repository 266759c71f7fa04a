"""A whole page of HTML, which needs neither a server nor the net."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from vipaint_pyro.pages.look import STYLE

__all__ = ["document", "head_of"]

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def head_of(generator: str) -> str:
    """How the pages of a command begin: a file that begins otherwise is not its."""
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta name="generator" content="{generator}">\n'


def document(generator: str, title: str, lead: str, sections: Mapping[str, tuple[str, str]], script: str = "") -> str:
    """A page: its title, a line below it, links to its sections, and these.

    The browser is told to load nothing but what is in the page, and to run nothing but ``script``.

    Args:
        generator: the command that makes it.
        title, lead: plain text.
        sections: what a link leads to -> (head, HTML).
        script: of the page's own, or none.
    """
    policy = _POLICY + ("; script-src 'unsafe-inline'" if script else "")
    links = "".join(f'<a href="#{key}">{escape(head)}</a>' for key, (head, _) in sections.items())
    body = "".join(f'<section id="{k}">\n<h2>{escape(h)}</h2>\n{text}</section>\n' for k, (h, text) in sections.items())
    end = f"<script>{script}</script>\n" if script else ""
    return (
        f'{head_of(generator)}<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"<p>{escape(lead)}</p>\n<nav>{links}</nav>\n{body}{end}</body>\n</html>\n"
    )
