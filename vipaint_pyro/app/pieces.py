"""One measurement: a guide fitted to it, and what was drawn, now and later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from vipaint_pyro.alone import alone
from vipaint_pyro.app.asked import Asked
from vipaint_pyro.faults import Fault, Stopped
from vipaint_pyro.guides import Guide
from vipaint_pyro.images import compose, from_model
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.taken import believed_noise, masked, measured, under
from vipaint_pyro.pipelines.vipaint import VIPaintOutput, VIPaintPipeline
from vipaint_pyro.randomness import isolated
from vipaint_pyro.regions import Square
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.run import OnStep
from vipaint_pyro.samplers.vipaint.fitting import fit_guide
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

__all__ = ["Known", "Piece", "first_of", "joined"]


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of an image at the prior's size.

    Attributes:
        unit: the image (C, H, W) in [0, 1]; hidden pixels are the true ones only if it is the truth. None where a
            measurement is all there is.
        observed: bool (1, H, W), of an inpainting.
        operator: of a restoration.
        sigma: of a restoration, the noise in what was measured, in units of [-1, 1]; None where it is not known.
        measured: of a restoration, the picture that was measured (C', H', W') in [0, 1].
        truth: whether ``unit`` is the truth.
        region: where it lies in a larger picture.
    """

    unit: Tensor | None
    observed: Tensor | None = None
    operator: Operator | None = None
    sigma: float | None = None
    measured: Tensor | None = None
    truth: bool = False
    region: Square | None = None

    def hole(self) -> tuple[Tensor, Tensor]:
        """Of an inpainting, the image, and what is hidden, float (1, H, W)."""
        assert self.unit is not None and self.observed is not None
        return self.unit, (~self.observed).float()

    def restored(self) -> Tensor:
        """Of a restoration, the picture that was measured."""
        assert self.measured is not None
        return self.measured


