"""What is measured of an image is its own, by its number and the study's seed."""

import pytest
import torch

from vipaint_pyro.evaluation.study.conditions import STREAMS, measured, stream
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.tasks import TASKS, make_operator

X = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)


@pytest.mark.parametrize("name", [*MASKS, *TASKS])
def test_one_image_is_measured_alike_every_time_and_unlike_the_next(name):
    first, again, other, seeded = (measured(name, X, *key) for key in ((0, 3), (0, 3), (0, 4), (1, 3)))
    assert first.num_images == 1 and torch.equal(first.y, again.y)
    assert torch.equal(first.operator.observed, again.operator.observed)
    for unlike in (other, seeded):
        assert not torch.equal(first.y, unlike.y) or name == "small"


def test_a_mask_is_the_familys_from_the_images_stream_and_without_noise():
    seen = measured("rotated", X, 5, 7)
    mask = MASKS["rotated"]((32, 32), stream(5, 7, "mask"))
    assert torch.equal(seen.operator.observed[0], mask) and torch.equal(seen.y, torch.where(mask, X, 0))


def test_a_task_has_its_own_noise():
    seen, operator = measured("super-resolution", X, 5, 7), make_operator("super-resolution", (3, 32, 32))
    noise = torch.randn(1, 3, 8, 8, generator=stream(5, 7, "noise"))
    torch.testing.assert_close(seen.y, operator(X) + 0.05 * noise)


def test_no_two_streams_of_a_study_are_the_same():
    firsts = {torch.rand(2, generator=stream(0, i, what)).sum().item() for i in range(200) for what in STREAMS}
    assert len(firsts) == 600


def test_an_unknown_condition_is_named():
    with pytest.raises(ValueError, match="no condition is called 'fog': there are masks, rotated"):
        measured("fog", X, 0, 0)
