"""The page: three tabs over one server."""

from __future__ import annotations

from typing import cast

import gradio as gr

from vipaint_pyro.app.fill_tab import FillTab
from vipaint_pyro.app.house import House
from vipaint_pyro.app.lesson_tab import LessonTab
from vipaint_pyro.app.restore_tab import RestoreTab

__all__ = ["CSS", "page", "theme"]

_WORDS = """# vipaint
Fill holes in pictures with draws from the posterior of a diffusion model, and **see how sure it is**: where completions
differ, the picture does not say what is there."""

CSS = """
.gradio-container {max-width: 1280px !important; margin: auto; overflow-x: clip}
.line {padding: 6px 10px; font-size: 15px; border-left: 4px solid #8b5cf6; background: var(--background-fill-secondary)}
.line.wrong {border-color: #dc2626; color: #b91c1c}
.bar {height: 8px; background: var(--border-color-primary); border-radius: 4px; overflow: hidden; margin-top: 6px}
.bar > div {height: 100%; background: #8b5cf6; transition: width .3s}
.grid-wrap img, .seen img {image-rendering: pixelated}
.grid-wrap {height: auto !important; min-height: 0 !important; max-height: none !important}
.grid-container {grid-auto-rows: auto !important}
footer {display: none !important}
@media (max-width: 640px) {.gradio-container {padding: 8px !important}}
"""


def theme() -> gr.themes.Base:
    """With the fonts of the visitor's machine: nothing is fetched from elsewhere."""
    fonts = ("system-ui", "sans-serif")
    return gr.themes.Soft(primary_hue="violet", font=fonts, font_mono=("ui-monospace", "monospace"))


def page(house: House) -> gr.Blocks:
    """The page of a server."""
    with gr.Blocks(title="vipaint", analytics_enabled=False) as blocks:
        gr.Markdown(_WORDS)
        with gr.Tab("Fill a hole", id="fill"):
            FillTab(house)
        with gr.Tab("Restore", id="restore"):
            RestoreTab(house)
        with gr.Tab("Known answers", id="lesson") as lesson:
            LessonTab(lesson)

        def leave(request: gr.Request) -> None:
            house.sessions.close(cast(str, request.session_hash))

        blocks.unload(leave)
    return blocks.queue(default_concurrency_limit=4, max_size=64)
