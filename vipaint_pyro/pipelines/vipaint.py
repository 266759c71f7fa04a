r"""VIPaint as a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor

from vipaint_pyro.alone import alone
from vipaint_pyro.faults import Fault, Stopped
from vipaint_pyro.guides import Guide
from vipaint_pyro.images import check_output
from vipaint_pyro.kind.check import looked_at
from vipaint_pyro.measurements.likelihood import Likelihood
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.taken import masked, measured, under
from vipaint_pyro.pipelines import prior as priors  # diffusers' custom_pipeline wants one pipeline class in this file
from vipaint_pyro.pipelines.asked import asked_sampler, saying
from vipaint_pyro.pipelines.callbacks import EMBEDDINGS, Steps, inputs_of
from vipaint_pyro.pipelines.output import VIPaintOutput, output_of
from vipaint_pyro.pipelines.progress import Bars
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.for_scale import FOR_SCALE

__all__ = ["VIPaintOutput", "VIPaintPipeline"]


class VIPaintPipeline(priors.PriorPipeline):
    """Fill the masked part of an image, or restore one, with draws from a variational posterior.

    Its components, and how it is loaded, conditioned on labels or text and kept small, are those of
    :class:`~vipaint_pyro.pipelines.prior.PriorPipeline`.
    """

    _callback_tensor_inputs = ["latents", *EMBEDDINGS.values()]
    _num_timesteps, _interrupt, _guidance_scale, _guided = 0, False, 1.0, False

    def begin(self, guidance_scale: float, num_timesteps: int, guided: bool) -> None:
        """The state of a call that begins, as its callbacks see and change it."""
        self._interrupt, self._num_timesteps = False, num_timesteps
        self._guidance_scale, self._guided = guidance_scale, guided

    @property
    def num_timesteps(self) -> int:
        """How many refinement steps the last call was to make."""
        return self._num_timesteps

    @property
    def interrupt(self) -> bool:
        """Whether the call is to make no further step; set by ``pipe._interrupt = True``."""
        return self._interrupt

    @property
    def guidance_scale(self) -> float:
        """The weight of guidance as it is; a callback changes it by ``pipe._guidance_scale``, from the next step on."""
        return self._guidance_scale

    @property
    def do_classifier_free_guidance(self) -> bool:
        """Whether the network is called with and without its condition."""
        return self._guided and self._guidance_scale not in (0, 1)

    @torch.inference_mode(False)  # a fit needs gradients, whatever is around the call
    @torch.no_grad()
    def __call__(
        self,
        image: Any,
        mask_image: Any = None,
        *,
        operator: Operator | None = None,
        likelihood: Likelihood | Callable | None = None,
        class_labels: int | str | Sequence[int | str | None] | None = None,
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        prompt_embeds: dict[str, Tensor] | None = None,
        negative_prompt_embeds: dict[str, Tensor] | None = None,
        free_text_encoders: bool = False,
        guidance_scale: float = 1.0,
        num_samples: int = 8,
        num_inference_steps: int | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        guide: Guide | str | type[Guide] | None = None,
        method: str | type[Sampler] = "vipaint",
        effort: str | None = None,
        check_kind: bool = True,
        fit_callback: Callable[[int, float, dict[str, Tensor]], None] | None = None,
        callback_on_step_end: Callable | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        **settings: Any,
    ) -> VIPaintOutput | tuple:
        """Fit VIPaint's guide to the known pixels, or to another measurement, and draw completions.

        Args:
            image: PIL image, array (H, W, C) or tensor (C, H, W), 8-bit or floating in [0, 1]; one,
                a list or a batch. With an operator, what it measured of images in [0, 1]: a small picture for
                super-resolution, a blurred one for deblurring, any numbers for a linear map that does not keep
                constants; for a nonlinear operator y itself, in the units of its family.
            mask_image: of the same kinds; white (>= 0.5) = to be filled. One for all, or one each. ``"alpha"``: what
                is not wholly opaque in the PIL images themselves.
            operator: in place of a mask, how the image was measured
                (:func:`vipaint_pyro.make_operator`, :class:`~vipaint_pyro.measurements.linear_map.LinearMap`,
                :class:`~vipaint_pyro.measurements.nonlinear.Nonlinear`, or any
                :class:`~vipaint_pyro.measurements.operator.Operator` of N images).
            likelihood: what is believed of the noise in y, in units of [-1, 1], where the operator does not say it:
                ``Gaussian(sigma)``, ``Laplace(b)`` ... of :mod:`vipaint_pyro.measurements`, or a function from A x to
                one of Pyro's distributions. A Gaussian is noise alone, and the guide is fitted under the broader
                ``noise_scale``; any other likelihood is what it is fitted under.
            class_labels: a label, by number or name, for all images or one each; None = no label.
            prompt: of a text-conditional prior: one text for all images, or one each; None = the empty text.
            negative_prompt: what guidance leads away from; None = the empty text.
            prompt_embeds, negative_prompt_embeds: the same, encoded before (:meth:`encode_prompt`).
            free_text_encoders: drop the encoders from memory once the prompt is encoded.
            guidance_scale: weight of classifier-free guidance, in the fit and in the refinement.
            num_samples: completions per image; of a method without chance (``"estimate"``, the classical fills) so
                many copies of its one. From one seed, two are not the first two of three.
            num_inference_steps: steps of the refinement, or of another method.
            generator: one for all images, or a list with one per image, which makes each image's
                result independent of its neighbours. None takes the global random state.
            output_type: ``"pil"``, ``"np"`` or ``"pt"``; these two in the images' own precision, but at least float32.
            return_dict: False gives the tuple (images, predictions, guide, trace, samples, kind), without what is None.
            guide: the guide to fit: a name of :data:`vipaint_pyro.guides.GUIDES`, ``"package.module:Class"`` of your
                own, or such a class (``guide_settings={...}`` are its keywords); or one fitted before, to draw from.
            method: how to draw, one of :data:`vipaint_pyro.samplers.METHODS`: VIPaint, or a baseline; one of your own,
                a sampler class or ``"package.module:Class"``.
            effort: of VIPaint, what a sample may cost in a word: settings for those that are not given, one of
                :data:`~vipaint_pyro.samplers.vipaint.effort.EFFORTS` (``"draft"``, ``"standard"``, ``"best"``).
            check_kind: before a fit, look in a few calls whether what is seen is of the prior's own kind, where its
                folder says what that is; warns (``KindWarning``), and never refuses. Not of a method without a network.
            fit_callback: ``(step, loss, terms)`` after each step of the fit.
            callback_on_step_end: ``(pipe, step, timestep, callback_kwargs) -> dict`` after each
                refinement step, as in diffusers, whose ``PipelineCallback`` objects are taken too; ``latents``
                (S, N, C, H, W) may be replaced. Where samples are drawn in chunks (the setting ``chunk``), S are those
                of one, and each chunk counts its steps from 0. In it and in ``fit_callback``,
                ``pipe._guidance_scale = w`` holds from the next step on, and after ``pipe._interrupt = True`` no
                further step is made: the latents as they are then (of the guide as fitted until then) are decoded,
                noise and all, and no further chunk is begun.
            callback_on_step_end_tensor_inputs: of what ``callback_kwargs`` holds: ``latents``; of a text-conditional
                prior under guidance ``prompt_embeds`` and what else its network takes (2 N, ...), null ones first;
                their second half alone, given back, ends the guidance.
            settings: of the method; for VIPaint the fields of :class:`~vipaint_pyro.samplers.VIPaintSampler`
                (``timesteps``, ``beta``, ``fit_steps`` ...).

        Calls from several threads, of one pipeline or of several, wait for each other: Pyro keeps its handlers and
        parameters once for the whole process. Each result is as if the call had been made alone.

        Returns:
            A :class:`VIPaintOutput`.

        Raises:
            ValueError, TypeError: for anything that cannot be, before any computing.
            NonFiniteError (a FloatingPointError), OutOfMemory (a MemoryError): where a number stops being finite, or
                the memory does not suffice; says in one line in which phase and step, and what to do. Samples that had
                been finished by then are the error's ``output``; of Ctrl-C likewise (``vipaint_pyro.faults.Stopped``).
        """
        own = [name for name in signature(type(self).__call__).parameters if name not in ("self", "settings")]
        settings = settings if effort is None else {**settings, "effort": effort}
        sampler, guide, written = asked_sampler(method, guide, settings, num_inference_steps, own)
        for name, function in (("fit_callback", fit_callback), ("callback_on_step_end", callback_on_step_end)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} is a function that is called after each step, not {function!r}")
        if guide is not None and fit_callback is not None:
            raise ValueError("fit_callback is called after each step of a fit, and this guide was fitted: leave it out")
        inputs = inputs_of(callback_on_step_end, callback_on_step_end_tensor_inputs)

        prior = self.prior
        check_output(output_type, prior.image_shape[0])
        if (mask_image is None) == (operator is None):
            raise ValueError(
                "give either a mask_image, to fill its white part, or the operator that measured the image"
            )
        if operator is None:
            measurement, unit, observed = masked(image, mask_image, prior)
        else:
            measurement, unit, observed = measured(image, operator, prior), None, None
        if likelihood is not None:
            measurement = under(likelihood, measurement)
        if guide is not None:
            sampler = cast(Any, sampler).from_guide(guide)
        with saying(written):
            settled = sampler.settle(prior, measurement)  # before a prompt is encoded
        settled.check_samples(num_samples)
        NoiseStreams(generator, measurement.num_images)  # checks the generators
        try:  # an encoder of texts that offloading brought is taken away again however the call ends
            conditioned = self.conditioned(
                measurement.num_images, class_labels, prompt, negative_prompt, prompt_embeds, negative_prompt_embeds,
                guidance_scale,
            )  # fmt: skip
            conditioned.check_images(measurement.num_images)
            phases = settled.phases()
            steps = Steps(self, conditioned, guidance_scale, phases, fit_callback, callback_on_step_end, inputs)
            if free_text_encoders:
                self.free_text_encoders()
            look = check_kind and guide is None and method not in FOR_SCALE  # by no network, nothing is of its kind
            kind = looked_at(conditioned, measurement, self.kind) if look else None

            chunks = -(-num_samples // settled.at_once(num_samples))
            totals = {phase: n * (1 if phase == "fit" else chunks) for phase, n in phases.items()}
            with torch.enable_grad(), Bars(self, totals) as show:
                # A given guide may draw from other distributions than Gaussians, which Pyro takes from
                # the global state.
                first = generator[0] if isinstance(generator, (list, tuple)) else generator
                state = nullcontext() if first is None else isolated(first.initial_seed())
                try:
                    with alone(), state, steps as after:

                        def on_step(progress):
                            show(progress)
                            return after(progress)

                        samples = settled.sample(conditioned, measurement, num_samples, generator, on_step)
                except (Fault, Stopped) as error:
                    if error.samples is not None:
                        error.output = output_of(cast(Samples, error.samples), unit, observed, output_type, kind)
                    raise
        finally:
            self.maybe_free_model_hooks()
        output = output_of(samples, unit, observed, output_type, kind)
        return output if return_dict else output.to_tuple()
