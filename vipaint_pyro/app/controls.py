"""The part of a tab that says how: prior, label or prompt, method, guide, effort, samples, seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vipaint_pyro.app.asked import MOST_SAMPLES, Asked
from vipaint_pyro.app.house import House
from vipaint_pyro.guides.registry import GUIDES
from vipaint_pyro.samplers.registry import METHODS
from vipaint_pyro.samplers.vipaint.effort import EFFORTS

__all__ = ["QUIET", "Controls"]

#: Of listeners that are no part of an interface for programs, and show no spinner.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

_DEFAULT, _NONE, _SHARE = "default", "any", "by how much of the picture a square spans"


class Controls:
    """Made inside of a ``gr.Blocks``."""

    def __init__(self, house: House) -> None:
        self._house = house
        first = house.shelf.names[0]
        self.prior = gr.Dropdown(house.shelf.names, value=first, label="Model (the prior)")
        labels = self._labels(first)
        texts = house.shelf.takes_text(first)
        self.label = gr.Dropdown(labels, value=labels[0], label="Label: what it shows", visible=len(labels) > 1)
        self.prompt = gr.Textbox(label="Prompt: what it shows, in words", visible=texts)
        self.negative = gr.Textbox(label="Negative prompt (with guidance)", visible=texts)
        with gr.Row():
            self.samples = gr.Slider(1, MOST_SAMPLES, 4, step=1, label="Samples", min_width=140)
            self.effort = gr.Radio(list(EFFORTS), value="draft", label="Effort", min_width=200)
        with gr.Accordion("Method, guide, seed and more", open=False):
            methods = [(f"{name}: {known.summary}", name) for name, known in METHODS.items()]
            self.method = gr.Dropdown(methods, value="vipaint", label="Method")
            guides = [(f"{name}: {known.summary}", name) for name, known in GUIDES.items()]
            self.guide = gr.Dropdown([("the default for this model", _DEFAULT), *guides], value=_DEFAULT, label="Guide")
            with gr.Row():
                self.seed = gr.Number(0, precision=0, minimum=0, label="Seed", min_width=100)
                self.guidance = gr.Number(1.0, label="Guidance weight", min_width=100)
            self.more = gr.Textbox(
                label="Other settings", placeholder="beta=2 refinement_steps=50",
                info="NAME=VALUE with spaces between; vipaint methods NAME lists them",
            )  # fmt: skip
        self.prior.change(self._conditions, self.prior, [self.label, self.prompt, self.negative], **QUIET)
        self.method.change(self._fits, self.method, [self.guide, self.effort], **QUIET)

    @property
    def all(self) -> list[gr.components.Component]:
        """In the order that :meth:`asked` takes their values."""
        return [
            self.prior, self.method, self.guide, self.effort, self.samples, self.seed, self.label, self.prompt,
            self.negative, self.guidance, self.more,
        ]  # fmt: skip

    @staticmethod
    def asked(values: Sequence) -> Asked:
        """What was asked for."""
        prior, method, guide, effort, samples, seed, label, prompt, negative, guidance, more = values
        fits = method == "vipaint"
        return Asked(
            prior, method, None if guide == _DEFAULT or not fits else guide, effort if fits else None, samples, seed,
            None if label in (_NONE, _SHARE) else label, label == _SHARE, prompt, negative,
            1.0 if guidance is None else guidance, more or "",
        )  # fmt: skip

    def _labels(self, prior: str) -> list[str]:
        """What may be chosen as a label, first of all what is where nothing is chosen."""
        shelf = self._house.shelf
        return [*([_SHARE] if shelf.by_share(prior) else []), _NONE, *shelf.labels(prior)]

    def _conditions(self, prior: str) -> tuple:
        labels, texts = self._labels(prior), self._house.shelf.takes_text(prior)
        return (
            gr.update(choices=labels, value=labels[0], visible=len(labels) > 1),
            gr.update(visible=texts),
            gr.update(visible=texts),
        )

    @staticmethod
    def _fits(method: str) -> tuple:
        return gr.update(visible=method == "vipaint"), gr.update(visible=method == "vipaint")
