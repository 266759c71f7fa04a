r"""What is measured of the prediction at one noise level, to first order: moments of y given z_t."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vipaint_pyro.measurements.operator import LinearOperator, Operator
from vipaint_pyro.priors.prediction import Prediction

__all__ = ["Linearised"]


def _wide(x: Tensor) -> Tensor:
    """In float32 at least: sigma^2 / alpha is beyond half precision at the noisiest times."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Linearised:
    r"""y of z_0, linear about the prediction, and the covariance of z_0 that the prediction's Jacobian says.

    .. math:: y \approx h(\hat z_0) + H (z_0 - \hat z_0), \quad h = A \circ D, \quad
              \mathrm{Cov}[z_0 | z_t]\,v = \frac{\sigma_t^2}{\alpha_t}\, J^T v, \quad
              J = \frac{\partial \hat z_0}{\partial z_t}

    The true Jacobian is symmetric, so that its transpose, one backward pass, stands for it (Rozet et al.,
    arXiv:2405.13712, section 4.2); a network's is not quite. H is A itself where z_0 is the image. Of a decoder (and of
    a nonlinear A) it is the derivative at the prediction: H^T by a backward pass, H by the backward pass of that one,
    for which attention is computed by its formula (fused kernels have no second derivative).

    What is given is in float32 at least.

    Args:
        operator: A, of N images.
        prediction: at a time t with alpha_t > 0; one without a graph is made anew.
    """

    def __init__(self, operator: Operator, prediction: Prediction) -> None:
        self.operator, self._prior = operator, prediction.known
        z, graph = prediction.z, prediction.z0
        if not graph.requires_grad:
            with torch.enable_grad():
                z = z.detach().requires_grad_()
                graph = prediction.known.denoise(z, prediction.t)
        self._z, self._graph = z, graph
        self.z0 = prediction.z0.detach()
        schedule = prediction.known.schedule
        self.gain = float(schedule.sigma(prediction.t) ** 2 / schedule.alpha(prediction.t))

    @classmethod
    def of(cls, operator: Operator, prediction: Prediction) -> Linearised:
        """The one of this prediction, made when first asked for: a likelihood and a step decode it once."""
        kept = vars(prediction).setdefault("_linearised", {})
        if id(operator) not in kept:
            kept[id(operator)] = cls(operator, prediction)
        return kept[id(operator)]

    @cached_property
    def y(self) -> Tensor:
        """h(z0_hat), (*, N, C', H', W'), without a graph."""
        curved = self.z0 if self._straight else self._curve[1].detach()
        return _wide(self.operator(curved) if self._linear else curved)

    def away(self, y: Tensor) -> Tensor:
        """y - h(z0_hat), (*, N, C', H', W'), 0 where nothing is observed."""
        return torch.where(self.operator.observed, y - self.y, 0)

    def covariance(self, u: Tensor) -> Tensor:
        """Cov[z_0 | z_t] H^T u, (*, N, C, H, W), of u that broadcasts against y and is 0 where nothing is observed."""
        return self.gain * _wide(self._pulled(u))

    def spread(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Cov H^T u, and H Cov H^T u with y's shape, 0 where nothing is observed."""
        pulled = self._pulled(u)
        seen = torch.where(self.operator.observed, self._pushed(pulled), 0)
        return self.gain * _wide(pulled), self.gain * _wide(seen)

    def row_sums(self) -> Tensor:
        """H Cov H^T 1, y's shape, over what is observed: what TMPD takes for variances (Boys et al., arXiv:2310.06721).

        Of a network, or of entries that go against each other, they may lie below 0.
        """
        return self.spread(self.operator.observed.to(self.z0.dtype))[1]

    @property
    def _linear(self) -> bool:
        return isinstance(self.operator, LinearOperator)

    @property
    def _straight(self) -> bool:
        """Whether H is A itself."""
        return self._linear and not self._prior.is_latent

    @cached_property
    def _curve(self) -> tuple[Tensor, Tensor]:
        """A copy of z0_hat, and what is not linear of h, decoder or operator or both, with its graph."""
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            z0 = self.z0.clone().requires_grad_()
            x = self._prior.decode(z0)
            return z0, x if self._linear else self.operator(x)

    @cached_property
    def _slope(self) -> tuple[Tensor, Tensor]:
        """The curve's transposed derivative at a w, linear in w, with its graph; and that w."""
        z0, x = self._curve
        with torch.enable_grad():
            w = torch.zeros_like(x, requires_grad=True)
            (back,) = torch.autograd.grad(x, z0, w, create_graph=True)
        return w, back

    def _pulled(self, u: Tensor) -> Tensor:
        """J^T H^T u."""
        u = u.to(self.z0)
        back = self.operator.adjoint(u) if isinstance(self.operator, LinearOperator) else u
        if not self._straight:
            z0, x = self._curve
            (back,) = torch.autograd.grad(x, z0, back.to(x).expand_as(x), retain_graph=True)
        back = back.to(self._graph).expand_as(self._graph)
        return torch.autograd.grad(self._graph, self._z, back, retain_graph=True)[0]

    def _pushed(self, v: Tensor) -> Tensor:
        """H v."""
        if not self._straight:
            w, back = self._slope
            (v,) = torch.autograd.grad(back, w, v, retain_graph=True)
        return self.operator(v) if self._linear else v
