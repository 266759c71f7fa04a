"""What a Gaussian at one level becomes above it."""

import pytest
import torch
from pyro import poutine

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro import DiffusionPrior, NoiseSchedule
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.bridge import Bridge, Origins
from vipaint_pyro.priors.kernels import forward_step


def test_bridge_is_the_joint_gaussian(schedule):
    # Against brute force: the joint of (z_e, z_s, z_t) as a matrix, conditioned numerically.
    e, s, t = 500, 640, 800
    m_e, tau = 0.7, 0.4
    a_se, v_se = forward_step(schedule, e, s)
    a_ts, v_ts = forward_step(schedule, s, t)
    mean = torch.stack([a_se * m_e, a_ts * a_se * m_e])
    var_s = a_se**2 * tau**2 + v_se
    cov = torch.stack([torch.stack([var_s, a_ts * var_s]), torch.stack([a_ts * var_s, a_ts**2 * var_s + v_ts])])
    bridge = Bridge(schedule, e, torch.full((1, 1, 1), m_e).double(), torch.full((1, 1, 1), tau).double())
    m_t, V_t = bridge.marginal(t)
    torch.testing.assert_close(m_t.squeeze(), mean[1])
    torch.testing.assert_close(V_t.squeeze(), cov[1, 1])
    z_t = torch.full((1, 1, 1), -1.3, dtype=torch.float64)
    m_s, std_s = bridge.conditional(z_t, torch.tensor(t), torch.tensor(s))
    gain = cov[0, 1] / cov[1, 1]
    torch.testing.assert_close(m_s.squeeze(), mean[0] + gain * (-1.3 - mean[1]))
    torch.testing.assert_close(std_s.squeeze() ** 2, cov[0, 0] - gain * cov[1, 0])


def test_the_program_scores_the_priors_step_and_noises_z_e_where_no_guide_draws_it(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700, 300), num_levels=5)
    nodes = poutine.trace(model).get_trace(Y).nodes
    z_e, z_t = nodes["z_700"]["value"], nodes["z_t"]["value"]
    for i, n in enumerate(nodes["noise_levels"]["value"].tolist()):
        a, v = forward_step(gaussian.schedule, 700, 701 + n)
        noised, step = nodes["z_t"]["fn"].base_dist, nodes["z_s"]["fn"]
        torch.testing.assert_close(noised.mean[i], a * z_e)
        torch.testing.assert_close(noised.variance[i], v.expand_as(z_e))
        own = gaussian.transition(z_t[i], 701 + n, 700 + n)
        torch.testing.assert_close(step.mean[:, i], own.mean.expand(2, 1, 1, 2, 3))
        torch.testing.assert_close(step.stddev[:, i], own.stddev.expand(2, 1, 1, 2, 3))


def test_the_guide_draws_from_the_bridge_up_to_the_last_level(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700, 300), num_levels=5)
    guide = HierarchicalGuide(model, Y)
    nodes = poutine.trace(guide).get_trace(Y).nodes
    top = guide.top().base_dist
    bridge = Bridge(gaussian.schedule, 700, top.loc, top.scale)
    m_T, V_T = bridge.marginal(999)
    torch.testing.assert_close(nodes["z_999"]["fn"].mean, m_T)
    torch.testing.assert_close(nodes["z_999"]["fn"].variance, V_T)
    for i, n in enumerate(nodes["noise_levels"]["value"].tolist()):
        m_t, V_t = bridge.marginal(701 + n)
        torch.testing.assert_close(nodes["z_t"]["fn"].base_dist.mean[i], m_t)
        torch.testing.assert_close(nodes["z_t"]["fn"].base_dist.variance[i], V_t)
        m_s, std_s = bridge.conditional(nodes["z_t"]["value"][i], torch.tensor(701 + n), torch.tensor(700 + n))
        torch.testing.assert_close(nodes["z_s"]["fn"].mean[0, i], m_s)
        torch.testing.assert_close(nodes["z_s"]["fn"].stddev[0, i], std_s)


@pytest.mark.parametrize("num_levels, drawn", [(4, 4), (1000, 299)])
def test_every_transition_above_t_e_counts_once_in_the_mean(gaussian, num_levels, drawn):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700, 300), beta=2.0, num_levels=num_levels)
    assert model.num_transitions == 299  # 700 -> 701 ... 998 -> 999
    nodes = poutine.trace(model).get_trace(Y).nodes
    levels = nodes["noise_levels"]["value"]
    assert len(levels) == drawn and 0 <= min(levels) <= max(levels) <= 298
    # Two draws of half the weight each, and the levels that were not drawn.
    assert nodes["z_s"]["scale"] == pytest.approx(2.0 * 0.5 * 299 / drawn)
    assert nodes["z_999"]["scale"] == nodes["z_300"]["scale"] == 2.0
    assert not nodes["z_700"]["fn"].log_prob(nodes["z_700"]["value"]).any()  # z_T, z_t and z_s stand for it


def test_where_the_schedule_ends_the_prior_is_as_wide_as_it_says(gaussian):
    schedule = NoiseSchedule.variance_exploding(100, 0.01, 50.0)
    prior = DiffusionPrior(schedule, gaussian.denoiser, (1, 2, 3))
    model = DiffusionModel(prior, Inpainting(OBSERVED), (60, 30))
    top = model._terminal()
    assert top.batch_shape == (1,) and (top.mean == 0).all() and (top.stddev == 50).all()


def test_eta_is_that_of_the_steps_between_the_timesteps(gaussian):
    prior = DiffusionPrior(gaussian.schedule, gaussian.denoiser, (1, 2, 3))
    model = DiffusionModel(prior, Inpainting(OBSERVED), (700, 300), eta=0.4)
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 2, 3)
    mean, std = prior.reverse(z, 700, 300, 0.4)
    for own in (model.reverse(z, 700, 300), (model.transition(z, 700, 300).mean, model.transition(z, 700, 300).stddev)):
        torch.testing.assert_close(own[0], mean)
        torch.testing.assert_close(own[1], std.expand_as(own[1]))
    assert not torch.allclose(std, prior.reverse(z, 700, 300)[1])


@pytest.mark.parametrize("top", ["p", "q"])
@pytest.mark.parametrize("stray", ["z_99", "z_t", "z_s"])
@pytest.mark.parametrize("mark", ["p", "q", None])
def test_every_site_above_the_top_has_to_come_from_where_the_top_comes_from(top, stray, mark):
    origins = Origins()
    origins.of = {"z_9": top, "z_99": top, "z_t": top, "z_s": top} | {stray: mark}
    if mark == top:
        return origins.check("z_9", "z_99")
    with pytest.raises(TypeError, match=f"knows q above T_e: {stray} do not come with z_9 from"):
        origins.check("z_9", "z_99")
