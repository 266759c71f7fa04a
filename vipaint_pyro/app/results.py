"""The part of a tab that shows a run: while it goes on, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from vipaint_pyro.app.controls import QUIET
from vipaint_pyro.app.figures import FIGURES, WHOLE, course_picture, order, report, running_bound
from vipaint_pyro.app.house import House
from vipaint_pyro.app.jobs import Job, View, sentence
from vipaint_pyro.app.pictures import enlarged
from vipaint_pyro.app.sessions import Session

__all__ = ["Results", "line"]

#: Figures of a fit that goes on are drawn again after so many seconds at least.
_REDRAW = 1.5


class Results:
    """Made inside of a ``gr.Blocks``.

    Args:
        house: the server.
        name: of the tab, for the ids of its parts.
        verb: what the button says.
    """

    def __init__(self, house: House, name: str, verb: str) -> None:
        self._house, self._name = house, name
        with gr.Row():
            self.go = gr.Button(verb, variant="primary", elem_id=f"{name}-go", scale=3, min_width=160)
            self.cancel = gr.Button(
                "Cancel", variant="stop", interactive=False, elem_id=f"{name}-cancel", min_width=100
            )
        self.status = gr.HTML(line("Ready."), elem_id=f"{name}-status")
        self.gallery = gr.Gallery(
            show_label=False, columns=4, object_fit="contain", allow_preview=False, visible=False,
            elem_id=f"{name}-gallery", buttons=[], interactive=False,
        )  # fmt: skip
        with gr.Row(visible=False) as self.after:
            self.more = gr.Button("More samples", elem_id=f"{name}-more", min_width=110, size="md")
            self.keep = gr.Button("Go on from one", elem_id=f"{name}-keep", min_width=110, size="md")
            self.pack = gr.Button("Download all", elem_id=f"{name}-pack", min_width=110, size="md")
        self.file = gr.File(label="Everything", visible=False, elem_id=f"{name}-file", interactive=False)
        with gr.Accordion("Watch the fit", open=True, visible=False) as self.watch:
            gr.Markdown("What the guide expects, E[x | z], at some steps of the fit; two draws:")
            self.course = _picture()
            gr.Markdown("Minus the bound, which the fit makes small:")
            self.bound = _picture()
        self.pictures: dict[str, gr.Image] = {}
        with gr.Tabs(visible=False, elem_id=f"{name}-figures") as self.figures:
            for word, text in FIGURES.items():
                with gr.Tab(word, visible=word != WHOLE) as tab:
                    gr.Markdown(text)
                    self.pictures[word] = _picture()
        self.whole = tab
        self.gallery.select(self._choose, None, self.status, **QUIET)
        self.cancel.click(self._cancel, None, None, queue=False, **QUIET)
        self.pack.click(self._pack, None, self.file, api_visibility="private", show_progress_on=[self.file])

    @property
    def live(self) -> list[gr.components.Component]:
        """What a run changes."""
        return [
            self.go, self.cancel, self.status, self.gallery, self.after, self.more, self.keep, self.file,
            self.watch, self.course, self.bound, self.figures, self.whole, *self.pictures.values(),
        ]  # fmt: skip

    def word(self, request: gr.Request) -> str:
        """What the visitor is known by on this tab: what is done on another one stays apart."""
        return f"{request.session_hash}/{self._name}"

    def start(self, button: gr.Button, run: Callable, inputs: list) -> None:
        """Have a button line up for a turn, and then run: a generator of updates, as :meth:`follow` gives them."""
        button.click(self._line_up, None, [self.go, self.cancel, self.status], queue=False, **QUIET).then(
            run, inputs, self.live, concurrency_id="runs", concurrency_limit=1, api_visibility="private",
            show_progress="minimal", show_progress_on=[self.status],
        )  # fmt: skip

    def follow(self, word: str, prepared: Callable[[Session], Callable[[Job], object]], fresh: bool) -> Iterator[dict]:
        """Updates of the page while some work goes on.

        Args:
            word: that the visitor is known by.
            prepared: from the visitor to the work; what is wrong it says before anything begins.
            fresh: whether what was shown before goes.
        """
        session = self._house.sessions[word]
        with self._house.sessions.turn(word):
            try:
                job = session.begin(prepared(session))
            except Exception as error:
                text = sentence(error)
                yield {**self._idle(), self.status: line(text, wrong=True)}
                raise gr.Error(text, print_exception=False) from None
            if fresh:
                session.chosen = None
                hidden = gr.update(visible=False)
                yield dict.fromkeys((self.gallery, self.after, self.file, self.watch, self.figures), hidden)
            looks = _Looks(self)
            for view in job.views():
                yield looks.at(view)
            yield {**self._idle(), **self._final(session, job)}
            if session.filling is not None and session.filling.count:
                drawn = report(session.filling)
                pictures = {picture: gr.update(value=drawn.get(word)) for word, picture in self.pictures.items()}
                tabs = {self.figures: gr.update(visible=True), self.whole: gr.update(visible=WHOLE in drawn)}
                yield {**tabs, **pictures}
            if job.error is not None:
                raise gr.Error(job.error, print_exception=False)

    def _final(self, session: Session, job: Job) -> dict:
        filling, text = session.filling, job.error or job.view.text or "Cancelled before it began."
        share = job.view.share if job.error is None else None
        found: dict = {self.status: line(text, share=share, wrong=bool(job.error))}
        if filling is None or not (filling.count or filling.ready):
            return found
        if filling.count:
            session.shown = order(filling)
            pictures = [(enlarged(filling.glance(i), 192), f"sample {i}") for i in session.shown]
            found[self.gallery] = gr.update(value=pictures, visible=True, selected_index=None)
        more, keep = gr.update(interactive=filling.ready), gr.update(interactive=filling.count > 0)
        return found | {self.after: gr.update(visible=True), self.more: more, self.keep: keep}

    def _idle(self) -> dict:
        return {self.go: gr.update(interactive=True), self.cancel: gr.update(interactive=False)}

    # -- listeners ------------------------------------------------------------------------------

    def _line_up(self, request: gr.Request) -> tuple:
        text = self._house.sessions.line_up(self.word(request))
        return gr.update(interactive=False), gr.update(interactive=True), line(text)

    def _cancel(self, request: gr.Request) -> None:
        # The run says so itself: a word from here might come after its last one.
        self._house.sessions[self.word(request)].cancel()

    def _choose(self, request: gr.Request, event: gr.SelectData) -> Any:
        session = self._house.sessions[self.word(request)]
        if session.busy or not session.shown:
            return gr.skip()
        session.chosen = session.shown[event.index]
        return line(f"Sample {session.chosen} is chosen: “Go on from one” makes it the picture.")

    def _pack(self, request: gr.Request) -> Any:
        try:
            path = self._house.sessions[self.word(request)].archive(self._house.write)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None
        return gr.update(value=str(path), visible=True)


class _Looks:
    """Updates for one view after another; what has not changed, or was drawn a moment ago, is left."""

    def __init__(self, results: Results) -> None:
        self._to, self._losses, self._course, self._drawn = results, 0, 0, 0.0
        self._samples: Sequence = ()

    def at(self, view: View) -> dict:
        to = self._to
        found: dict = {to.status: line(view.text, share=view.share)}
        due = time.monotonic() - self._drawn > _REDRAW
        if view.losses and len(view.losses) != self._losses and (due or self._course != len(view.course)):
            self._losses, self._drawn = len(view.losses), time.monotonic()
            found |= {to.watch: gr.update(visible=True), to.bound: running_bound(view)}
        if view.course and len(view.course) != self._course:
            self._course = len(view.course)
            found[to.course] = course_picture(view)
        if view.samples is not self._samples and view.samples:
            self._samples = view.samples
            pictures = [(enlarged(picture, 192), f"sample {i}") for i, picture in enumerate(view.samples)]
            found[to.gallery] = gr.update(value=pictures, visible=True)
        return found


def _picture() -> gr.Image:
    return gr.Image(show_label=False, buttons=[], interactive=False, container=False)


def line(text: str, share: float | None = None, wrong: bool = False) -> str:
    """The line that says how far a run is."""
    from html import escape

    bar = "" if share is None else f'<div class="bar"><div style="width:{100 * share:.0f}%"></div></div>'
    kind = "line wrong" if wrong else "line"
    return f'<div class="{kind}" role="status">{escape(text)}</div>{bar}'
