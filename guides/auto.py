r"""Pyro's AutoGuides by name, started and weighted as the other guides are."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import autoguide
from pyro.infer.autoguide import AutoMessenger
from torch import Tensor

from vipaint_pyro.guides.auto_names import AUTO_GUIDES, JOINT, NO_AUTO_GUIDES
from vipaint_pyro.guides.auto_parts import TakenWhole, default_tensors, flatten, gaussians, place_flow, untie, untracked
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.guides.keeping import KeepsY
from vipaint_pyro.guides.quantiles import drawn
from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.models.sites import site
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.randomness import isolated

__all__ = ["AUTO_GUIDES", "JOINT", "NO_AUTO_GUIDES", "PyroAutoGuide", "pyro_options"]

#: What of Pyro's options is settled here: where a guide starts, and its plates.
_SETTLED = ("model", "init_loc_fn", "init_scale", "init_weight", "hierarchical_sites", "create_plates")


def pyro_options(name: str) -> list[Parameter]:
    """The options of an AutoGuide, such as ``rank``, that :class:`PyroAutoGuide` hands on to it."""
    taken = signature(getattr(autoguide, name)).parameters.values()
    return [p for p in taken if p.name not in _SETTLED and p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]


class PyroAutoGuide(Guide, KeepsY):
    r"""An AutoGuide of :mod:`pyro.infer.autoguide` over the latents of a diffusion model.

    It starts where the other guides do: at alpha_t times the encoded estimate of y, with standard
    deviation sigma_{T_e} at T_e and a fraction of the prior's own one below (``AutoRegressiveMessenger``
    and ``AutoHierarchicalNormalMessenger`` at the same mixture of this with the prior's step that the
    hierarchical guide starts from). Its sites carry the model's weight beta, which AutoGuides would leave at 1.

    Those of :data:`JOINT` are one approximation of all images together: the images of a batch then share their
    draws and, where there is a covariance, one posterior. Samplers take one image at a time of them.

    Args:
        model: the model in its marginal form.
        y: measurements (N, C', H', W'), 0 where not observed.
        name: one of :data:`AUTO_GUIDES`.
        gamma: how much of the prior's step the two messengers named above start with.
        std_scale: as in :class:`~vipaint_pyro.guides.HierarchicalGuide`.
        seed: of what an AutoGuide draws for its start; the global state is left alone.
        **options: of the AutoGuide, such as ``rank``, ``hidden_dim`` or ``conditionals``.

    Raises:
        ValueError: for an unknown name, a model in bridge form, or where y does not fit it; for
            ``AutoRegressiveMessenger``, where the prior has no closed p(z_{T_e}).
    """

    if TYPE_CHECKING:

        @property
        def model(self) -> DiffusionModel: ...

    def __init__(
        self,
        model: DiffusionModel,
        y: Tensor,
        name: str,
        *,
        gamma: float = 0.88,
        std_scale: float = 0.7,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if name not in AUTO_GUIDES:
            reason = NO_AUTO_GUIDES.get(name, f"there are {', '.join(AUTO_GUIDES)}")
            raise ValueError(f"{name} is no guide for a diffusion model: {reason}")
        if model.bridged:
            raise ValueError(f"{name} does not know q above T_e in closed form: give it a model with form='marginal'")
        if (
            name == "AutoRegressiveMessenger"
            and model.num_transitions
            and model.prior.marginal(model.timesteps[0]) is None
        ):
            raise ValueError(
                f"{name} scales and shifts p(z_{{T_e}}), of which this prior knows no density: it has no bound"
            )
        super().__init__(model)
        self.kind, self._y = name, self.measured(y)
        self._made = {"gamma": gamma, "std_scale": std_scale, "seed": seed, **options}
        encoded, schedule = self.encoded(y), model.prior.schedule
        loc = {t: float(schedule.alpha(t)) * encoded for t in model.timesteps}
        std = {model.timesteps[0]: float(schedule.sigma(model.timesteps[0]))}
        for t, s in zip(model.timesteps, model.timesteps[1:]):
            std[s] = std_scale * float(reverse_step(schedule, t, s, model.eta)[-1])

        options["init_loc_fn"] = lambda msg: loc[int(msg["name"][2:])].clone()
        if name == "AutoRegressiveMessenger":
            options["init_scale"] = gamma
        elif name == "AutoHierarchicalNormalMessenger":
            options |= {"init_weight": gamma, "hierarchical_sites": [site(t) for t in model.timesteps[1:]]}
        elif name == "AutoIAFNormal":
            del options["init_loc_fn"]
        with isolated(seed), torch.no_grad(), untracked(), default_tensors(model.prior), model.predictions():
            self.auto = getattr(autoguide, name)(model, **options)
            if name == "AutoIAFNormal":
                place_flow(self.auto, flatten(loc), flatten({t: torch.full_like(encoded, v) for t, v in std.items()}))
            self(y)
            if name == "AutoIAFNormal":
                untie(self.auto)
            self._start(loc, std, gamma)

    def _start(self, loc: dict[int, Tensor], std: dict[int, float], gamma: float) -> None:
        """Give every level the width, and the weighted messenger the mean, that Pyro's options cannot."""
        auto, kind = self.auto, self.kind
        if kind == "AutoRegressiveMessenger":
            return
        if kind in ("AutoDiagonalNormal", "AutoMultivariateNormal", "AutoLowRankMultivariateNormal"):
            scale = flatten({t: torch.full_like(loc[t], v) for t, v in std.items()})
            # Half of the variance is that of the low rank part.
            auto.scale = scale * (0.5**0.5 if kind == "AutoLowRankMultivariateNormal" else 1.0)
        elif hasattr(auto, "scales"):
            for t, v in std.items():
                setattr(auto.scales, site(t), torch.full_like(getattr(auto.scales, site(t)), v))
        if kind == "AutoHierarchicalNormalMessenger":
            for t in self.model.timesteps[1:]:
                known = getattr(auto.locs, site(t))
                setattr(auto.locs, site(t), ((1 - gamma) * loc[t]).reshape(known.shape))

    def kept_y(self) -> Tensor | None:
        """The measurements that a messenger runs the model with."""
        return self._y if isinstance(self.auto, AutoMessenger) else None

    @staticmethod
    def learning_rate(name: str) -> float:
        """Adam's rate for a parameter by its name: means, widths, and all that couples entries."""
        parts = set(name.split("."))
        return 0.05 if parts & {"loc", "locs"} else 0.02 if parts & {"scale", "scales", "weights"} else 5e-3

    def forward(self, y: Tensor | None = None) -> Tensor:
        """Run the guide; y is not looked at, it is there since the model takes it.

        Returns:
            z_{T_s} with shape (*, N, C, H, W).
        """
        model = self.model
        messenger = isinstance(self.auto, AutoMessenger)
        # A messenger runs the model itself: under its weight, and with its measurement.
        weight = poutine.scale(scale=1.0 if messenger else model.beta)
        with default_tensors(model.prior), poutine.block(hide=["x", "y"]), weight, TakenWhole():
            return self.auto(self._y)[site(model.timesteps[-1])]

    def marginals(self) -> dict[int, dist.Normal]:
        """q(z_t) of the AutoGuides that are Gaussian and independent, or know the widths of a joint Gaussian."""
        shape = (self.model.num_images, *self.model.prior.latent_shape)
        known = gaussians(self.auto)
        return {
            t: dist.Normal(known[site(t)][0].reshape(shape), known[site(t)][1].reshape(shape))
            for t in self.model.timesteps
            if site(t) in known
        }

    def point(self) -> dict[str, Tensor] | None:
        """The latents of ``AutoDelta``, and of ``AutoLaplaceApproximation`` before it is finished."""
        if self.kind not in ("AutoDelta", "AutoLaplaceApproximation"):
            return None
        return {name: z[0] for name, z in drawn(self, 1).items()}

    @property
    def _called(self) -> str:
        return self.kind + (" before finish()" if self.kind == "AutoLaplaceApproximation" else "")

    def __deepcopy__(self, memo):
        """A copy with parameters of its own and a name of its own, for the same model."""
        if self._model[0] is None:
            return super().__deepcopy__(memo)
        kept, trace = self.auto._model, vars(self.auto).get("prototype_trace")
        memo[id(trace)] = trace
        with torch.no_grad(), poutine.block(), isolated():
            self(self._y)  # so that flows remember no graph, which cannot be copied
        twin = super().__deepcopy__(memo)
        # Copying an AutoGuide takes its model away, from both.
        self.auto._model = twin.auto._model = kept
        return twin

    def __getstate__(self) -> dict:
        """How the AutoGuide was made and its parameters: itself it holds the model, and cannot be pickled."""
        state = super().__getstate__()
        if self._model[0] is None:
            return state
        weights = {k: v.detach().clone() for k, v in self.state_dict().items()}
        return {**state, "_modules": {}, "_weights": weights}

    def attach(self, model: ImageModel) -> PyroAutoGuide:
        weights = vars(self).get("_weights") or self.state_dict()
        super().attach(model)
        made = PyroAutoGuide(self.model, self._y.to(model.prior.device), self.kind, **self._made)
        made.load_state_dict(weights)
        self.__dict__.clear()
        self.__dict__.update(made.__dict__)
        return self

    def finish(self) -> PyroAutoGuide:
        """The Laplace approximation at the point fitted, for ``AutoLaplaceApproximation``; else itself.

        It costs a backward pass per entry of the latents, and a matrix of them squared: for small ones.

        Raises:
            ValueError: where the point is no maximum.
        """
        if self.kind != "AutoLaplaceApproximation":
            return self
        try:
            with default_tensors(self.model.prior), poutine.block():
                found = self.auto.laplace_approximation(self._y)
        except torch.linalg.LinAlgError as error:
            raise ValueError("the latents fitted are at no maximum yet: fit for longer, then finish") from error
        done = PyroAutoGuide(self.model, self._y, "AutoMultivariateNormal")
        done.fitted_to = self.fitted_to
        with torch.no_grad():
            factor = found.scale[..., None] * found.scale_tril
            scale = factor.diagonal(dim1=-2, dim2=-1)
            done.auto.loc.copy_(found.loc)
            # The bound weighs the prior by beta and q's entropy likewise: its best q is that much wider.
            done.auto.scale = scale * self.model.beta**0.5
            done.auto.scale_tril = factor / scale[..., None]
        for v in done.parameters():  # as files take them; Cholesky's comes column by column
            v.data = v.data.contiguous()
        return done
