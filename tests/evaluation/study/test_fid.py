"""FID against Gaussians whose distance is known."""

import math

import pytest
import torch

from vipaint_pyro.evaluation.study.fid import enough_for_fid, fid, frechet


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_of_gaussians_whose_covariances_commute():
    # |m - m'|^2 + sum (s - s')^2
    mean, other = torch.tensor([1.0, 2.0]).double(), torch.tensor([0.0, 4.0]).double()
    assert frechet(mean, torch.diag(mean**2), other, torch.diag(torch.tensor([9.0, 1.0]).double())) == pytest.approx(
        1 + 4 + (1 - 3) ** 2 + (2 - 1) ** 2, abs=1e-12
    )


def test_of_gaussians_in_two_dimensions_that_do_not_commute():
    # tr (C C')^(1/2) = sqrt(tr(C C') + 2 sqrt(det C det C')) for 2 x 2
    c, d = torch.tensor([[2.0, 0.7], [0.7, 1.0]]).double(), torch.tensor([[1.0, -0.5], [-0.5, 3.0]]).double()
    cross = math.sqrt(float((c @ d).trace()) + 2 * math.sqrt(float(c.det() * d.det())))
    zero = torch.zeros(2).double()
    assert frechet(zero, c, zero, d) == pytest.approx(3 + 4 - 2 * cross, abs=1e-12)


def test_of_sets_with_known_moments():
    # Mean 0 and covariance I exactly; then moved and stretched.
    x = normal(50, 4)
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    stretch, move = torch.tensor([1.0, 2.0, 0.5, 3.0]).double(), torch.tensor([0.0, 1.0, -1.0, 2.0]).double()
    assert fid(x * stretch + move, x.flip(0)) == pytest.approx(6 + (0 + 1 + 0.25 + 4), abs=1e-9)
    assert fid(x, x) == pytest.approx(0, abs=1e-12)


def test_samples_of_an_image_are_pooled():
    a, b = normal(40, 3, 4), normal(30, 4, seed=1)
    assert fid(a, b) == pytest.approx(fid(a.flatten(0, 1), b), abs=1e-12)


def test_one_feature():
    a, b = normal(9, 1), 3 * normal(9, 1, seed=1)
    expected = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert fid(a, b) == pytest.approx(expected.item(), abs=1e-12)


def test_agrees_with_torch_fidelity():
    metric = pytest.importorskip("torch_fidelity.metric_fid")
    a, b = normal(60, 8) @ normal(8, 8, seed=2) + 0.3, normal(50, 8, seed=1)
    theirs = metric.fid_statistics_to_metric(*(metric.fid_features_to_statistics(v) for v in (a, b)), False)
    assert fid(a, b) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)


def test_agrees_with_torch_fidelitys_value():
    # By torch-fidelity 0.4.0 as it was.
    x = torch.arange(30, dtype=torch.float64).reshape(10, 3)
    assert fid(torch.sin(x**2), torch.cos(1.3 * x**2) + 0.2) == pytest.approx(1.3349866945602815, abs=1e-9)


def test_fewer_images_than_features_are_refused_however_many_samples():
    assert enough_for_fid(5, 4) and not enough_for_fid(4, 4)
    with pytest.raises(ValueError, match="more than 4 images, but there are samples of 4: take KID"):
        fid(normal(4, 100, 4), normal(50, 4, seed=1))
    with pytest.raises(ValueError, match="more than 4 images, but there are real images of 4"):
        fid(normal(50, 4), normal(4, 4, seed=1))
    fid(normal(5, 4), normal(5, 4, seed=1))
