r"""VIPaint (Agarwal et al., arXiv:2411.18929) in one file, with vipaint_pyro's names and numbers (the tests compare).
Times fall from T = last to T_e = timesteps[0] and on to T_s = timesteps[-1]; time -1 is the clean image. Compute in
float64: neighbouring noise levels differ by little. Run it: python examples/06_mini_vipaint.py [--smoke]"""

import sys

import PIL.Image
import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.infer import SVI, TraceMeanField_ELBO
from pyro.nn import PyroModule, PyroParam

import vipaint_pyro as library  # for the prior and the mask of main() alone
from vipaint_pyro.measurements.masks import rotated_window


class NoiseSchedule:
    """z_t = alpha_t z_0 + sigma_t noise. Coefficients broadcast over (C, H, W)."""

    def __init__(self, alphas_cumprod):
        abar = torch.cat([alphas_cumprod.double(), torch.ones(1).double()])  # -1: the clean image
        self.alphas, self.sigmas, self.last = abar.sqrt(), (1 - abar).sqrt(), len(abar) - 2

    def alpha(self, t):
        return self.alphas[t][..., None, None, None]

    def sigma(self, t):
        return self.sigmas[t][..., None, None, None]

    def forward_step(self, s, t):
        """Noising: z_t given z_s is N(a z_s, v)."""
        a = self.alpha(t) / self.alpha(s)
        return a, self.sigma(t) ** 2 - a**2 * self.sigma(s) ** 2

    def reverse_step(self, z_t, z0, t, s):
        """Denoising: mean and std of z_s given z_t, where z0 = E[z_0 | z_t] stands for z_0."""
        a, v = self.forward_step(s, t)
        mean = (self.alpha(s) * v * z0 + a * self.sigma(s) ** 2 * z_t) / self.sigma(t) ** 2
        return mean, v.sqrt() * self.sigma(s) / self.sigma(t)


def normal(mean, std):
    return dist.Normal(mean, std).to_event(3)


class DiffusionModel:
    """p: the diffusion model from T down to T_s, then what is seen of its prediction there."""

    def __init__(self, schedule, denoise, observed, timesteps, scale=1.0, num_levels=4):
        self.schedule, self.denoise, self.observed = schedule, denoise, observed
        self.timesteps, self.scale, self.num_levels = timesteps, scale, num_levels

    def reverse(self, z_t, t, s):
        return self.schedule.reverse_step(z_t, self.denoise(z_t, t), t, s)

    def noise_levels(self):
        """A few of the transitions above T_e; Pyro scales what is inside up to all of them."""
        size = self.schedule.last - self.timesteps[0]
        return pyro.plate("noise_levels", size, subsample_size=min(self.num_levels, size), dim=-2)

    def __call__(self, y):
        e, last, anywhere = self.timesteps[0], self.schedule.last, normal(torch.zeros_like(y), 1.0).mask(False)
        with pyro.plate("images", len(y), dim=-1):
            # log p(z_e) is not known: the bound goes through a noised copy of z_e, from T to e.
            pyro.sample(f"z_{last}", normal(torch.zeros_like(y), 1.0))
            z = pyro.sample(f"z_{e}", anywhere)  # a site without a density
            with self.noise_levels() as n:
                s = e + n[:, None]
                z_t = pyro.sample("z_t", anywhere)
                pyro.sample("z_s", normal(*self.reverse(z_t, s + 1, s)))
            for t, s in zip(self.timesteps, self.timesteps[1:]):
                z = pyro.sample(f"z_{s}", normal(*self.reverse(z, t, s)))
            x = self.denoise(z, self.timesteps[-1])
            pyro.sample("y", dist.Laplace(x, self.scale).mask(self.observed).to_event(3), obs=y)


