"""A plan that is ready to be computed: prior and data loaded, every method settled, and from it the jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from vipaint_pyro.evaluation.failures import FAILURES
from vipaint_pyro.evaluation.study.conditions import measured
from vipaint_pyro.evaluation.study.features import features_of
from vipaint_pyro.evaluation.study.identity import Picture, pixels_of
from vipaint_pyro.evaluation.study.job import Job, lpips_of
from vipaint_pyro.evaluation.study.methods import settings_of
from vipaint_pyro.evaluation.study.plan import Item, Plan
from vipaint_pyro.evaluation.study.priors import PriorName, conditioned, load
from vipaint_pyro.evaluation.study.sources import make_source
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.places import code_of
from vipaint_pyro.priors.fingerprints import fingerprint_of
from vipaint_pyro.samplers.registry import make_sampler
from vipaint_pyro.wording import counted

__all__ = ["Refused", "Study"]


class Refused(ValueError):
    """Methods that cannot do what a plan asks of them.

    Attributes:
        refusals: (method, what it says) -> the conditions that it says so under.
    """

    def __init__(self, refusals: Mapping[tuple[str, str], list[str]]) -> None:
        super().__init__("\n".join(f"{m} under {', '.join(c)}: {said}" for (m, said), c in refusals.items()))
        self.refusals = refusals


class Study:
    """A plan, checked against its prior and its data before anything is computed.

    Args:
        plan: what is to be computed.

    Attributes:
        plan: the same.
        prior: which prior.
        source: the images.
        pictures: number -> which picture it is, of all images of the plan.
        marks: fingerprints of the weights, of the prior ("weights"), of LPIPS ("lpips_weights") and of the network of
            the features ("features_weights"), where there are any.
        settings: of each method under each condition, (method, condition) -> all that are given.

    Raises:
        ValueError, OSError, ImportError: for what cannot be; methods that cannot do a condition are all named at once,
            by a :class:`Refused`.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.prior = PriorName(plan.prior, plan.variant, plan.revision, plan.device, plan.dtype)
        self._pipe, weights = load(self.prior)
        prior = self._pipe.prior
        self.source = make_source(plan.data, plan.split, prior, plan.resize)
        self.source.check(plan.numbers)
        self.pictures = {i: self._picture(i) for i in plan.numbers}
        self._prompts = self._read_prompts()
        self._check_labels()
        self.marks = {"weights": weights, "lpips_weights": fingerprint_of(lpips_of(plan.lpips))}
        self.marks |= self._features_mark()
        self.settings = self._settled()
        self.marks |= self._code_marks()

    def label(self, image: int) -> int | None:
        """The class that a sampler is told."""
        told = self.plan.labels == "true" and self._pipe.prior.num_classes
        return self.source.label(image) if told else None

    def prompt(self, image: int) -> str | None:
        """The text that a sampler is told."""
        return None if self._prompts is None else self._prompts[image]

    def jobs(self, items: Iterable[Item]) -> Iterator[Job]:
        """The jobs of items; those of one image had better follow each other."""
        last: int | None = None
        truth: Any = None
        seen: dict[str, Measurement | Exception] = {}
        for item in items:
            if item.image != last:
                last, truth, seen = item.image, self._tried(partial(self._truth, item.image)), {}
            if item.condition not in seen:
                seen[item.condition] = truth if isinstance(truth, Exception) else self._tried(
                    partial(measured, item.condition, truth, self.plan.seed, item.image)
                )  # fmt: skip
            yield self._job(item, truth, seen[item.condition])

    @property
    def unread(self) -> list[str]:
        """Names of the pictures that cannot be read or taken: their items will fail."""
        return [str(picture.name) for picture in self.pictures.values() if picture.pixels is None]

    def _picture(self, image: int) -> Picture:
        truth = self._tried(lambda: self.source.truth(image))
        return Picture(self.source.name(image), None if isinstance(truth, Exception) else pixels_of(truth))

    def _truth(self, image: int) -> Tensor:
        """An image (1, C, H, W), which is still the one that was there at first."""
        truth, known = self.source.truth(image), self.pictures[image]
        if known.pixels != pixels_of(truth):
            raise ValueError(f"{known.name} has changed while the study was at work: let pictures be, and go on with "
                             "--retry-failed")  # fmt: skip
        return truth[None]

    @staticmethod
    def _tried(make: Callable[[], Any]) -> Any:
        """What is made, or the error in its place, which is then the item's."""
        try:
            return make()
        except FAILURES as error:
            return error

    def _job(self, item: Item, truth: Tensor | Exception, seen: Measurement | Exception) -> Job:
        plan, trouble = self.plan, seen if isinstance(seen, Exception) else None
        return Job(
            item,
            cast(Any, None if trouble else truth),
            cast(Any, None if trouble else seen),
            self.prior,
            self.marks["weights"],
            Spec.of(item.method).method.name,
            settings=self.settings[item.method, item.condition],
            source=self.source.kind,
            picture=self.pictures[item.image],
            split=plan.split,
            num_samples=plan.samples,
            seed=plan.seed,
            label=self.label(item.image),
            prompt=self.prompt(item.image),
            guidance=plan.guidance,
            lpips=plan.lpips,
            features=plan.features,
            keep_samples=plan.keeps(item.image),
            trouble=trouble,
        )

    def _features_mark(self) -> dict[str, str]:
        """The fingerprint of the features' network, once it has taken an image of the prior's size."""
        features = features_of(self.plan.features)
        if features is None:
            return {}
        try:
            features(torch.zeros(1, *self._pipe.prior.image_shape, device="cpu"))
        except ValueError as error:
            raise ValueError(f"features {features.name} cannot be had here: {error}") from error
        return {"features_weights": fingerprint_of(features.network)}

    def _code_marks(self) -> dict[str, str]:
        """Fingerprints of the files that samplers and guides of one's own lie in."""
        names = {Spec.of(method).method.name for method in self.plan.methods}
        names |= {str(given.get("guide_name")) for given in self.settings.values()}
        return {f"code of {name}": code for name in sorted(names) if (code := code_of(name))}

    def _settled(self) -> dict[tuple[str, str], dict]:
        """The settings of all methods under all conditions, once all of them have agreed to a first image."""
        plan, found = self.plan, {}
        refusals: dict[tuple[str, str], list[str]] = {}
        image, truth = plan.first, self.source.truth(plan.first)[None]
        prior = conditioned(self.prior, self.label(image), self.prompt(image), plan.guidance)
        for condition in plan.conditions:
            seen = measured(condition, truth, plan.seed, image).to(prior.device, prior.dtype)
            for method in plan.methods:
                try:
                    settings = settings_of(method, prior, plan.samples, plan.chosen(method, condition))
                    settled = make_sampler(Spec.of(method).method.name, **settings).settle(prior, seen)
                    settled.check_samples(plan.samples)
                    found[method, condition] = settings
                except (ValueError, TypeError) as error:
                    refusals.setdefault((method, str(error)), []).append(condition)
        if refusals:  # by the method, the condition, or settings that cannot be: the error says which
            raise Refused(refusals)
        return found

    def _read_prompts(self) -> list[str] | None:
        plan, takes = self.plan, bool(self._pipe.prior.needs)
        if plan.labels in ("true", "none"):
            if takes and plan.labels == "true":
                raise ValueError("labels is none or a file of prompts, since this prior takes text")
            return None
        if not takes:
            raise ValueError(f"labels is true or none, since this prior takes no text, but is {plan.labels!r}")
        lines = Path(plan.labels).read_text(encoding="utf-8").splitlines()
        if len(lines) < plan.numbers.stop:
            raise ValueError(f"{plan.labels} holds {counted(len(lines), 'prompt')}, one per line from image 0 on, but "
                             f"the last image is {plan.numbers.stop - 1}")  # fmt: skip
        return lines

    def _check_labels(self) -> None:
        plan = self.plan
        labels = dict.fromkeys(map(self.label, plan.numbers))
        told = plan.labels == "true" and self._pipe.prior.num_classes
        if told and set(labels) == {None}:
            raise ValueError("samplers are told classes (labels='true', where nothing else is said), but no image "
                             "asked for has one that the prior knows: give labels='none'"
                             f"{self.source.to_class()}")  # fmt: skip
        for label in labels if not self._pipe.prior.needs else ():
            conditioned(self.prior, label, None, plan.guidance)
