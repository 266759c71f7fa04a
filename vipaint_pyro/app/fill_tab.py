"""The first tab: fill a hole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import gradio as gr

from vipaint_pyro.app.choosing import model_for, said_of
from vipaint_pyro.app.controls import QUIET, Controls
from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.holding import BOX, MASK, PAINT, SOURCES, Held
from vipaint_pyro.app.house import House
from vipaint_pyro.app.jobs import Job, sentence
from vipaint_pyro.app.pictures import EXAMPLES, Example, Picture, canvas_of, opened
from vipaint_pyro.app.results import Results, line
from vipaint_pyro.app.scenes import CHOICES
from vipaint_pyro.app.sessions import Session
from vipaint_pyro.priors.pretrained.automatic import own_way

__all__ = ["FillTab"]

#: Of the paint; what is hidden is shown in a lilac of this kind everywhere.
PAINTED = "#a855d8"


class FillTab:
    """Made inside of a ``gr.Tab``."""

    def __init__(self, house: House) -> None:
        self._house = house
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                self._picture()
                self._hole()
            with gr.Column(min_width=320):
                gr.Markdown("### 3 · Fill it")
                self.controls = Controls(house)
                self.results = Results(house, "fill", "Fill the hole")
        self._listen()

    def _picture(self) -> None:
        gr.Markdown("### 1 · Choose a picture")
        with gr.Row():
            self.examples = [
                gr.Button(e.name, icon=str(e.path), size="md", elem_id=f"example-{k}", min_width=120)
                for k, e in enumerate(EXAMPLES)
            ]
            self.upload = gr.UploadButton(
                "Upload", file_types=["image"], elem_id="fill-upload", min_width=120, size="md"
            )

    def _hole(self) -> None:
        gr.Markdown("### 2 · Paint over what is to be filled")
        self.editor = gr.ImageEditor(
            type="pil", image_mode="RGBA", format="png", sources=(), layers=False, transforms=(), show_label=False,
            brush=gr.Brush(default_size=32, colors=[PAINTED], default_color=PAINTED, color_mode="fixed"),
            eraser=gr.Eraser(default_size=32), canvas_size=(448, 448), elem_id="editor", buttons=[], height=520,
        )  # fmt: skip
        self.source = gr.Radio(SOURCES, value=PAINT, label="Where the hole is", elem_id="source")
        with gr.Row(visible=False) as self.box_row:
            names = "From the left", "From the top", "Width", "Height"
            self.box = [gr.Number(None, precision=0, minimum=0, label=name, min_width=80) for name in names]
        self.mask = gr.File(
            label="Mask: a picture of the same size, white where to be filled", visible=False, file_types=["image"],
            height=120, elem_id="mask-file",
        )  # fmt: skip
        choices = [(text, how) for how, text in CHOICES.items()]
        self.how = gr.Radio(choices, value=None, label="The model takes another size", visible=False, elem_id="how")
        self.grey = gr.Checkbox(False, label="Turn it grey: the model makes grey pictures", visible=False)
        self.said = gr.Markdown("", elem_id="said")
        self.seen = gr.Image(
            show_label=False, visible=False, buttons=[], interactive=False, elem_classes="seen", height=220,
            container=False,
        )  # fmt: skip

    @property
    def _held(self) -> list:
        return [self.source, self.editor, *self.box, self.mask, self.how, self.grey]

    def _listen(self) -> None:
        results, given = self.results, [*self._held, *self.controls.all]
        loaded = [self.editor, self.source, self.how, self.grey, self.said, self.controls.prior]
        looks = [self.said, self.seen, self.how, self.grey]
        asked = [*self._held, self.controls.prior]
        look: dict[str, Any] = {"fn": self._look, "inputs": asked, "outputs": looks, **QUIET}
        for button, example in zip(self.examples, EXAMPLES):
            button.click(self._example(example), self.controls.prior, loaded, **QUIET).then(**look)
        prior = self.controls.prior
        self.upload.upload(self._upload, [self.upload, prior], loaded, **QUIET).then(**look)
        prior.input(self._named, None, None, **QUIET).then(**look)
        prior.change(self._way, prior, self.how, **QUIET)
        others = [c for c in (*self._held, self.controls.prior) if c is not self.editor]
        seen = [self.editor.input, self.editor.clear, *(c.change for c in others)]
        gr.on(seen, trigger_mode="always_last", **look)
        self.source.change(self._sources, self.source, [self.box_row, self.mask], **QUIET)
        results.start(results.go, self._fill, given)
        results.start(results.more, self._more, [self.controls.samples])
        results.keep.click(self._keep, prior, [*loaded, results.status], **QUIET).then(**look)

    # -- the picture ----------------------------------------------------------------------------

    def _session(self, request: gr.Request) -> Session:
        return self._house.sessions[self.results.word(request)]

    def _loaded(self, picture: Picture, prior: str) -> tuple:
        """The page with another picture, no hole yet, and this model."""
        width, height = picture.image.size
        said = f"**{picture.name}**, {width}x{height}. Paint over what is to be filled."
        value = {"background": canvas_of(picture), "layers": [], "composite": None}
        how = gr.update(value=own_way(prior, picture.image.size), visible=False)
        return value, PAINT, how, gr.update(value=False, visible=False), said, prior

    def _example(self, example: Example) -> Callable:
        def choose(current: str, request: gr.Request) -> Any:
            session = self._session(request)
            session.picture, session.automatic = opened(example.path), None
            return self._loaded(session.picture, example.prior if example.prior in self._house.shelf.names else current)

        return choose

    def _upload(self, path: str, current: str, request: gr.Request) -> tuple:
        session = self._session(request)
        try:
            picture = opened(path)
            chosen = None if session.named else model_for(picture.image.size, current, self._house.shelf)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None
        session.picture, session.automatic = picture, chosen
        return self._loaded(picture, chosen or current)

    def _named(self, request: gr.Request) -> None:
        session = self._session(request)
        session.named, session.automatic = True, None

    def _way(self, prior: str, request: gr.Request) -> Any:
        """How a model of patches fills a picture of another size; of another model it has to be said."""
        picture = self._session(request).picture
        return gr.skip() if picture is None else own_way(prior, picture.image.size)

    def _keep(self, current: str, request: gr.Request) -> Any:
        session = self._session(request)
        try:
            picture = session.keep(session.chosen)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return (*self._loaded(picture, current), line("The completion is the picture now: paint the next hole."))

    @staticmethod
    def _sources(source: str) -> tuple:
        return gr.update(visible=source == BOX), gr.update(visible=source == MASK)

    # -- what is to be done ---------------------------------------------------------------------

    @staticmethod
    def _of(values: Sequence) -> Held:
        source, drawing, x, y, w, h, mask, how, grey = values
        return Held(source, drawing, (x, y, w, h), mask, how, grey)

    def _look(self, request: gr.Request, *values: Any) -> tuple:
        """What will be done with the picture, before it is."""
        *held, name = values
        session, how, grey = self._session(request), held[-2], held[-1]
        picture, chosen = session.picture, f"{said_of(name)}\n\n" if session.automatic == name else ""
        if picture is None:
            return "", gr.update(visible=False), gr.skip(), gr.skip()
        parts: tuple = gr.skip(), gr.skip()
        try:
            shape = self._house.shelf[name].prior.image_shape
            other, turned = picture.image.size != shape[:0:-1], shape[0] == 1 and picture.in_colour
            parts = gr.update(visible=other), gr.update(visible=turned)
            scene = self._of([*held[:-2], how if other else None, grey]).scene(picture, shape)
        except Exception as error:
            return chosen + sentence(error), gr.update(visible=False), *parts
        return chosen + scene.said, gr.update(value=Held.shown(scene), visible=True), *parts

    def _fill(self, request: gr.Request, *values: Any) -> Iterator[dict]:
        held, asked = self._of(values[:9]), Controls.asked(values[9:])

        def prepared(session: Session) -> Callable[[Job], None]:
            pipe = self._house.shelf[asked.prior]
            scene = held.scene(session.picture, pipe.prior.image_shape)
            facts: dict = {"image": cast(Picture, session.picture).name, "mask": held.source}
            if session.automatic == asked.prior:
                facts["automatic_prior"] = True
            session.filling = Filling.of_scene(pipe, scene, asked, facts)
            return session.filling.run

        yield from self.results.follow(self.results.word(request), prepared, fresh=True)

    def _more(self, count: float, request: gr.Request) -> Iterator[dict]:
        yield from self.results.follow(self.results.word(request), lambda s: s.more(int(count)), fresh=False)
