"""A run of the page is the pipeline's own, watched or not; what was finished is kept; more comes of the same fit."""

import numpy as np
import pytest
import torch

from tests.app.conftest import FEW, Until, asked, picture_of, seeded, tiny_pipe
from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.jobs import Job
from vipaint_pyro.app.scenes import scene_of

SETTINGS = {"timesteps": (700, 400), "fit_steps": 3, "num_inference_steps": 4, "num_chains": 1, "chunk": 1}


def filling_of(pipe, hidden, **more):
    scene = scene_of(picture_of(8, 8), hidden, pipe.prior.image_shape, None)
    return Filling.of_scene(pipe, scene, asked(**more), {"image": "a.png"})


def test_it_is_the_pipelines_own_result(pipe, hidden):
    filling = filling_of(pipe, hidden, seed=5)
    filling.run(Until())
    mask = torch.from_numpy(hidden)[None].float()
    expected = pipe(picture_of(8, 8).image, mask, num_samples=3, generator=seeded(5), output_type="pt", **SETTINGS)
    assert torch.equal(filling.pieces[0].output.images, expected.images)
    assert torch.equal(filling.pieces[0].output.predictions, expected.predictions)
    assert filling.pieces[0].record.losses == expected.trace.losses  # although it was looked at


def test_known_pixels_are_kept_and_samples_arrive_one_by_one(pipe, hidden):
    seen = []
    filling = filling_of(pipe, hidden)
    filling.run(Until(lambda view: seen.append(len(view.samples))))
    assert [k for k in range(4) if k in seen] == [0, 1, 2, 3] and filling.count == 3
    known = np.asarray(picture_of(8, 8).image)[~hidden]
    for picture in filling.glances():
        assert np.array_equal(np.asarray(picture)[~hidden], known)


def test_what_is_seen_at_last_is_what_arrived(pipe, hidden):
    filling, job = filling_of(pipe, hidden), Until()
    arrived = []
    job.when = lambda view: arrived.append(view.samples)
    filling.run(job)
    shown = next(samples for samples in arrived if len(samples) == 3)
    assert [p.tobytes() for p in shown] == [p.tobytes() for p in filling.glances()]


def test_cancelled_while_drawing(pipe, hidden):
    whole, filling = filling_of(pipe, hidden), filling_of(pipe, hidden)
    whole.run(Until())
    filling.run(Until(lambda view: len(view.samples) == 1))
    assert filling.count == 1 and filling.ended == "Cancelled: 1 sample of 3 is kept."
    assert torch.equal(filling.pieces[0].output.images, whole.pieces[0].output.images[:1])
    filling.more(2, Until())
    assert filling.count == 3 and filling.ended is None


def test_cancelled_before_the_first_sample(pipe, hidden):
    filling = filling_of(pipe, hidden)
    filling.run(Until(lambda view: view.text.startswith("Drawing")))
    assert filling.count == 0 and filling.ended == "Cancelled: 0 samples of 3 are kept." and filling.ready


def test_cancelled_in_the_fit(pipe, hidden):
    filling, job = filling_of(pipe, hidden), Until(lambda view: len(view.losses) == 2)
    filling.run(job)
    assert filling.count == 0 and filling.ready and "after 2 of 3 steps" in job.view.text
    filling.more(1, Until())
    assert filling.count == 1


@pytest.mark.parametrize("guide", ["mixture", pytest.param(None, marks=pytest.mark.slow)])
def test_more_samples_are_others_and_always_the_same(pipe, hidden, guide):
    found = []
    for _ in range(2):
        filling = filling_of(pipe, hidden, guide=guide, samples=2)
        filling.run(Until())
        record = filling.pieces[0].record
        filling.more(2, Until())
        assert filling.pieces[0].record is record and filling.count == 4
        found.append(filling.pieces[0].output)
    images = found[0].predictions
    assert torch.equal(images, found[1].predictions)
    assert len({x.numpy().tobytes() for x in images}) == 4
    samples = found[0].samples
    assert samples.images.shape[0] == 4 and all(len(z) == 4 for z in samples.levels.values())


def test_another_method_draws_more_without_a_fit(pipe, hidden):
    filling = filling_of(pipe, hidden, method="dps", more="num_steps=4", samples=2)
    filling.run(Until())
    filling.more(1, Until())
    assert filling.count == 3 and filling.pieces[0].record is None


def test_nothing_is_drawn_from_no_fit(pipe, hidden):
    with pytest.raises(ValueError, match="no fit to draw from"):
        filling_of(pipe, hidden).more(1, Until())


def test_two_visitors_at_once_have_what_each_has_alone(pipe, hidden):
    alone = [filling_of(pipe, hidden, seed=k) for k in range(2)]
    for filling in alone:
        filling.run(Until())
    both = [filling_of(pipe, hidden, seed=k) for k in range(2)]
    jobs = [Job(filling.run) for filling in both]
    views = [job.views(0) for job in jobs]
    for view in views:
        next(view)
    for view in views:
        list(view)
    assert [job.error for job in jobs] == [None, None]
    for one, other in zip(alone, both):
        assert torch.equal(one.pieces[0].output.images, other.pieces[0].output.images)


def test_a_larger_picture_square_by_square():
    pipe, picture = tiny_pipe(3), picture_of(60, 20, "RGBA")
    hidden = np.zeros((20, 60), bool)
    hidden[5:8, 4:7] = hidden[10:12, 50:53] = True
    scene = scene_of(picture, hidden, pipe.prior.image_shape, "region")
    assert len(scene.parts) == 2
    filling = Filling.of_scene(pipe, scene, asked(samples=2, more=FEW), {})
    filling.run(Until())
    before = np.asarray(picture.image)
    for completion in map(np.asarray, filling.glances()):
        assert np.array_equal(completion[~hidden], before[~hidden]) and (completion[hidden] != before[hidden]).any()


@pytest.mark.parametrize(
    "wrong", [{"samples": 0}, {"seed": -1}, {"samples": 99}, {"more": "no_such=1"}, {"label": "3"}]
)
def test_what_cannot_be_is_said_before_anything_is_computed(pipe, hidden, wrong):
    with pytest.raises((ValueError, TypeError)):
        filling_of(pipe, hidden, **wrong)
