r"""What every guide over diffusion latents shares."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from pyro.distributions import constraints
from pyro.nn import PyroModule, PyroParam
from torch import Tensor

from vipaint_pyro.guides.levels import Levels
from vipaint_pyro.guides.shares import row
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement, y_for
from vipaint_pyro.models.base import ImageModel, check_model
from vipaint_pyro.priors.codecs import latent_mask
from vipaint_pyro.tensors import check_mode, check_tensor
from vipaint_pyro.wording import shown

__all__ = ["Guide"]

_numbers = itertools.count()


class Guide(Levels, PyroModule):
    """A guide of a :class:`~vipaint_pyro.models.DiffusionModel`: its sites and its call signature.

    Parameters live in the module: ``state_dict()`` is the checkpoint, of tensors alone. A pickle or ``torch.save`` of
    the guide holds no model either; once loaded, :meth:`attach` gives it one. Every guide has a name of its own in
    Pyro's parameter store, so that two fits in one process never touch each other.

    Args:
        model: the model it approximates the posterior of; not registered as a submodule, so that
            Pyro never trains or saves the frozen network.

    Attributes:
        recipe: of a class, what it needs and is, where that is other than its bases': some of the fields ``summary``,
            ``form``, ``levels``, ``joint`` and ``point`` of a :class:`~vipaint_pyro.guides.Recipe`. It is read where
            the class is asked for by its place, ``package.module:Class``.
        pathwise: of a class, whether a draw is a smooth function of its noise, as Gaussians' are; a choice among
            components is none, and has no gradient under ``TraceMeanField_ELBO``.
        fitted_to: y that it was last fitted to by :func:`vipaint_pyro.inference.fit`, (N, C', H', W'), or None.
        fitted_by: the settings of a sampler that fitted it, by name.
    """

    recipe: ClassVar[Mapping[str, object]] = {"form": "marginal"}
    fitted_to: Tensor | None = None
    fitted_by: Mapping[str, object] = MappingProxyType({})
    pathwise: ClassVar[bool] = True

    def __init__(self, model: ImageModel) -> None:
        check_mode("a guide")
        super().__init__(name=self._new_name())
        self._model: tuple[ImageModel | None] = (model,)
        # Pyro makes it where module_local_params is on; the guide may be used there later.
        vars(self._pyro_context).setdefault("param_state", {"params": {}, "constraints": {}})

    @classmethod
    def _new_name(cls) -> str:
        return f"{cls.__name__}_{next(_numbers)}"

    def __getattr__(self, name: str) -> Any:
        if "_pyro_params" not in vars(self):
            kind = type(self).__name__
            raise AttributeError(
                f"{kind}.__init__ does not begin with super().__init__(model), without which a guide has no {name}: "
                "call it first"
            )
        return super().__getattr__(name)

    def __deepcopy__(self, memo):
        """A copy with parameters of its own and a name of its own, for the same model."""
        copy = type(self).__new__(type(self))
        memo[id(self)] = copy
        (model,) = self._model
        memo[id(model)] = model
        Guide.__init__(copy, cast(ImageModel, model))
        memo[id(self._pyro_context)] = copy._pyro_context
        own = ("_model", "_pyro_name", "_pyro_context")
        copy.__dict__.update({k: deepcopy(v, memo) for k, v in self.__dict__.items() if k not in own})
        # Submodules take the new name into theirs, or both copies would share entries of the store.
        copy._pyro_set_supermodule(copy._pyro_name, copy._pyro_context)
        return copy

    def __getstate__(self) -> dict:
        """Everything but the model, whose networks stay where they are, and Pyro's name for this guide."""
        (model,) = self._model
        for parameter in self.parameters():  # Pyro hangs a weak reference on it, anew at every use
            vars(parameter).pop("unconstrained", None)
        state = {k: v for k, v in self.__dict__.items() if k not in ("_model", "_pyro_name", "_pyro_context")}
        return state if model is None else {**state, "_outline": model.outline()}

    def __setstate__(self, state: dict) -> None:
        Guide.__init__(self, cast(ImageModel, None))
        context = self._pyro_context
        self.__dict__.update(state)
        for module in self.modules():  # Pyro gives names to submodules that have not run yet
            if isinstance(module, PyroModule):
                module._pyro_context = context
        self._pyro_set_supermodule(self._pyro_name, context)

    def attach(self, model: ImageModel) -> Guide:
        """Give a guide that was pickled, or saved by ``torch.save``, a model again; it carries none.

        Returns:
            The guide itself, where the model's prior is.

        Raises:
            TypeError: for anything but a model.
            ValueError: for a model of other images, latents or timesteps than the guide was made for.
        """
        check_model(model)
        made_for = vars(self).get("_outline") or self.model.outline()
        if model.outline() != made_for:
            raise ValueError(f"the guide was made for {made_for}, but this model has {model.outline()}")
        self._model = (model,)
        return self.to(model.prior.device)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One run, as PyroModule's; it begins without what the model remembers of runs before."""
        check_mode("a guide")
        self.model.forget()
        return super().__call__(*args, **kwargs)

    @property
    def model(self) -> ImageModel:
        """Raises RuntimeError where the guide was loaded and has none yet."""
        (model,) = self._model
        if model is None:
            raise RuntimeError(
                "a guide is saved without its model: guide.attach(model) gives it one; what a pipeline has fitted is "
                "kept whole by vipaint_pyro.save_guide, and read by load_guide"
            )
        return model

    # -- parameters, one per element and image ----------------------------------------------------

    def measured(self, y: Tensor | Measurement) -> Tensor:
        """y where the prior is, checked.

        Raises:
            ValueError: where y is not what the model measures.
        """
        y = y_for(self.model.operator, self.model.likelihood, y)
        return y.to(self.model.prior.device, self.model.prior.dtype)

    def encoded(self, y: Tensor | Measurement) -> Tensor:
        """The encoded estimate of the operator from measurements y: where means start.

        What is seen of an inpainting, gone on with into its holes as smoothly as can be: from holes in mid-grey fifty
        steps do not always get away. A restoration's own first guess.

        Returns:
            A tensor of latents (N, C, H, W).

        Raises:
            ValueError: where y is not what the model measures.
        """
        with torch.no_grad():
            return self.model.prior.encode(self.model.operator.estimate(self.measured(y)))

    def known_latents(self) -> Tensor:
        """Which latents known pixels decide, bool (N, 1, H, W); all of them but for the holes of a latent prior."""
        operator, prior = self.model.operator, self.model.prior
        if isinstance(operator, Inpainting) and prior.codec.factor > 1:
            return latent_mask(operator.observed, prior.codec.factor)
        return torch.ones(self.model.num_images, 1, 1, 1, dtype=torch.bool, device=prior.device)

    def real(self, name: str, start: Tensor) -> None:
        """A real parameter with an event shape (C, H, W); a TypeError where it does not start as a tensor."""
        check_tensor(f"the start of {name}", start, "(*, C, H, W)", bools=False)
        setattr(self, name, PyroParam(start.clone(), constraints.real, event_dim=3))

    def positive(self, name: str, like: Tensor, value: Tensor | float) -> None:
        """A positive parameter of this tensor's shape; one value everywhere at the start, or a tensor of them.

        Raises:
            ValueError: where they are not positive.
        """
        full = torch.zeros_like(like) + torch.as_tensor(value, dtype=like.dtype, device=like.device)
        if not (full > 0).all():
            raise ValueError(f"{name} is positive, but would start at {shown(value)}")
        setattr(self, name, PyroParam(full, constraints.positive, event_dim=3))

    def unit(self, name: str, like: Tensor, value: Tensor | float) -> None:
        """A parameter between 0 and 1 of this tensor's shape; one value at the start, or a tensor of them.

        Raises:
            ValueError: where they are not.
        """
        full = torch.zeros_like(like) + torch.as_tensor(value, dtype=like.dtype, device=like.device)
        if not ((full > 0) & (full < 1)).all():
            raise ValueError(f"{name} lies between 0 and 1, but would start at {shown(value)}")
        setattr(self, name, PyroParam(full, constraints.unit_interval, event_dim=3))

    @staticmethod
    def learning_rate(name: str) -> float:
        """Adam's rate for a parameter by its name: means, log standard deviations, gamma logits."""
        kind = name.rsplit(".", 1)[-1].split("_")[0]
        return {"mu": 0.1, "tau": 0.02, "gamma": 0.05}.get(kind, 0.05)

    def share(self, name: str, parameter: Tensor, image: int) -> Tensor:
        """A view of what is an image's own of a parameter, by its name in the store; ValueError where nothing is."""
        return row(name, parameter, self.model.num_images, image)

    def finish(self) -> Guide:
        """The guide to draw from once fitted: itself, unless a subclass says otherwise."""
        return self
