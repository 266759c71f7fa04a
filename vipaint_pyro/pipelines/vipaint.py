r"""VIPaint as a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from diffusers.utils import BaseOutput
from torch import Tensor

from vipaint_pyro.faults import Fault, Stopped
from vipaint_pyro.guides import Guide
from vipaint_pyro.images import compose, from_model, to_output
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.taken import masked, measured
from vipaint_pyro.pipelines.prior import PriorPipeline
from vipaint_pyro.pipelines.progress import Bars
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.samplers.alone import alone
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.registry import make_sampler

__all__ = ["VIPaintOutput", "VIPaintPipeline"]


@dataclass
class VIPaintOutput(BaseOutput):
    """What the pipeline returns.

    Attributes:
        images: the completions with the observed pixels put back, bit-identical (with an operator, the
            predictions: what was measured are no pixels of them); image by image,
            ``num_samples`` each: a list of PIL images, an array (N*S, H, W, C) or a tensor
            (N*S, C, H, W), both in [0, 1].
        predictions: the same without putting the observed pixels back.
        guide: the fitted guide, or None for a method without one.
        trace: the fit's losses and terms, or None where nothing was fitted.
        samples: everything the sampler returned (predictions per level, calls, seconds).
    """

    images: object
    predictions: object
    guide: Guide | None
    trace: FitResult | None
    samples: Samples


def _output(samples: Samples, unit: Tensor | None, observed: Tensor | None, output_type: str) -> VIPaintOutput:
    """Samples as the caller wants them, the observed pixels put back."""
    x = samples.images.detach().cpu()
    raw = from_model(x)
    composite = raw if observed is None else compose(x, unit.cpu(), observed.cpu())
    images, predictions = (to_output(v.transpose(0, 1).flatten(0, 1), output_type) for v in (composite, raw))
    return VIPaintOutput(images, predictions, samples.guide, samples.fit, samples)


class VIPaintPipeline(PriorPipeline):
    """Fill the masked part of an image, or restore one, with draws from a variational posterior.

    Its components, and how it is loaded, conditioned on labels or text and kept small, are those of
    :class:`~vipaint_pyro.pipelines.prior.PriorPipeline`.
    """

    _callback_tensor_inputs = ["latents"]
    _num_timesteps = 0

    @property
    def num_timesteps(self) -> int:
        """How many refinement steps the last call made."""
        return self._num_timesteps

    @torch.inference_mode(False)  # a fit needs gradients, whatever is around the call
    @torch.no_grad()
    def __call__(
        self,
        image,
        mask_image=None,
        *,
        operator: Operator | None = None,
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
        guide: Guide | str | None = None,
        method: str = "vipaint",
        fit_callback: Callable[[int, float, dict[str, Tensor]], None] | None = None,
        callback_on_step_end: Callable | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        **settings,
    ) -> VIPaintOutput | tuple:
        """Fit VIPaint's guide to the known pixels, or to another measurement, and draw completions.

        Args:
            image: PIL image, array (H, W, C) or tensor (C, H, W), 8-bit or floating in [0, 1]; one,
                a list or a batch. With an operator, what it measured of images in [0, 1]: a small picture for
                super-resolution, a blurred one for deblurring, any numbers for a linear map that does not keep
                constants; for a nonlinear operator y itself, in the units of its family.
            mask_image: of the same kinds; white (>= 0.5) = to be filled. One for all, or one each.
            operator: in place of a mask, how the image was measured
                (:func:`vipaint_pyro.make_operator`, :class:`~vipaint_pyro.measurements.linear_map.LinearMap`,
                :class:`~vipaint_pyro.measurements.nonlinear.Nonlinear`, or any
                :class:`~vipaint_pyro.measurements.operator.Operator` of N images).
            class_labels: a label, by number or name, for all images or one each; None = no label.
            prompt: of a text-conditional prior: one text for all images, or one each; None = the empty text.
            negative_prompt: what guidance leads away from; None = the empty text.
            prompt_embeds, negative_prompt_embeds: the same, encoded before (:meth:`encode_prompt`).
            free_text_encoders: drop the encoders from memory once the prompt is encoded.
            guidance_scale: weight of classifier-free guidance, in the fit and in the refinement.
            num_samples: completions per image.
            num_inference_steps: steps of the refinement, or of another method.
            generator: one for all images, or a list with one per image, which makes each image's
                result independent of its neighbours. None takes the global random state.
            output_type: ``"pil"``, ``"np"`` or ``"pt"``.
            return_dict: False gives the tuple (images, predictions, guide, trace, samples).
            guide: the name of the guide to fit, one of :data:`vipaint_pyro.guides.GUIDES`, or a guide
                fitted before, to draw from without fitting again.
            method: how to draw, one of :data:`vipaint_pyro.samplers.METHODS`: VIPaint, or a baseline.
            fit_callback: ``(step, loss, terms)`` after each step of the fit.
            callback_on_step_end: ``(pipe, step, timestep, callback_kwargs) -> dict`` after each
                refinement step, as in diffusers; ``latents`` (S, N, C, H, W) may be replaced. Where samples are drawn
                in chunks (the setting ``chunk``), S are those of one, and each chunk counts its steps from 0.
            callback_on_step_end_tensor_inputs: of what ``callback_kwargs`` holds: ``latents``.
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
        sampler, guide = self._sampler(method, guide, settings, num_inference_steps)
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"output_type is 'pil', 'np' or 'pt', not {output_type!r}")
        for name, function in (("fit_callback", fit_callback), ("callback_on_step_end", callback_on_step_end)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} is a function that is called after each step, not {function!r}")
        unknown = [n for n in callback_on_step_end_tensor_inputs if n not in self._callback_tensor_inputs]
        if unknown:
            raise ValueError(f"callbacks can have {self._callback_tensor_inputs}, not {unknown}")

        prior = self.prior
        if (mask_image is None) == (operator is None):
            raise ValueError(
                "give either a mask_image, to fill its white part, or the operator that measured the image"
            )
        if operator is None:
            measurement, unit, observed = masked(image, mask_image, prior)
        else:
            measurement, unit, observed = measured(image, operator, prior), None, None
        if guide is not None:
            sampler = sampler.from_guide(guide)
        settled = sampler.settle(prior, measurement)  # before a prompt is encoded
        settled.check_samples(num_samples)
        conditioned = self.conditioned(
            measurement.num_images, class_labels, prompt, negative_prompt, prompt_embeds, negative_prompt_embeds,
            guidance_scale,
        )  # fmt: skip
        conditioned.check_images(measurement.num_images)
        NoiseStreams(generator, measurement.num_images)  # checks the generators
        if free_text_encoders:
            self.free_text_encoders()

        self._num_timesteps = settled.phases().get("refinement", 0)
        chunks = -(-num_samples // settled.at_once(num_samples))
        totals = {phase: n * (1 if phase == "fit" else chunks) for phase, n in settled.phases().items()}
        with torch.enable_grad(), Bars(self, totals) as show:

            def on_step(progress):
                show(progress)
                if progress.phase == "fit":
                    return fit_callback and fit_callback(progress.step, progress.loss, progress.terms)
                if callback_on_step_end is None:
                    return None
                given = {"latents": progress.z} if "latents" in callback_on_step_end_tensor_inputs else {}
                result = callback_on_step_end(self, progress.step, progress.t, given) or {}
                return result.get("latents")

            # A given guide may draw from other distributions than Gaussians, which Pyro takes from
            # the global state.
            first = generator[0] if isinstance(generator, (list, tuple)) else generator
            try:
                with alone(), isolated(first.initial_seed()) if first is not None else nullcontext():
                    samples = settled.sample(conditioned, measurement, num_samples, generator, on_step)
            except (Fault, Stopped) as error:
                if error.samples is not None:
                    error.output = _output(error.samples, unit, observed, output_type)
                raise
            finally:
                self.maybe_free_model_hooks()
        output = _output(samples, unit, observed, output_type)
        return output if return_dict else output.to_tuple()

    @staticmethod
    def _sampler(
        method: str, guide: Guide | str | None, settings: dict, num_inference_steps: int | None
    ) -> tuple[Sampler, Guide | None]:
        """The method with its settings, and a fitted guide to draw from."""
        if isinstance(guide, str):
            if "guide_name" in settings:
                raise TypeError("guide and guide_name are the same: give one")
            settings, guide = {**settings, "guide_name": guide}, None
        if guide is not None and method != "vipaint":
            raise ValueError(f"the method {method!r} draws from no guide: leave guide out")
        if isinstance(settings.get("timesteps"), list):
            settings = {**settings, "timesteps": tuple(settings["timesteps"])}
        if num_inference_steps is not None:
            name = "refinement_steps" if method == "vipaint" else "num_steps"
            if name in settings:
                raise TypeError(f"num_inference_steps and {name} are the same: give one")
            settings = {**settings, name: num_inference_steps}
        return make_sampler(method, **settings), guide
