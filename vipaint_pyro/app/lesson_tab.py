"""The third tab: where the right answer is known."""

from __future__ import annotations

from typing import Any

import gradio as gr
import PIL.Image

from vipaint_pyro.app.controls import QUIET
from vipaint_pyro.app.figures import as_picture, lesson_figure
from vipaint_pyro.app.jobs import sentence
from vipaint_pyro.app.lesson import GUIDES, LAST, Answer, Question, answer

__all__ = ["LessonTab"]

_WORDS = """### Where the right answer is known
A number x is either about -1.5 (three times of five) or about 1.5, and **y = x + noise** was measured.
What is x? The exact posterior is known here (grey). A guide is fitted by the same code as for pictures, and its
**q(x)** drawn over it: see when it follows both humps, when it takes one of them, and when it lies between."""


class LessonTab:
    """Made inside of a ``gr.Tab``."""

    def __init__(self, tab: gr.Tab) -> None:
        first = Question()
        gr.Markdown(_WORDS)
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                guides = [(text, name) for name, (text, _) in GUIDES.items()]
                self.guide = gr.Radio(guides, value=first.guide, label="Guide", elem_id="lesson-guide")
                self.top = gr.Slider(110, 950, first.top, step=1, label="T_e: the noisiest level of the guide")
                self.count = gr.Slider(1, 8, first.count, step=1, label=f"K: how many levels, down to T_s = {LAST}")
                self.beta = gr.Slider(0.1, 5, first.beta, step=0.1, label="beta: weight of the KL terms in the fit")
                self.y = gr.Slider(-2.5, 2.5, first.y, step=0.1, label="y: what was measured")
                self.noise = gr.Slider(0.2, 2, first.noise, step=0.1, label="noise: its standard deviation")
                self.steps = gr.Slider(20, 400, first.steps, step=10, label="Steps of the fit")
                self.again = gr.Button("Fit again, from another seed", elem_id="lesson-again")
                self.seed = gr.Number(0, visible=False)
            with gr.Column(scale=3, min_width=320):
                self.figure = gr.Image(
                    show_label=False, buttons=[], interactive=False, elem_id="lesson-figure", container=False
                )
                self.said = gr.Markdown("", elem_id="lesson-said")
        asked = [self.y, self.noise, self.top, self.count, self.beta, self.guide, self.steps, self.seed]
        show: dict[str, Any] = {
            "inputs": asked, "outputs": [self.figure, self.said], "concurrency_id": "lessons", "concurrency_limit": 1,
            "trigger_mode": "always_last", "api_visibility": "private", "show_progress": "minimal",
            "show_progress_on": [self.said],
        }  # fmt: skip
        sliders = [s.release for s in (self.top, self.count, self.beta, self.y, self.noise, self.steps)]
        gr.on([*sliders, self.guide.change, tab.select, self.seed.change], self._answer, **show)
        self.again.click(lambda seed: int(seed) + 1, self.seed, self.seed, **QUIET)

    @staticmethod
    def _answer(
        y: float, noise: float, top: float, count: float, beta: float, guide: str, steps: float, seed: float
    ) -> tuple[PIL.Image.Image, str]:
        try:
            question = Question(y, noise, int(top), int(count), beta, guide, int(steps), int(seed))
            found = answer(question)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None
        return as_picture(lesson_figure(found)), _said(found)


def _said(found: Answer) -> str:
    value, error = found.bound
    return (
        f"**{100 * found.overlap:.0f} %** of both areas overlap. log p(y) is {found.evidence:.3f} nats, and the "
        f"guide's bound on it {value:.3f} ± {error:.3f}: **{found.evidence - value:.3f} nats** are the KL divergence "
        f"from the guide's paths to the posterior's, which a better guide would take away."
    )