class HierarchicalGuide(PyroModule):
    """q: a Gaussian at T_e; below it the prior's own step, drawn by gamma towards a free mean."""

    def __init__(self, model, y, gamma=0.88, std_scale=0.7):
        super().__init__()
        self.model, full, schedule = model, torch.full_like, model.schedule
        for t, s in zip((None, *model.timesteps), model.timesteps):
            std = schedule.sigma(s) if t is None else std_scale * schedule.reverse_step(0, 0, t, s)[1]
            setattr(self, f"mu_{s}", PyroParam(y.clone(), constraints.real, event_dim=3))
            setattr(self, f"tau_{s}", PyroParam(full(y, std.item()), constraints.positive, event_dim=3))
            if t is not None:
                setattr(self, f"gamma_{s}", PyroParam(full(y, gamma), constraints.unit_interval, event_dim=3))

    def noised(self, t):
        """Mean and variance of q(z_t), t >= T_e: the Gaussian at T_e, noised further."""
        e = self.model.timesteps[0]
        a, v = self.model.schedule.forward_step(e, t)
        return a * self.model.schedule.alpha(e) * getattr(self, f"mu_{e}"), a**2 * getattr(self, f"tau_{e}") ** 2 + v

    def forward(self, y=None):
        model, schedule = self.model, self.model.schedule
        e, last = model.timesteps[0], schedule.last
        with pyro.plate("images", model.observed.shape[0], dim=-1):
            (m_T, V_T), (m_e, V_e) = self.noised(last), self.noised(e)
            pyro.sample(f"z_{last}", normal(m_T, V_T.sqrt()))
            z = pyro.sample(f"z_{e}", normal(m_e, V_e.sqrt()).mask(False))
            with model.noise_levels() as n:
                s = e + n[:, None]
                (m_s, V_s), (m_t, V_t), (a, v) = self.noised(s), self.noised(s + 1), schedule.forward_step(s, s + 1)
                z_t = pyro.sample("z_t", normal(m_t, V_t.sqrt()).mask(False))
                pyro.sample("z_s", normal(m_s + V_s * a / V_t * (z_t - m_t), (V_s * v / V_t).sqrt()))
            for t, s in zip(model.timesteps, model.timesteps[1:]):
                mu, tau, gamma = (getattr(self, f"{name}_{s}") for name in ("mu", "tau", "gamma"))
                prior_mean, _ = model.reverse(z, t, s)
                z = pyro.sample(f"z_{s}", normal(gamma * prior_mean + (1 - gamma) * schedule.alpha(s) * mu, tau))
        return z


def refine(model, y, z, num_steps=100, zeta=0.5):
    """From z_{T_s} to the image: the prior's steps, pulled towards y (DPS, arXiv:2209.14687)."""
    times = [round(t - (t + 1) * k / num_steps) for t in model.timesteps[-1:] for k in range(num_steps + 1)]
    for t, s in zip(times, times[1:]):
        z = z.detach().requires_grad_()
        z0 = model.denoise(z, t)
        mean, std = model.schedule.reverse_step(z, z0, t, s)
        if s == -1:
            return mean.detach()
        norm = ((y - z0) * model.observed).pow(2).sum((-3, -2, -1)).sqrt()
        (pull,) = torch.autograd.grad(norm.sum(), z)
        z = mean + std * torch.randn_like(z) - zeta * pull



def main(num_steps=50, num_refinement=100, out="vipaint-mini.png"):
    x = list(PIL.Image.open(library.__path__[0] + "/assets/fashion-mnist/ankle-boot.png").convert("L").tobytes())
    x, observed = torch.tensor(x).double().reshape(1, 1, 28, 28) / 127.5 - 1, rotated_window((28, 28), angle=60)[None]
    prior = library.DiffusionPrior.from_pretrained("fashion-mnist").conditioned([9])  # an ankle boot
    schedule = NoiseSchedule(prior.schedule.alpha(torch.arange(prior.schedule.num_timesteps)) ** 2)
    model, y = DiffusionModel(schedule, prior.denoise, observed, (800, 700, 600, 500)), x * observed
    guide = HierarchicalGuide(model, y)
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.05}), TraceMeanField_ELBO(num_particles=2))
    losses = [svi.step(y) for _ in range(num_steps)]
    filled = torch.where(observed, x, refine(model, y, guide(y), num_refinement, zeta=2.0))
    picture = ((torch.cat([x, y, filled], -1).clamp(-1, 1)[0, 0] + 1) * 127.5).byte().numpy()
    PIL.Image.fromarray(picture).resize((672, 224), 0).save(out)
    print(f"-ELBO {losses[0]:.0f} -> {losses[-1]:.0f} nats; truth, seen and filled in {out}")
    assert sum(losses[-5:]) < sum(losses[:5])


if __name__ == "__main__":
    main(*(10, 5) if "--smoke" in sys.argv else ())
