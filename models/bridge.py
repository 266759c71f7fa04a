r"""Above T_e: p and q of the transitions between neighbouring levels, side by side.

VIPaint (Agarwal et al., arXiv:2411.18929), eq. 13-14, with z_{T_e} integrated out:

.. math:: KL(q(z_{T_e})\,\|\,p(z_{T_e})) \le KL(q(z_T)\,\|\,p(z_T))
          + \sum_{T_e \le s < t = s + 1} E_{q(z_t)} KL(q(z_s|z_t)\,\|\,p(z_s|z_t))

The model scores z_s under p(z_s | z_t), the guide draws z_t and z_s from q, whose density it knows in closed form
where q(z_{T_e}) is Gaussian. The sum is over a subsampled plate of levels, whose scale makes the estimate unbiased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyro
import pyro.distributions as dist
import torch
from pyro.poutine.messenger import Messenger
from torch import Tensor

from vipaint_pyro.distributions import Unscored
from vipaint_pyro.models.sites import bridge, site
from vipaint_pyro.priors.kernels import forward_step, like
from vipaint_pyro.priors.schedules import NoiseSchedule

if TYPE_CHECKING:
    from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = ["Bridge", "Origins", "p_transitions", "q_terminal", "q_transitions"]


class Origins(Messenger):
    """Where the sites of the bridge came from: marked "p" by the model, "q" by this module, None by anybody else.

    A guide's mark replaces the model's when the model is replayed. Use it innermost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, str | None] = {}

    def _pyro_post_sample(self, msg: Any) -> None:
        self.of[msg["name"]] = msg["infer"].get("bridge")

    def check(self, top: str, terminal: str) -> None:
        """Refuse a guide that gives z_{T_e}, and not q above it.

        Args:
            top: the name of z_{T_e}.
            terminal: the name of z_T.

        Raises:
            TypeError: names the sites that are not there, or not from :func:`q_terminal` and :func:`q_transitions`.
        """
        above = (terminal, "z_t", "z_s")
        if self.of[top] == "p":
            strays = [name for name in above if self.of[name] != "p"]
        else:
            strays = [name for name in above if self.of[name] != "q"]
        if strays:
            raise TypeError(
                f"the bridge form of a model takes a guide that knows q above T_e: {', '.join(strays)} do not come "
                f"with {top} from q_terminal and q_transitions of vipaint_pyro.models.bridge. Subclass MarkovGuide, "
                "which sees to that, or give the model form='marginal'; a guide that was made for a model of other "
                "timesteps is made anew for this one"
            )


def p_transitions(model: DiffusionModel, z_e: Tensor) -> None:
    """The model's sites ``z_t`` and ``z_s``: p(z_s | z_t), z_t drawn by noising z_{T_e} where no guide gives it.

    Args:
        z_e: z_{T_e} with shape (*, N, C, H, W).
    """
    prior, e = model.prior, model.timesteps[0]
    with model.noise_levels() as n:
        s = e + torch.as_tensor(n, device="cpu")[:, None]
        a, v = forward_step(prior.schedule, e, s + 1)
        noised = dist.Normal(like(a, z_e) * z_e, like(v, z_e).sqrt())
        z_t = pyro.sample("z_t", Unscored.given(noised.to_event(3), z_e), infer=bridge("p"))
        step = prior.transition(z_t, s + 1, s)
        with model.draws():
            pyro.sample("z_s", step, infer=bridge("p"))


def q_transitions(model: DiffusionModel, mean: Tensor, std: Tensor) -> None:
    """The same sites of a guide whose q(z_{T_e}) is N(mean, std^2): q(z_t) and q(z_s | z_t), without a network call."""
    e = model.timesteps[0]
    q = Bridge(model.prior.schedule, e, mean, std)
    with model.noise_levels() as n:
        s = e + torch.as_tensor(n, device="cpu")[:, None]
        m_t, V_t = q.marginal(s + 1)
        z_t = pyro.sample("z_t", dist.Normal(m_t, V_t.sqrt()).to_event(3).mask(False), infer=bridge("q"))
        m_s, std_s = q.conditional(z_t, s + 1, s)
        with model.draws():
            pyro.sample("z_s", dist.Normal(m_s, std_s).to_event(3), infer=bridge("q"))


def q_terminal(model: DiffusionModel, mean: Tensor, std: Tensor) -> None:
    """The site z_T of a guide whose q(z_{T_e}) is N(mean, std^2)."""
    m_T, V_T = Bridge(model.prior.schedule, model.timesteps[0], mean, std).marginal(model.last)
    pyro.sample(site(model.last), dist.Normal(m_T, V_T.sqrt()).to_event(3), infer=bridge("q"))


class Bridge(NamedTuple):
    r"""What q(z_e) = N(m_e, tau^2) becomes above the level e, when noised by the forward process.

    .. math:: q(z_t) = N(m_t, V_t), \quad m_t = a_{te} m_e, \quad V_t = a_{te}^2\tau^2 + v_{te}
    .. math:: q(z_s | z_t) = N\Big(m_s + \frac{V_s a_{ts}}{V_t}(z_t - m_t),\;
              \frac{V_s v_{ts}}{V_t}\Big), \quad e \le s < t

    This is the part of the bound above T_e (paper eq. 13-14) with z_{T_e} integrated out, so that
    the entropy of q(z_{T_e}) is included and no term is singular.

    Args:
        schedule: the noise levels.
        e: the level of the Gaussian.
        mean: m_e, with shape (*, C, H, W).
        std: tau, with a shape that broadcasts against it.
    """

    schedule: NoiseSchedule
    e: int
    mean: Tensor
    std: Tensor

    def marginal(self, t: int | Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of q(z_t), t >= e."""
        a, v = forward_step(self.schedule, self.e, torch.as_tensor(t, device="cpu"))
        return like(a, self.mean) * self.mean, like(a**2, self.mean) * self.std**2 + like(v, self.mean)

    def conditional(self, z_t: Tensor, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z_s | z_t)."""
        a, v = forward_step(self.schedule, s, t)
        m_t, V_t = self.marginal(t)
        m_s, V_s = self.marginal(s)
        return m_s + V_s * like(a, z_t) / V_t * (z_t - m_t), (V_s * like(v, z_t) / V_t).sqrt()
