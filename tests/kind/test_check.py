"""What is said of a picture, and of a bound."""

import warnings
from dataclasses import replace

import pytest
import torch

from tests.kind.conftest import drawn
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.kind.bounds import final_bound, range_of_bounds, said_of_bound
from vipaint_pyro.kind.check import CALLS, KindWarning, checked_kind, looked_at
from vipaint_pyro.kind.range import range_of
from vipaint_pyro.kind.statistic import local, names_of
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.measurements.super_resolution import SuperResolution


def seen_of(x, observed):
    return Measurement.of(Inpainting(observed), torch.where(observed, x, 0))


@pytest.fixture
def half():
    observed = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    observed[:, :, :, 4:] = False
    return observed


def test_of_the_kind_or_not(pixels, known, half):
    x = drawn(pixels, 2, 7)
    x[1] = -x[1]
    with pytest.warns(KindWarning, match="image 1: the picture does not look like those") as found:
        own, other = looked_at(pixels, seen_of(x, half), known)
    assert len(found) == 1 and own.of_kind is True and other.of_kind is False
    assert own.strangeness < own.limit == known.limit < other.strangeness and own.calls == CALLS


def test_labels_and_guidance_are_left_out(network_prior, half):
    """Of a guided prior, too: the range was measured without either."""
    plain = network_prior.conditioned(None)
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
    names = names_of(plain)
    known = range_of(names, *(local(plain, *seen(12 * len(names), s)) for s in (0, 1)), {})
    expected = checked_kind(plain, seen_of(x, half), known)
    assert expected[0].strangeness is not None
    for scale in (1.0, 3.0):
        assert checked_kind(network_prior.conditioned([2, 1], scale), seen_of(x, half), known) == expected


def seen(count, seed):
    """Noise, its left three quarters seen."""
    x = torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    observed = torch.ones(count, 1, 8, 8, dtype=torch.bool)
    observed[..., 4 if seed else 6 :] = False
    return torch.where(observed, x, 0), observed


def test_what_is_not_known_warns_of_nothing(pixels, known, half, monkeypatch):
    x = drawn(pixels, 2, 7)
    reduced = SuperResolution(pixels.image_shape, 2, num_images=2)
    few = half.clone()
    few[..., 1:] = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for measurement, range_, words in (
            (seen_of(x, half), None, "has no kind.json"),
            (Measurement.of(reduced, reduced(x)), known, "only pictures with a hole"),
            (seen_of(x, half), replace(known, names=known.names[:-1]), "measured in another way"),
            (seen_of(x, few), known, "12 % of it is seen, less than"),
        ):
            found = looked_at(pixels, measurement, range_)
            assert [f.of_kind for f in found] == [None] * 2 and words in found[0].text and found[0].calls == 0
        monkeypatch.setattr(GaussianPrior, "_denoised", lambda self, z, t: z * torch.nan)
        assert "is not finite" in checked_kind(pixels, seen_of(x, half), known)[0].text


def test_the_final_bound_is_that_of_the_last_steps():
    terms = {"y": torch.arange(10.0)[:, None] * torch.tensor([1.0, 2.0]), "z": torch.full((10, 2), 0.5)}
    assert final_bound(terms) == -(7.0 + 0.5) and final_bound(terms, 1) == -(14.0 + 0.5)
    assert final_bound({}) is None


@pytest.mark.parametrize(
    "bound, verdict",
    [(-4.5, "usual"), (-5.2, "usual"), (-5.3, "unusually low"), (-3.7, "unusually high"),
     (float("nan"), "unusually low")],
)
def test_a_bound_against_those_of_the_kind(bound, verdict):
    known = range_of_bounds([-4.0, -5.0, -4.2, -4.4], {"beta": 1.0})
    assert known["median"] == pytest.approx(-4.3) and known["fits"] == 4
    said = said_of_bound(bound / 2, 0.5, known, {"beta": 1.0, "guide_settings": {}})
    assert said["verdict"] == verdict and said["usual"] == [-2.625, -1.875] and verdict in said["text"]


def test_a_bound_of_other_settings_or_of_an_unknown_prior_is_not_judged():
    known = range_of_bounds([-4.0, -5.0], {"beta": 1.0})
    assert said_of_bound(-9.0, 1.0, known, {"beta": 2.0})["verdict"] == "unknown"
    assert "other settings (beta)" in said_of_bound(-9.0, 1.0, known, {"beta": 2.0})["text"]
    assert said_of_bound(-9.0, 1.0, {}, {})["verdict"] == said_of_bound(None, 1.0, known, {})["verdict"] == "unknown"
