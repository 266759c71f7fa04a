"""The contract of a sampler: a prior and a measurement in, images out."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.alone import alone
from vipaint_pyro.faults import Fault, Stopped, check_finite, located
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement, check_fits, check_measurement
from vipaint_pyro.places import is_ours
from vipaint_pyro.priors.diffusion import DiffusionPrior, check_prior
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.samplers.needs import check_needs
from vipaint_pyro.samplers.run import OnStep, Run
from vipaint_pyro.settings import check_settings, checked, whole
from vipaint_pyro.wording import shown

__all__ = ["Sampler", "Samples"]

_GLOBAL = (
    "{} drew noise from torch's global state, and not from the generator that it was given: its samples are others in "
    "every run. Take run.normal(z), or run.noise"
)


def _check_fits(prior: DiffusionPrior, measurement: Measurement) -> None:
    """Raise ValueError where a prior is conditioned for other images than those seen, or has images of another size."""
    prior.check_images(measurement.num_images)
    check_fits(measurement.operator, prior)
    seen, shape = tuple(measurement.y.shape[1:]), tuple(prior.image_shape)
    if isinstance(measurement.operator, Inpainting) and seen != shape:
        raise ValueError(f"y holds images of shape {seen}, but those of this prior have {shape}")


@dataclass
class Samples:
    """Draws from a posterior over images.

    Attributes:
        images: (S, N, C, H, W), about [-1, 1], neither clipped nor composited.
        calls: denoiser calls per image by phase (one call = one network evaluation of one z; those of
            the fit and of the refinement together).
        guide: the fitted guide, where the method has one.
        fit: the fit's record, where there was one.
        levels: E[z_0 | z_t], decoded, at each timestep of the guide's draws: t -> (S, N, C, H, W).
        seconds: phase -> seconds.
        diagnostics: of a correction, one number per image each: ``log_evidence``, the estimate of log p(y) under
            ``likelihood``, which is a text; ``ess``, how many particles count by their weights, of ``"smc"`` and
            ``"tds"`` at the step (and in the cloud) where they were fewest; ``k_hat`` (psis); ``ancestors``, to how
            many draws of the guide the samples go back, and ``collapsed``, in how many of the image's clouds all
            particles go back to one (smc, tds).
        backward: of the calls, those that a gradient went back through.
    """

    images: Tensor
    calls: dict[str, int] = field(default_factory=dict)
    guide: Guide | None = None
    fit: FitResult | None = None
    levels: dict[int, Tensor] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    diagnostics: dict[str, list[float] | str] = field(default_factory=dict)
    backward: dict[str, int] = field(default_factory=dict)


class Sampler(ABC):
    """A method with its settings, which are the fields of a frozen dataclass.

    A subclass says what :meth:`draw` is, and in :meth:`settle` what it refuses. Device, precision, noise streams,
    clock, counts and checks are seen to here, once.
    """

    def _check_drawn(self, given: object, run: Run) -> None:
        """Raise TypeError where a subclass's :meth:`draw` gives no images, ValueError for those of another shape."""
        name = type(self).__name__
        if not isinstance(given, Samples):
            raise TypeError(f"{name}.draw gives its images in a vipaint_pyro.samplers.Samples, but gave {shown(given)}")
        if not isinstance(given.images, Tensor):
            raise TypeError(f"{name} gives images (S, N, C, H, W), a tensor, but gave {shown(given.images)}")
        shape = (run.num_samples, run.measurement.num_images, *run.prior.image_shape)
        came = tuple(given.images.shape)
        if came[1:] != shape[1:] or (came[0] != shape[0] and not (run.stopped or run.ended)):  # of one ended fewer
            raise ValueError(f"{name}.draw gives images (S, N, C, H, W), here {shape}, but gave {came}")

    @abstractmethod
    def draw(self, run: Run) -> Samples:
        """Draw the images of a run; its counts and times are added afterwards."""

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        """These settings with what None stands for on this prior and measurement.

        Raises:
            ValueError: for settings that cannot be, or where the method is not for such a prior or measurement.
        """
        if is_dataclass(self):
            check_settings(self)
        _check_fits(prior, measurement)
        check_needs(self, prior, measurement)
        return self

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        """The prior and the measurement as the settled method sees them."""
        return prior, measurement

    def check_samples(self, num_samples: int) -> None:
        """Raise ValueError where so many samples per image cannot be."""
        checked("num_samples", num_samples, whole())

    def at_once(self, num_samples: int) -> int:
        """How many of so many samples per image the settled method draws at once."""
        return num_samples

    def phases(self) -> dict[str, int]:
        """The phases of the settled method, and how many steps each reports at most, for samples drawn at once."""
        return {}

    def __call__(
        self,
        prior: DiffusionPrior,
        measurement: Measurement,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        on_step: OnStep | None = None,
    ) -> Samples:
        """Samples of the images given y.

        Args:
            prior: conditioned on labels or text as wanted.
            measurement: of N images.
            num_samples: S per image. From one seed, those of another S are others, not the same and more.
            generator: one, or a list with one per image, which makes each image's result independent of its
                neighbours; None takes the global state.
            on_step: called after each step with a :class:`~vipaint_pyro.samplers.run.Progress`; what it returns, if
                anything, replaces the latents. A :class:`~vipaint_pyro.samplers.run.Stop` ends the run there.

        Raises:
            ValueError, TypeError: for settings, a prior or a measurement that cannot be, before any computing.
            NonFiniteError (a FloatingPointError), OutOfMemory (a MemoryError): where a number stops being finite, or
                the memory does not suffice; says in one line in which phase and step, and what to do. Where some
                samples had been finished by then, they are the error's ``samples``.
            Stopped: Ctrl-C, a KeyboardInterrupt, with ``samples`` where some had been finished.
        """
        check_prior(prior)
        check_measurement(measurement)
        if on_step is not None and not callable(on_step):
            raise TypeError(f"on_step is a function that is called after each step, not {shown(on_step)}")
        settled = self.settle(prior, measurement)
        if not isinstance(settled, Sampler):
            raise TypeError(
                f"{type(self).__name__}.settle gives the settled method, as super().settle(prior, measurement), "
                f"but gave {shown(settled)}"
            )
        settled.check_samples(num_samples)
        NoiseStreams(generator, measurement.num_images)  # checks the generators
        return settled.sample(prior, measurement, num_samples, generator, on_step)

    def sample(
        self,
        prior: DiffusionPrior,
        measurement: Measurement,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        on_step: OnStep | None = None,
    ) -> Samples:
        """The same, of settings that are settled: nothing is checked again. Calls of other threads are waited for."""
        prior, measurement = self.prepared(prior, measurement)
        with alone(), prior.frozen(), located("drawing"):
            run, before = Run(prior, measurement, num_samples, generator, on_step), torch.get_rng_state()
            with run.counted():
                samples = self.draw(run)
            self._check_drawn(samples, run)
            own = not is_ours(type(self).__module__)  # of which nobody has tested it
            if own and generator is not None and not torch.equal(before, torch.get_rng_state()):
                warnings.warn(_GLOBAL.format(type(self).__name__), RuntimeWarning, stacklevel=3)
            check_finite(samples.images, "an image")
        samples.calls, samples.backward, samples.seconds = run.calls, run.backward, run.seconds
        if run.ended is not None:
            stopped = run.ended if isinstance(run.ended, Fault) else Stopped()
            stopped.samples = samples
            raise stopped
        return samples
