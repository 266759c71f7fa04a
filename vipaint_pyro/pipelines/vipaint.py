r"""VIPaint as a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace

import torch
from diffusers.utils import BaseOutput
from torch import Tensor

from vipaint_pyro.guides import Guide
from vipaint_pyro.images import compose, from_model, to_model, to_observed, to_output, to_unit
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import to_y
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.pipelines.prior import PriorPipeline
from vipaint_pyro.pipelines.progress import Bars
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.samplers import Samples, VIPaintSampler

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
        guide: the fitted guide.
        trace: the fit's losses and terms, or None where a fitted guide was given.
        samples: everything the sampler returned (predictions per level, calls, seconds).
    """

    images: object
    predictions: object
    guide: Guide
    trace: FitResult | None
    samples: Samples


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
                (:func:`vipaint_pyro.measurements.tasks.make_operator`, :class:`~vipaint_pyro.measurements.linear_map.LinearMap`,
                :class:`~vipaint_pyro.measurements.nonlinear.Nonlinear`, or any :class:`~vipaint_pyro.measurements.operator.Operator`
                of N images).
            class_labels: a label, by number or name, for all images or one each; None = no label.
            prompt: of a text-conditional prior: one text for all images, or one each; None = the empty text.
            negative_prompt: what guidance leads away from; None = the empty text.
            prompt_embeds, negative_prompt_embeds: the same, encoded before (:meth:`encode_prompt`).
            free_text_encoders: drop the encoders from memory once the prompt is encoded.
            guidance_scale: weight of classifier-free guidance, in the fit and in the refinement.
            num_samples: completions per image.
            num_inference_steps: refinement steps.
            generator: one for all images, or a list with one per image, which makes each image's
                result independent of its neighbours. None takes the global random state.
            output_type: ``"pil"``, ``"np"`` or ``"pt"``.
            return_dict: False gives the tuple (images, predictions, guide, trace, samples).
            guide: the name of the guide to fit, one of :data:`vipaint_pyro.guides.GUIDES`, or a guide
                fitted before, to draw from without fitting again.
            fit_callback: ``(step, loss, terms)`` after each step of the fit.
            callback_on_step_end: ``(pipe, step, timestep, callback_kwargs) -> dict`` after each
                refinement step, as in diffusers; ``latents`` (S, N, C, H, W) may be replaced.
            callback_on_step_end_tensor_inputs: of what ``callback_kwargs`` holds: ``latents``.
            settings: the fields of :class:`~vipaint_pyro.samplers.VIPaintSampler` (``timesteps``,
                ``beta``, ``fit_steps`` ...).

        Returns:
            A :class:`VIPaintOutput`.

        Raises:
            ValueError, TypeError: for anything that cannot be, before any computing.
            FloatingPointError: where a number stops being finite.
        """
        if isinstance(guide, str):
            settings, guide = {**settings, "guide_name": guide}, None
        sampler = self._sampler(settings, num_inference_steps)
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"output_type is 'pil', 'np' or 'pt', not {output_type!r}")
        if not isinstance(num_samples, int) or num_samples < 1:
            raise ValueError(f"num_samples is a whole number of at least 1, but is {num_samples}")
        unknown = [n for n in callback_on_step_end_tensor_inputs if n not in self._callback_tensor_inputs]
        if unknown:
            raise ValueError(f"callbacks can have {self._callback_tensor_inputs}, not {unknown}")

        prior = self.prior
        if (mask_image is None) == (operator is None):
            raise ValueError("give either a mask_image, to fill its white part, or the operator that measured the image")
        if operator is None:
            unit = to_unit(image, prior.image_shape)
            observed = to_observed(mask_image, len(unit), prior.image_shape[1:])
            operator = Inpainting(observed.to(prior.device))
            y = torch.where(operator.observed, to_model(unit).to(prior.device, prior.dtype), 0)
        else:
            observed = unit = None
            y = to_y(image, operator, prior)
        sampler.model(prior, operator)  # checks the settings before a prompt is encoded
        conditioned = self.conditioned(
            len(y), class_labels, prompt, negative_prompt, prompt_embeds, negative_prompt_embeds, guidance_scale
        )
        model = sampler.model(conditioned, operator)
        if guide is not None:
            _check_guide(guide, model)
        NoiseStreams(generator, len(y))  # checks the generators
        if free_text_encoders:
            self.free_text_encoders()

        self._num_timesteps = sampler.refinement_steps if sampler.has_levels else 0
        with torch.enable_grad(), Bars(self, sampler, guide is None) as (on_fit, on_refine):

            def after_fit(step, loss, terms):
                on_fit(terms)
                if fit_callback is not None:
                    fit_callback(step, loss, terms)

            def after_refinement(step, t, z, z0):
                on_refine()
                if callback_on_step_end is None:
                    return None
                given = {"latents": z} if "latents" in callback_on_step_end_tensor_inputs else {}
                result = callback_on_step_end(self, step, t, given) or {}
                return result.get("latents")

            # A given guide may draw from other distributions than Gaussians, which Pyro takes from
            # the global state.
            first = generator[0] if isinstance(generator, (list, tuple)) else generator
            with isolated(first.initial_seed()) if first is not None else nullcontext():
                samples = sampler(
                    conditioned,
                    operator,
                    y,
                    num_samples,
                    generator,
                    fit_callback=after_fit,
                    refine_callback=after_refinement,
                    guide=guide,
                )
        self.maybe_free_model_hooks()
        x = samples.images.detach().cpu()
        raw = from_model(x)
        composite = raw if observed is None else compose(x, unit.cpu(), observed.cpu())
        images, predictions = (
            to_output(v.transpose(0, 1).flatten(0, 1), output_type) for v in (composite, raw)
        )
        output = VIPaintOutput(images, predictions, samples.guide, samples.fit, samples)
        return output if return_dict else output.to_tuple()

    @staticmethod
    def _sampler(settings: dict, num_inference_steps: int | None) -> VIPaintSampler:
        known = {f.name for f in fields(VIPaintSampler)}
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise TypeError(f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        if settings.get("timesteps") is not None:
            settings = {**settings, "timesteps": tuple(settings["timesteps"])}
        sampler = VIPaintSampler(**settings)
        if num_inference_steps is not None:
            if "refinement_steps" in settings:
                raise TypeError("num_inference_steps and refinement_steps are the same: give one")
            sampler = replace(sampler, refinement_steps=num_inference_steps)
        return sampler


def _check_guide(guide: Guide, model: DiffusionModel) -> None:
    """Raise where a given guide cannot stand for one that would be fitted here."""
    if not callable(guide):
        raise TypeError(f"guide is a fitted guide, not {type(guide).__name__}")
    own = getattr(guide, "model", model)
    if not hasattr(model, "timesteps") or not hasattr(own, "timesteps"):
        raise ValueError("a guide of the clean image is its own answer: there is nothing to draw from it")
    if own.timesteps != model.timesteps or own.num_images != model.num_images:
        raise ValueError(
            f"the guide was fitted to {own.num_images} image(s) at timesteps {own.timesteps}, but here are "
            f"{model.num_images} at {model.timesteps}; give the same timesteps and images"
        )
    theirs, ours = own.operator.observed.cpu(), model.operator.observed.cpu()
    if theirs.shape != ours.shape or not torch.equal(theirs, ours):
        raise ValueError("the guide was fitted to another mask or measurement: fit one to this, or give its own")