class Piece:
    """A method at work on one measurement.

    Args:
        pipe: the prior's pipeline.
        known: what is known.
        asked: of the method.

    Attributes:
        sampler: the settings, settled.
        measurement, likelihood: of one image, and what is told of its noise, None where nothing is known.
        guide, record: fitted, where the method fits one.
        output: all that was drawn so far, or None.
        label: the number of the class, or None.

    Raises:
        ValueError, TypeError: for what does not go together.
    """

    def __init__(self, pipe: VIPaintPipeline, known: Known, asked: Asked) -> None:
        prior = pipe.prior
        self.pipe, self.known, self.asked = pipe, known, asked
        if known.operator is None:
            self.measurement, _, _ = masked(*known.hole(), prior)
        else:
            self.measurement = measured(known.restored(), known.operator, prior)
        sampler = asked.sampler(prior.device.type == "cpu")
        self.likelihood = believed_noise(known.sigma, asdict(cast(Any, sampler)).get("measurement_scale"))
        if self.likelihood is not None:
            self.measurement = under(self.likelihood, self.measurement)
        self.sampler = sampler.settle(prior, self.measurement)
        self.sampler.check_samples(asked.samples)
        given = asked.condition()["class_labels"]
        self.label = None if given is None else int(cast(Tensor, prior.conditioned(given).class_labels)[0])
        self.guide: Guide | None = None
        self.record: FitResult | None = None
        self.output: VIPaintOutput | None = None

    @property
    def fitter(self) -> VIPaintSampler:
        """The sampler of a method that fits a guide."""
        return cast(VIPaintSampler, self.sampler)

    def steps(self, count: int, fitted: bool) -> int:
        """How many steps it takes to draw so many, after the fit or with it."""
        chunks = -(-count // self.sampler.at_once(count))
        phases = {phase: n * (1 if phase == "fit" else chunks) for phase, n in self.sampler.phases().items()}
        return sum(phases.values()) - (phases.get("fit", 0) if fitted else 0)

    def fit(self, generator: torch.Generator, on_step: OnStep) -> None:
        """Fit the guide; ``on_step`` may end the fit early, by a :class:`~vipaint_pyro.samplers.run.Stop`."""
        prior = self.pipe.conditioned(1, **self.asked.condition(), guidance_scale=self.asked.guidance)
        with alone(), isolated(generator.initial_seed()):
            self.guide, self.record = fit_guide(self.fitter, prior, self.measurement, generator, on_step)

    def draw(
        self, count: int, generator: torch.Generator, after: Callable[[], None], arrived: Callable[[Tensor], None]
    ) -> Fault | Stopped | None:
        """Draw so many more; what was finished is kept, however it ends.

        Args:
            count: of samples.
            generator: of their noise.
            after: called after each step; it may raise :class:`~vipaint_pyro.faults.Stopped`.
            arrived: called with those that are finished (S, C, H, W) in [0, 1], known pixels put back.

        Returns:
            What ended it early, if anything did.

        Raises:
            Fault: where nothing came of it.
        """
        known = self.known
        seen, mask = known.hole() if known.operator is None else (known.restored(), None)

        def on_step_end(pipe: VIPaintPipeline, step: int, timestep: int, given: dict) -> None:
            after()
            z = given["latents"]
            # Particles are no samples yet: which of them are kept is seen when all are weighed.
            if step == pipe.num_timesteps - 1 and len(z) <= self.sampler.at_once(count):
                with torch.no_grad():
                    arrived(self._shown(pipe.prior.decode(z)))

        if self.guide is None:  # of a method that fits it in the call, or fits none
            given: dict[str, Any] = {**self._settings(), "fit_callback": lambda *_: after()}
        else:
            given = {**asdict(self.fitter), "guide": self.guide}
        try:
            output = self.pipe(
                seen, mask, operator=known.operator, likelihood=self.likelihood, **self.asked.condition(),
                guidance_scale=self.asked.guidance,
                num_samples=count, generator=generator, output_type="pt", method=self.asked.method,
                callback_on_step_end=on_step_end, **given,
            )  # fmt: skip
        except (Fault, Stopped) as error:
            if error.output is None:
                if isinstance(error, Stopped):
                    return error
                raise
            self._keep(cast(VIPaintOutput, error.output))
            return error
        self._keep(cast(VIPaintOutput, output))
        return None

    def keep(self, count: int) -> None:
        """Give up all samples but the first so many."""
        assert self.output is not None
        self.output = first_of(self.output, count) if count else None

    def _settings(self) -> dict[str, Any]:
        """Those of a method without a guide that are settled, and may be given."""
        from vipaint_pyro.samplers.registry import method

        settings, may = asdict(cast(Any, self.sampler)), method(self.asked.method).open()
        return {name: value for name, value in settings.items() if name in may}

    def _shown(self, x: Tensor) -> Tensor:
        """Decoded samples (S, 1, C, H, W) as they will be kept, (S, C, H, W)."""
        known, x = self.known, x.detach().cpu()
        if known.unit is None or known.observed is None:
            return from_model(x)[:, 0]
        return compose(x, known.unit[None], known.observed[None])[:, 0]

    def _keep(self, output: VIPaintOutput) -> None:
        if self.record is not None:
            output.trace = output.samples.fit = self.record
        self.output = output if self.output is None else joined(self.output, output)


def joined(first: VIPaintOutput, then: VIPaintOutput) -> VIPaintOutput:
    """Two outputs of one image, and one guide, as if they had been drawn in one go; what they cost is added up."""
    a, b = first.samples, then.samples
    levels = {t: torch.cat([a.levels[t], b.levels[t]]) for t in a.levels if t in b.levels}

    def added(x: dict, y: dict) -> dict:
        return {key: x.get(key, 0) + y.get(key, 0) for key in {**x, **y}}

    samples: Samples = replace(
        a, images=torch.cat([a.images, b.images]), levels=levels, calls=added(a.calls, b.calls),
        seconds=added(a.seconds, b.seconds), backward=added(a.backward, b.backward),
        diagnostics=b.diagnostics or a.diagnostics,
    )  # fmt: skip
    both: Sequence[Tensor] = [torch.cat([getattr(first, k), getattr(then, k)]) for k in ("images", "predictions")]
    return VIPaintOutput(*both, first.guide, first.trace, samples, first.kind)


def first_of(output: VIPaintOutput, count: int) -> VIPaintOutput:
    """The first samples of one image, at the cost of all."""
    drawn = output.samples
    levels = {t: z[:count] for t, z in drawn.levels.items()}
    samples: Samples = replace(drawn, images=drawn.images[:count], levels=levels)
    return VIPaintOutput(
        output.images[:count], output.predictions[:count], output.guide, output.trace, samples, output.kind
    )
