"""A prior given class labels or text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from vipaint_pyro.priors.conditioning import Conditioning, check_scale
from vipaint_pyro.priors.guidance import GuidedDenoiser, unguided
from vipaint_pyro.settings import settled
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from vipaint_pyro.priors.denoisers import Denoiser
    from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["Conditionable"]


class Conditionable:
    """The part of a :class:`~vipaint_pyro.DiffusionPrior` that takes labels and text.

    Attributes:
        conditioning: what the network can be conditioned on.
    """

    conditioning: Conditioning = Conditioning()
    _condition: Any = None
    _labels: Tensor | None = None
    if TYPE_CHECKING:  # of the prior that this is a part of
        denoiser: Denoiser

        @property
        def device(self) -> torch.device: ...

        @property
        def dtype(self) -> torch.dtype: ...

    @property
    def num_classes(self) -> int | None:
        """How many classes the network knows, the null class not counted; None for an unconditional one."""
        return self.conditioning.num_classes

    @property
    def null_class(self) -> int | None:
        """The class that stands for "no label", where there is one."""
        return self.conditioning.null_class

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """A name per class, for people."""
        return tuple(self.conditioning.class_names) if self.conditioning.class_names else None

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the tensors that a text-conditional network takes; empty for any other."""
        return tuple(self.conditioning.needs)

    @property
    def guidance_embedded(self) -> bool:
        """Whether the network takes the guidance scale as an input."""
        return self.conditioning.guidance_embedded

    @property
    def class_labels(self) -> Tensor | None:
        """The labels this prior was conditioned on, with shape (N,), or None."""
        return self._labels

    @property
    def num_conditions(self) -> int | None:
        """How many labels or prompts this prior was conditioned on; None for none."""
        return None if self._condition is None else len(tree_leaves(self._condition)[0])

    def conditioned(
        self, class_labels: int | str | Sequence[int | str | None] | Tensor | None, guidance_scale: float = 1.0
    ) -> DiffusionPrior:
        """This prior given a class label per image.

        Args:
            class_labels: N numbers or names, or one for any number of images; None stands for "no label" (the null
                class).
            guidance_scale: the weight w of classifier-free guidance, used alike in fitting and
                in sampling; 1 = the conditional model.

        Raises:
            ValueError: for a label the network does not know, no label where it needs one, or
                guidance without a null class.
        """
        check_scale(guidance_scale)
        class_labels = self.conditioning.listed(class_labels)
        known = self.conditioning
        if known.num_classes is None:
            known.check_unlabelled(class_labels, guidance_scale)
            return cast("DiffusionPrior", self)
        labels = known.numbers([None] if class_labels is None else class_labels)
        index, null = torch.tensor(labels, device=self.device), None
        if guidance_scale != 1:
            known.check_guidable(labels)
            null = known.embedded(torch.full_like(index, settled(known.null_class)))
        return self._given(known.embedded(index), null, guidance_scale, index)

    def prompted(
        self,
        condition: Mapping[str, Tensor],
        negative: Mapping[str, Tensor] | None = None,
        guidance_scale: float = 1.0,
    ) -> DiffusionPrior:
        """This prior given what its network takes beside z and the time, one per image or one for all.

        ``VIPaintPipeline.encode_prompt`` makes both from text.

        Args:
            condition: tensors by the network's own names, each (N, ...): :attr:`needs` lists them.
            negative: the same for the negative (or the empty) prompt.
            guidance_scale: the weight w of classifier-free guidance, in fitting and in sampling;
                1 = the conditional model. Where the network takes it as an input (:attr:`guidance_embedded`),
                it is given to it.

        Raises:
            TypeError: for anything but tensors by name.
            ValueError: for other names, another number of entries or other shapes, guidance without ``negative``, or
                ``negative`` without guidance.
        """
        check_scale(guidance_scale)
        self.conditioning.check_names(condition, "condition")
        condition = self._placed(condition)
        if self.guidance_embedded:
            if negative is not None:
                raise ValueError("this network takes the guidance scale as an input, and no negative prompt")
            count = len(tree_leaves(condition)[0])
            condition["guidance"] = torch.full((count,), float(guidance_scale), dtype=self.dtype, device=self.device)
            return self._given(condition, None, 1.0)
        if guidance_scale != 1:
            if negative is None:
                raise ValueError("classifier-free guidance needs the embeddings of a negative or an empty prompt")
            self.conditioning.check_names(negative, "negative")
            negative = self._placed(negative)
            for name, value in negative.items():
                shape = tuple(condition[name].shape)
                if len(value) not in (1, shape[0]) or tuple(value.shape[1:]) != shape[1:]:
                    raise ValueError(
                        f"{name} of negative is of shape {tuple(value.shape)}, but that of condition {shape}: they "
                        "agree, or negative holds one entry for all"
                    )
        elif negative is not None:
            raise ValueError(
                "negative does nothing without guidance: leave it out, or give a guidance_scale other than 1"
            )
        return self._given(condition, negative, guidance_scale)

    @property
    def guided(self) -> bool:
        """Whether the weight of guidance can still be changed: it was not 1 at first, or is an input of the network."""
        return isinstance(self.denoiser, GuidedDenoiser) or (self._condition is not None and self.guidance_embedded)

    def guide_by(self, guidance_scale: float) -> None:
        """Change the weight of guidance of this prior and of all its copies, from the next call on.

        Raises:
            ValueError: where it is no weight, or there is nothing to guide away from.
        """
        check_scale(guidance_scale)
        if isinstance(self.denoiser, GuidedDenoiser):
            self.denoiser.weight = float(guidance_scale)
        elif self.guided:
            self._condition["guidance"] = torch.full_like(self._condition["guidance"], float(guidance_scale))
        elif guidance_scale != 1:
            raise ValueError(
                f"guidance_scale cannot become {guidance_scale:g}: this prior was conditioned without guidance, "
                "start with a guidance_scale other than 1"
            )

    def embeddings(self) -> dict[str, Tensor]:
        """What a guided network is given for texts, by its own names, the null ones first: (2 N, ...) each.

        Empty for a prior without text, or without classifier-free guidance.
        """
        if not self.needs or not isinstance(self.denoiser, GuidedDenoiser):
            return {}
        given, null = self._condition["given"], self._condition["null"]
        return {name: torch.cat([null[name], given[name]]) for name in given}

    def embed(self, embeddings: Mapping[str, Tensor]) -> None:
        """Put others in place of :meth:`embeddings` in this prior and all its copies, from the next call on.

        Args:
            embeddings: some of them or all, (2 N, ...) each; or (N, ...), the given alone, which ends the guidance.

        Raises:
            ValueError: for another number or shape.
        """
        count, own = self.num_conditions or 0, self.embeddings()
        for name, value in embeddings.items():
            check_tensor(name, value, "(2 N, ...) or (N, ...)")
            if name not in own or len(value) not in (count, 2 * count) or value.shape[1:] != own[name].shape[1:]:
                raise ValueError(
                    f"{name} is of shape {tuple(own[name].shape) if name in own else None}, its second half alone, "
                    f"or not replaced, not {tuple(value.shape)}"
                )
        for name, value in self._placed(embeddings).items():
            self._condition["given"] = {**self._condition["given"], name: value[-count:]}
            if len(value) == count:
                cast(GuidedDenoiser, self.denoiser).weight = 1.0
            else:
                self._condition["null"] = {**self._condition["null"], name: value[:count]}

    def _placed(self, condition: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """On the network's device, in its own precision."""
        # Embeddings made in inference mode could take part in no gradient.
        condition = {k: v.clone() if v.is_inference() else v for k, v in condition.items()}
        return {k: v.detach().to(self.device, self.denoiser.condition_dtype) for k, v in condition.items()}

    def _given(self, condition: dict, null: dict | None, weight: float, labels: Tensor | None = None) -> DiffusionPrior:
        new = cast("DiffusionPrior", copy(self))
        new._labels, new._condition, new.denoiser = labels, condition, unguided(self.denoiser)
        if weight != 1:
            count = len(tree_leaves(condition)[0])
            wide = {k: v.expand(count, *v.shape[1:]) for k, v in (null or {}).items()}
            new._condition = {"given": condition, "null": wide}
            new.denoiser = GuidedDenoiser(new.denoiser, weight)
        return new

    def check_images(self, num_images: int) -> None:
        """Raise ValueError where this prior was conditioned for another number of images."""
        if self.num_conditions not in (None, 1, num_images):
            what = counted(self.num_conditions, "prompt" if self._labels is None else "class label")
            raise ValueError(f"{what} for {counted(num_images, 'image')}")

    def _condition_of(self, batch: torch.Size) -> dict | None:
        """The condition of z with batch shape (*, N), flattened to (B, ...).

        Raises:
            ValueError: for a prior that needs a label or a text and was given none.
        """
        condition = self._condition
        if condition is None and self.num_classes is not None:
            condition = self.conditioned(None)._condition
        if condition is None and self.needs:
            raise ValueError("this prior is conditioned on text: give a prompt first (VIPaintPipeline, or prompted)")
        if condition is None:
            return None
        return tree_map(lambda v: v.expand(*batch, *v.shape[1:]).reshape(-1, *v.shape[1:]), condition)
