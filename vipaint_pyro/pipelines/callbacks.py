"""What a call's callbacks are given, and what they may change: latents, guidance, embeddings, going on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from diffusers.callbacks import IPAdapterScaleCutoffCallback, MultiPipelineCallbacks, PipelineCallback
from torch import Tensor

from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.run import Progress, Stop
from vipaint_pyro.settings import settled
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

if TYPE_CHECKING:
    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

__all__ = ["EMBEDDINGS", "Steps", "inputs_of"]

#: What a network calls what it takes from text, and what callbacks of diffusers call it.
EMBEDDINGS = {
    "encoder_hidden_states": "prompt_embeds",
    "text_embeds": "add_text_embeds",
    "time_ids": "add_time_ids",
    "pooled_projections": "pooled_prompt_embeds",
}


def inputs_of(callback: object, asked: Sequence[str]) -> list[str]:
    """The names of what a callback is to be given: its own, of a callback of diffusers, or those asked for."""
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise TypeError(f"callback_on_step_end_tensor_inputs is a list of names, not {asked!r}")
    if not all(isinstance(one, PipelineCallback) for one in _each(callback) if one is not callback):
        raise TypeError("MultiPipelineCallbacks holds PipelineCallback objects: a plain function has no tensor_inputs")
    own = isinstance(callback, (PipelineCallback, MultiPipelineCallbacks))
    return list(dict.fromkeys(cast(Any, callback).tensor_inputs if own else asked))


def _each(callback: object) -> list:
    return callback.callbacks if isinstance(callback, MultiPipelineCallbacks) else [callback]


class Steps:
    """What follows each step of a call: its callbacks, and what they have changed.

    As in diffusers a callback may replace the tensors it is given, set the pipeline's ``_guidance_scale``, and stop the
    call by ``_interrupt``. What is changed during the refinement is undone afterwards: the fitted guide keeps the
    conditions that it was fitted under.

    Args:
        pipe: the pipeline.
        prior: conditioned, of this call alone.
        guidance_scale: of this call.
        phases: the method's phases and their numbers of steps.
        fit_callback, step_callback: of the call, or None.
        inputs: of ``step_callback``.

    Raises:
        TypeError: for callbacks or inputs that are none.
        ValueError: for inputs that this call has not, or callbacks that cannot be followed here.
    """

    def __init__(
        self,
        pipe: VIPaintPipeline,
        prior: DiffusionPrior,
        guidance_scale: float,
        phases: Mapping[str, int],
        fit_callback: Callable | None,
        step_callback: Callable | None,
        inputs: Sequence[str],
    ) -> None:
        self._pipe, self._prior, self._weight, self._phases = pipe, prior, guidance_scale, phases
        self._fit_callback, self._inputs = fit_callback, inputs
        self._step_callback: Any = step_callback
        self._before: tuple[float, dict[str, Tensor]] | None = None
        self._ended_at: float | None = None
        self._names = {EMBEDDINGS[name]: name for name in prior.embeddings()}
        self._check()

    def _check(self) -> None:
        known = ["latents", *self._names]
        for callback in _each(self._step_callback):
            who = type(callback).__name__ if isinstance(callback, PipelineCallback) else "callback_on_step_end"
            wanted = inputs_of(callback, self._inputs)
            lacking = [name for name in wanted if name not in known]
            if lacking:
                raise ValueError(
                    f"{who} asks for {', '.join(lacking)}, but callbacks can have {', '.join(known)} here; embeddings "
                    "are those of a text-conditional prior under classifier-free guidance"
                )
            if isinstance(callback, IPAdapterScaleCutoffCallback):
                raise ValueError(f"{who} is for pipelines with an IP adapter: this one has none")
            cutoff = isinstance(callback, PipelineCallback) and type(callback).__module__ == "diffusers.callbacks"
            if cutoff and self._names and (self._prior.num_conditions or 0) > 1:
                raise ValueError(f"{who} keeps the last prompt alone: give one prompt for all images")

    def __enter__(self) -> Callable[[Progress], Tensor | Stop | None]:
        """What is called after each step; sets the pipeline's state, so that no other call of it may be under way."""
        guided = self._prior.guided and not self._prior.guidance_embedded
        self._pipe.begin(self._weight, self._phases.get("refinement", 0), guided)
        return self._after

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._undo()
        if self._ended_at is not None:  # what callbacks made of it is there to be read, as in diffusers
            self._pipe._guidance_scale = self._ended_at

    def _undo(self) -> None:
        """Back to the conditions before the refinement."""
        if self._before is not None:
            weight, embeddings = self._before
            self._prior.embed(embeddings)
            self._prior.guide_by(weight)
            self._weight, self._before = weight, None

    def _after(self, progress: Progress) -> Tensor | Stop | None:
        z = None
        if progress.phase == "fit":
            if self._fit_callback is not None:
                self._fit_callback(progress.step, progress.loss, progress.terms)
        elif self._step_callback is not None:
            if self._before is None:
                self._before = self._weight, self._prior.embeddings()
            z = self._refined(progress)
        if progress.phase != "fit" and progress.step == self._phases[progress.phase] - 1 and self._before is not None:
            self._ended_at = self._pipe.guidance_scale
            self._undo()  # the next chunk of samples begins where this one began
            self._pipe._guidance_scale = self._weight
        if self._pipe.guidance_scale != self._weight:
            self._weight = self._pipe.guidance_scale
            self._prior.guide_by(self._weight)
        return Stop(z) if self._pipe.interrupt else z

    def _refined(self, progress: Progress) -> Tensor | None:
        own, before = self._prior.embeddings(), settled(progress.z)
        values = {"latents": before} | {theirs: own[name] for theirs, name in self._names.items()}
        given = {name: values[name] for name in self._inputs}
        result = self._step_callback(self._pipe, progress.step, progress.t, given)
        result = {} if result is None else result
        if not isinstance(result, Mapping) or not result.keys() <= values.keys():
            wrong = shown(result) if not isinstance(result, Mapping) else ", ".join(map(str, result.keys() - values))
            raise ValueError(
                f"callback_on_step_end gives a dict of what it replaces, of {', '.join(values)}, or None, not {wrong}"
            )
        new = {self._names[name]: value for name, value in result.items() if name in self._names}
        if new:
            self._prior.embed(new)
            if any(len(v) == self._prior.num_conditions for v in new.values()):
                # The given half alone is the model under its condition, whatever weight a cutoff has set.
                self._pipe._guidance_scale = self._weight = 1.0
        z = result.get("latents")
        if z is not None:
            check_tensor("latents of callback_on_step_end", z, str(tuple(before.shape)), bools=False)
            if z.shape != before.shape:
                raise ValueError(
                    f"latents of callback_on_step_end are of shape {tuple(before.shape)}, not {tuple(z.shape)}"
                )
        return z
