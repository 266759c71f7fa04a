"""What a prior's network can be conditioned on: class labels, or tensors made from text."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vipaint_pyro.networks.frozen import frozen
from vipaint_pyro.tensors import check_tensor

__all__ = ["Conditioning", "check_scale"]


def check_scale(guidance_scale: float) -> None:
    """Raise ValueError where a weight of classifier-free guidance is none."""
    number = isinstance(guidance_scale, numbers.Real) and not isinstance(guidance_scale, bool)
    if not number or not math.isfinite(guidance_scale) or guidance_scale < 0:
        raise ValueError(f"guidance_scale is a finite weight of at least 0, but is {guidance_scale!r}")


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a network knows beside z and the time.

    Args:
        num_classes: how many classes, the null class not counted; None for an unconditional network.
        null_class: the class that stands for "no label", where there is one.
        class_names: a name per class, for people.
        class_embedder: from labels (B,) to the ``encoder_hidden_states`` of a network that attends to them.
        needs: the names of the tensors that a text-conditional network takes; empty for any other.
        guidance_embedded: whether the network takes the guidance scale as an input.
    """

    num_classes: int | None = None
    null_class: int | None = None
    class_names: Sequence[str] | None = None
    class_embedder: Callable[[Tensor], Tensor] | None = None
    needs: Sequence[str] = ()
    guidance_embedded: bool = False

    @staticmethod
    def listed(class_labels: object) -> list | None:
        """One label or several as a list, None as it is.

        Raises:
            ValueError: for an empty list.
        """
        if isinstance(class_labels, (Tensor, np.ndarray)):
            class_labels = class_labels.tolist()
        if class_labels is None:
            return None
        if isinstance(class_labels, str) or not isinstance(class_labels, Sequence):
            return [class_labels]
        if not len(class_labels):
            raise ValueError("no class label was given: give one, one for each image, or None for no label")
        return list(class_labels)

    def numbers(self, class_labels: Sequence) -> list[int]:
        """Labels by number or name, None for "no label", as numbers of the network's table.

        Raises:
            ValueError: for a label the network does not know, or no label where it needs one.
        """
        given = [self._number(c) for c in class_labels]
        if self.null_class is None and None in given:
            raise ValueError(f"this prior has no null class, so each image needs a label 0 ... {self._last}")
        labels = [c for c in (self.null_class if c is None else c for c in given) if c is not None]
        known = {*range(self._last + 1), self.null_class}
        wrong = [c for c in labels if c not in known]
        if wrong:
            names = f" ({', '.join(self.class_names or ())})" if self._few_names else ""
            raise ValueError(f"unknown class label {wrong[0]}: known are 0 ... {self._last}{names}")
        return labels

    def check_guidable(self, labels: list[int]) -> None:
        """Raise ValueError where there is nothing to guide away from, or towards."""
        if self.null_class is None:
            raise ValueError("classifier-free guidance needs a network with a null class")
        if set(labels) == {self.null_class}:
            raise ValueError("classifier-free guidance needs a class label to guide towards")

    def check_unlabelled(self, class_labels: Sequence | None, guidance_scale: float) -> None:
        """Raise ValueError where an unconditional prior is given labels, or guided."""
        if guidance_scale != 1:
            raise ValueError("this prior is unconditional: there is nothing to guide, leave guidance_scale at 1")
        if class_labels is not None and any(c is not None for c in class_labels):
            raise ValueError("this prior is unconditional: it takes no class labels")

    def embedded(self, labels: Tensor) -> dict[str, Tensor]:
        """What the network takes for class labels (B,)."""
        if self.class_embedder is None:
            return {"class_labels": labels}
        network = self.class_embedder
        with torch.no_grad(), frozen(network) if isinstance(network, nn.Module) else nullcontext():
            return {"encoder_hidden_states": self.class_embedder(labels)}

    def check_names(self, condition: Mapping[str, Tensor], what: str) -> None:
        """Raise TypeError or ValueError, naming ``what``, where a condition is not ``needs`` by name, N of each."""
        if not self.needs:
            raise ValueError("this prior takes no text")
        if not isinstance(condition, Mapping):
            raise TypeError(
                f"{what} is a dict of tensors named {', '.join(self.needs)}, not a {type(condition).__name__}; "
                "encode_prompt gives two of them: given, negative = pipe.encode_prompt(prompt, negative_prompt)"
            )
        if set(condition) != set(self.needs):
            raise ValueError(
                f"{what} holds {', '.join(sorted(condition))}, but the network takes {', '.join(self.needs)}"
            )
        for name, value in condition.items():
            check_tensor(f"{name} of {what}", value, "(N, ...)")
            if value.ndim == 0:
                raise ValueError(f"{name} of {what} is of shape (N, ...), one entry for each image, but is a number")
        counts = {len(v) for v in condition.values()}
        if len(counts) != 1:
            raise ValueError(
                f"the tensors of {what} are of {', '.join(map(str, sorted(counts)))} images: they must agree"
            )

    @property
    def _few_names(self) -> bool:
        return 0 < len(self.class_names or ()) < 50

    @property
    def _last(self) -> int:
        """The last class."""
        return (self.num_classes or 0) - 1

    def _number(self, label: object) -> int | None:
        """A label by number, by name (capitals do not matter), or None."""
        if label is None or (isinstance(label, numbers.Integral) and not isinstance(label, bool)):
            return label if label is None else int(label)
        if isinstance(label, Tensor) and label.ndim == 0 and not label.is_floating_point():
            return int(label)
        names = [n.lower() for n in self.class_names or ()]
        if isinstance(label, str) and label.strip().lower() in names:
            return names.index(label.strip().lower())
        known = f", or one of {', '.join(names)}" if self._few_names else ", or a name" if names else ""
        raise ValueError(f"unknown class label {label!r}: give a number 0 ... {self._last}{known}")
