"""How a page looks, on a screen of any size, in the light and in the dark: all of it inside the page."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2126; --faint: #5c6570; --line: #d5dae0; --card: #f4f6f8;
  --best: #0a6b3d; --link: #0550ae }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e4e8ec; --faint: #9aa5b1; --line: #363d46; --card: #1d2228; --best: #5fd39a;
    --link: #79b8ff } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { font-size: 1.2rem; margin-top: 2.2rem } h3 { font-size: 1rem }
nav a { display: inline-block; margin-right: 1rem } a { color: var(--link) }
.wide { overflow-x: auto; --edge: rgb(128 128 128 / .55);
  background: linear-gradient(to left, var(--under, var(--paper)) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--edge), transparent) right / 1.2rem 100% no-repeat scroll }
details { --under: var(--card) }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper) }
details th:first-child, details td:first-child { background: var(--card) }
th.number { text-align: right }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: .2rem 0;
  text-align: inherit; cursor: pointer }
th button::after { content: "\\a0\\2195"; color: var(--faint) }
th[aria-sort=ascending] button::after { content: "\\a0\\2191" }
th[aria-sort=descending] button::after { content: "\\a0\\2193" }
.best { font-weight: 700; color: var(--best) } .second { text-decoration: underline }
.notes { color: var(--faint); font-size: .85rem; padding-left: 1.2rem }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .2rem 1rem }
dt { color: var(--faint) } dd { margin: 0 }
figure { margin: 1rem 0; background: #fff; color: #1d2126; padding: .5rem; border: 1px solid var(--line);
  border-radius: .3rem; overflow-x: auto }
figure img { display: block; height: auto; max-width: max(100%, 44rem) } figure img.pixels { max-width: none }
figcaption { font-size: .85rem }
details { background: var(--card); border-radius: .3rem; padding: .4rem .8rem; margin: .4rem 0 }
summary { cursor: pointer; font-weight: 600 }
code, pre { font-family: ui-monospace, monospace; font-size: .9em } pre { white-space: pre-wrap; margin: .4rem 0 }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(9rem, 40%), 1fr)); gap: .6rem }
.pictures.wide { grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)) }
.pictures figure { margin: 0; overflow: visible } .pictures img { width: 100%; max-width: none }
img.few { image-rendering: pixelated }
"""
