"""What a Gaussian at one level becomes above it."""

import torch

from vipaint_pyro.models.bridge import Bridge
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
