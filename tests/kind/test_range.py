"""A range, measured on draws of an exact prior: it keeps its own, and refuses others; its file."""

import json

import pytest
import torch

from tests.kind.conftest import drawn
from vipaint_pyro.kind.measuring import all_local, masks_for, measured_range
from vipaint_pyro.kind.range import FILE, read_range, write_range


def strange(prior, known, x, seed=9):
    return known.strangeness(all_local(prior, x, masks_for(len(x), (8, 8), seed)))


def test_few_of_the_kind_are_far_and_all_others_are(pixels, known):
    own = strange(pixels, known, drawn(pixels, 200, 3))
    assert (own > known.limit).double().mean() < 0.03 and 0.3 < own.median() < 0.8
    x = drawn(pixels, 30, 4)
    grey = torch.linspace(-0.4, 0.4, 30, dtype=torch.float64)[:, None, None, None].expand_as(x)
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
    for name, other in {"inverted": -x, "upside down": x.flip(-2), "flat": grey, "noise": noise}.items():
        assert (strange(pixels, known, other) > known.limit).double().mean() > 0.95, name
    smooth = torch.linspace(-0.5, 0.5, 8, dtype=torch.float64)[:, None].expand_as(x)
    assert (strange(pixels, known, smooth) > known.limit).all()  # the mean itself: too smooth, with the least errors


def test_a_distance_is_the_one_of_its_definition(pixels, known):
    found = all_local(pixels, drawn(pixels, 5, 6), masks_for(5, (8, 8), 2))
    kept = known.usual, known.mean, known.covariance
    usual, mean, covariance = (torch.tensor(v, dtype=torch.float64) for v in kept)
    for i in range(5):
        weights = found.seen[i] / found.seen[i].sum()
        u = (torch.stack([(weights * q / (m + 1e-4)).sum() for q, m in zip(found.squares[i], usual)]) + 1e-3).log()
        far = ((u - mean) @ torch.linalg.inv(covariance) @ (u - mean)).sqrt() / known.scales[0]
        above = ((u - mean) / covariance.diagonal().sqrt()).max() / known.scales[1]
        torch.testing.assert_close(known.strangeness(found)[i], max(far, above), rtol=1e-9, atol=0)


def test_too_few_pictures(pixels):
    with pytest.raises(ValueError, match="more than 70 pictures in each half"):
        measured_range(pixels, drawn(pixels, 100, 0), {})


def test_the_file_keeps_it(pixels, known, tmp_path):
    assert read_range(tmp_path) is None
    write_range(tmp_path / FILE, known)
    again = read_range(tmp_path)
    x = drawn(pixels, 9, 1)
    torch.testing.assert_close(strange(pixels, again, x), strange(pixels, known, x), rtol=1e-3, atol=0)
    assert again.names == known.names and again.about == known.about == {
        "of": "draws", "pictures": 300, "masks": "rotated, random, small"
    }  # fmt: skip


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": 2}, "another format"),
        ({"mean": [1.0]}, "holds no range"),
        ({"covariance": "x"}, "holds no range"),
        ({"limit": -1.0}, "limit is"),
        ({"more": 1}, "holds no range"),
        (None, "holds no range"),
    ],
)
def test_a_damaged_file_is_one_error(known, tmp_path, change, words):
    write_range(tmp_path / FILE, known)
    said = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text("[]" if change is None else json.dumps(said | change))
    with pytest.raises(ValueError, match=words):
        read_range(tmp_path)
