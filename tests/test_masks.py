"""Mask generators."""

import torch

from vipaint_pyro.masks import rotated_window


def test_half_of_the_pixels_are_hidden_at_every_angle():
    for angle in range(0, 360, 7):
        hidden = (~rotated_window((28, 28), angle=angle)).float().mean()
        assert hidden == 0.5


def test_the_angle_says_which_half():
    below = rotated_window((4, 4), angle=0)[0]
    assert below[:2].all() and not below[2:].any()
    left = rotated_window((4, 4), angle=90)[0]
    assert left[:, 2:].all() and not left[:, :2].any()


def test_the_generator_decides():
    masks = [rotated_window((16, 16), torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])
