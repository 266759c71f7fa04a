r"""What every guide over diffusion latents shares."""

from __future__ import annotations

import itertools
from copy import deepcopy

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn import PyroModule, PyroParam
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import check_y
from vipaint_pyro.measurements.operator import estimate
from vipaint_pyro.models.diffusion import DiffusionModel, site
from vipaint_pyro.priors.codecs import latent_mask
from vipaint_pyro.priors.kernels import Bridge

__all__ = ["Guide"]

_numbers = itertools.count()


class Guide(PyroModule):
    """A guide of a :class:`~vipaint_pyro.models.DiffusionModel`: its sites and its call signature.

    Parameters live in the module: ``state_dict()`` is the checkpoint. Every guide has a name of its
    own in Pyro's parameter store, so that two fits in one process never touch each other.

    Args:
        model: the model it approximates the posterior of; not registered as a submodule, so that
            Pyro never trains or saves the frozen network.
    """

    def __init__(self, model: DiffusionModel) -> None:
        super().__init__(name=self._new_name())
        self._model = (model,)

    @classmethod
    def _new_name(cls) -> str:
        return f"{cls.__name__}_{next(_numbers)}"

    def __deepcopy__(self, memo):
        """A copy with parameters of its own and a name of its own, for the same model."""
        copy = type(self).__new__(type(self))
        memo[id(self)] = copy
        memo[id(self.model)] = self.model
        Guide.__init__(copy, self.model)
        memo[id(self._pyro_context)] = copy._pyro_context
        own = ("_model", "_pyro_name", "_pyro_context")
        copy.__dict__.update({k: deepcopy(v, memo) for k, v in self.__dict__.items() if k not in own})
        # Submodules take the new name into theirs, or both copies would share entries of the store.
        copy._pyro_set_supermodule(copy._pyro_name, copy._pyro_context)
        return copy

    @property
    def model(self) -> DiffusionModel:
        return self._model[0]

    # -- parameters, one per element and image ----------------------------------------------------

    def check_measurements(self, y: Tensor) -> None:
        """Raise ValueError where y is not what the model measures; see :func:`~vipaint_pyro.measurements.measurement.check_y`."""
        check_y(self.model.operator, y, self.model.prior, getattr(self.model, "likelihood", None))

    def encoded(self, y: Tensor) -> Tensor:
        """The encoded :func:`~vipaint_pyro.measurements.operator.estimate` of measurements y: where means start.

        The adjoint of an inpainting, holes in mid-grey; a restoration's own first guess.

        Returns:
            A tensor of latents (N, C, H, W).

        Raises:
            ValueError: where y holds another number of images than the model.
        """
        self.check_measurements(y)
        model, prior = self.model, self.model.prior
        with torch.no_grad():
            return prior.encode(estimate(model.operator, y.to(prior.device, prior.dtype)))

    def known_latents(self) -> Tensor:
        """Which latents known pixels decide, bool (N, 1, H, W); all of them but for the holes of a latent prior."""
        operator, prior = self.model.operator, self.model.prior
        factor = getattr(prior.codec, "factor", 1)  # a codec of the user's own may not say
        if isinstance(operator, Inpainting) and factor > 1:
            return latent_mask(operator.observed, factor)
        return torch.ones(self.model.num_images, 1, 1, 1, dtype=torch.bool, device=prior.device)

    def real(self, name: str, start: Tensor) -> None:
        """A real parameter with an event shape (C, H, W)."""
        setattr(self, name, PyroParam(start.clone(), constraints.real, event_dim=3))

    def positive(self, name: str, like: Tensor, value: Tensor | float) -> None:
        """A positive parameter of this tensor's shape; one value everywhere at the start, or a tensor of them."""
        full = torch.zeros_like(like) + torch.as_tensor(value, dtype=like.dtype, device=like.device)
        setattr(self, name, PyroParam(full, constraints.positive, event_dim=3))

    def unit(self, name: str, like: Tensor, value: Tensor | float) -> None:
        """A parameter between 0 and 1 of this tensor's shape; one value at the start, or a tensor of them."""
        full = torch.zeros_like(like) + torch.as_tensor(value, dtype=like.dtype, device=like.device)
        setattr(self, name, PyroParam(full, constraints.unit_interval, event_dim=3))

    @staticmethod
    def learning_rate(name: str) -> float:
        """Adam's rate for a parameter by its name: means, log standard deviations, gamma logits."""
        kind = name.rsplit(".", 1)[-1].split("_")[0]
        return {"mu": 0.1, "tau": 0.02, "gamma": 0.05}.get(kind, 0.05)

    # -- above T_e --------------------------------------------------------------------------------

    def bridge(self, mean: Tensor, std: Tensor) -> None:
        r"""The sites above T_e of a guide whose q(z_{T_e}) is N(mean, std^2).

        q(z_t) and q(z_s | z_t) are known in closed form there; no network call is made.
        Call it where the model comes to them: after ``z_{T}`` and ``z_{T_e}``.
        """
        model = self.model
        q = Bridge(model.prior.schedule, model.timesteps[0], mean, std)
        with model.noise_levels() as n:
            s = model.timesteps[0] + torch.as_tensor(n)[:, None]
            m_t, V_t = q.marginal(s + 1)
            z_t = pyro.sample("z_t", dist.Normal(m_t, V_t.sqrt()).to_event(3).mask(False))
            m_s, std_s = q.conditional(z_t, s + 1, s)
            with model.draws():
                pyro.sample("z_s", dist.Normal(m_s, std_s).to_event(3))

    def terminal(self, mean: Tensor, std: Tensor) -> None:
        r"""The site z_T of a guide whose q(z_{T_e}) is N(mean, std^2)."""
        model = self.model
        q = Bridge(model.prior.schedule, model.timesteps[0], mean, std)
        m_T, V_T = q.marginal(model.last)
        pyro.sample(site(model.last), dist.Normal(m_T, V_T.sqrt()).to_event(3))
