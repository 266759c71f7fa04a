"""The second tab: super-resolution, deblurring, colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import gradio as gr

from vipaint_pyro.app.controls import QUIET, Controls
from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.house import House
from vipaint_pyro.app.jobs import Job, sentence
from vipaint_pyro.app.pictures import EXAMPLES, Example, Picture, enlarged, opened
from vipaint_pyro.app.pieces import Known
from vipaint_pyro.app.restoring import SIZES, restored
from vipaint_pyro.app.results import Results, line
from vipaint_pyro.app.sessions import Session
from vipaint_pyro.images import to_output
from vipaint_pyro.measurements.tasks import TASKS
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["RestoreTab"]


class RestoreTab:
    """Made inside of a ``gr.Tab``."""

    def __init__(self, house: House) -> None:
        self._house = house
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                self._picture()
            with gr.Column(min_width=320):
                gr.Markdown("### 3 · Restore it")
                self.controls = Controls(house)
                self.results = Results(house, "restore", "Restore the picture")
        self._listen()

    def _picture(self) -> None:
        gr.Markdown("### 1 · Choose a picture")
        with gr.Row():
            self.examples = [
                gr.Button(e.name, icon=str(e.path), elem_id=f"restore-example-{k}", min_width=120, size="md")
                for k, e in enumerate(EXAMPLES)
            ]
            self.upload = gr.UploadButton("Upload", file_types=["image"], min_width=120, size="md")
        gr.Markdown("### 2 · Say what has happened to it")
        tasks = [(f"{name}: {task.text}", name) for name, task in TASKS.items()]
        self.task = gr.Radio(tasks, value="super-resolution", label="It was", elem_id="task")
        self.truth = gr.Radio(
            [("whole: do this to it first, and show what comes back", True), ("so: restore what I give", False)],
            value=True, label="The picture is",
        )  # fmt: skip
        with gr.Row():
            self.scale = gr.Number(4, precision=0, minimum=1, label="Scale: times smaller", min_width=90)
            self.std = gr.Number(3.0, label="Blur, in pixels", min_width=90, visible=False)
            self.length = gr.Number(None, label="Length of the motion, pixels", min_width=90, visible=False)
            self.angle = gr.Number(45.0, label="Angle, degrees", min_width=90, visible=False)
        self.how = gr.Radio([(text, how) for how, text in SIZES.items()], value=None, visible=False,
                            label="Another size is taken here")  # fmt: skip
        self.said = gr.Markdown("")
        self.seen = gr.Image(
            show_label=False, visible=False, buttons=[], interactive=False, elem_classes="seen", height=260,
            container=False,
        )  # fmt: skip

    def _listen(self) -> None:
        results, c = self.results, self.controls
        measured: list = [self.task, self.truth, self.scale, self.std, self.length, self.angle, self.how]
        looks = [self.said, self.seen, self.how]
        look: dict[str, Any] = {"inputs": [*measured, c.prior, c.seed], "outputs": looks, **QUIET}
        for button, example in zip(self.examples, EXAMPLES):
            button.click(self._example(example), None, c.prior, **QUIET).then(self._look, **look)
        self.upload.upload(self._upload, self.upload, None, **QUIET).then(self._look, **look)
        self.task.change(self._options, self.task, [self.scale, self.std, self.length, self.angle], **QUIET)
        gr.on([v.change for v in (*measured, c.prior)], self._look, trigger_mode="always_last", **look)
        results.start(results.go, self._restore, [*measured, *c.all])
        results.start(results.more, self._more, [c.samples])
        results.keep.click(self._keep, None, results.status, **QUIET).then(self._look, **look)

    def _session(self, request: gr.Request) -> Session:
        return self._house.sessions[self.results.word(request)]

    def _example(self, example: Example) -> Callable:
        def choose(request: gr.Request) -> Any:
            self._session(request).picture = opened(example.path)
            return example.prior if example.prior in self._house.shelf.names else gr.skip()

        return choose

    def _upload(self, path: str, request: gr.Request) -> None:
        try:
            self._session(request).picture = opened(path)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None

    def _keep(self, request: gr.Request) -> Any:
        session = self._session(request)
        try:
            session.keep(session.chosen)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return line("What was restored is the picture now.")

    @staticmethod
    def _options(task: str) -> list:
        own = TASKS[task].options
        return [gr.update(visible=name in own) for name in ("scale", "std", "length", "angle")]

    def _known(
        self, session: Session, values: Sequence, prior: DiffusionPrior, seed: float | None
    ) -> tuple[Known, str, dict]:
        task, truth, scale, std, length, angle, how = values
        if session.picture is None:
            raise ValueError("There is no picture yet: choose an example, or upload one")
        options = {"scale": scale, "std": std, "length": length, "angle": angle}
        return restored(session.picture, prior, task, options, truth, how, int(seed or 0))

    def _look(self, request: gr.Request, *values: Any) -> tuple:
        *measured, name, seed = values
        session = self._session(request)
        if session.picture is None:
            return "", gr.update(visible=False), gr.skip()
        try:
            known, said, _ = self._known(session, measured, self._house.shelf[name].prior, seed)
        except Exception as error:
            choice = gr.update(visible=True) if "choose what is to be done" in str(error) else gr.skip()
            return sentence(error), gr.update(visible=False), choice
        (picture,) = to_output(known.restored()[None], "pil")
        return said, gr.update(value=enlarged(picture, 256), visible=True), gr.skip()

    def _restore(self, request: gr.Request, *values: Any) -> Iterator[dict]:
        asked = Controls.asked(values[7:])

        def prepared(session: Session) -> Callable[[Job], None]:
            pipe = self._house.shelf[asked.prior]
            known, _, facts = self._known(session, values[:7], pipe.prior, asked.seed)
            session.filling = Filling(pipe, [known], asked, {"image": cast(Picture, session.picture).name, **facts})
            return session.filling.run

        yield from self.results.follow(self.results.word(request), prepared, fresh=True)

    def _more(self, count: float, request: gr.Request) -> Iterator[dict]:
        yield from self.results.follow(self.results.word(request), lambda s: s.more(int(count)), fresh=False)
