"""Visitors and their jobs: nothing of one is seen by another; errors are sentences; what is left is tidied up."""

import threading
import zipfile

import pytest

from tests.app.conftest import Until, asked, picture_of
from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.jobs import Job, sentence
from vipaint_pyro.app.scenes import scene_of
from vipaint_pyro.app.sessions import Session, Sessions
from vipaint_pyro.app.shelf import Shelf
from vipaint_pyro.cli.app import write_filling


def test_a_job_shows_its_latest_view_and_ends():
    def work(job):
        job.show(text="one", share=0.5)
        job.show(text="two")
        return 7

    job = Job(work)
    views = list(job.views(0))
    assert views[-1].text == "two" and views[-1].share == 0.5 and job.result == 7 and job.done and job.error is None


def test_an_error_is_a_sentence_and_an_unforeseen_one_says_so(capsys):
    def work(job):
        raise ValueError("give a smaller one")

    job = Job(work)
    list(job.views(0))
    assert job.error == "give a smaller one"
    assert "nobody has foreseen (KeyError: 'x')" in sentence(KeyError("x"))
    assert "KeyError" in capsys.readouterr().err
    assert "out of memory" in sentence(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))


def test_a_reader_that_goes_away_ends_the_work():
    ended = threading.Event()

    def work(job):
        job.show(text="begun")
        while not job.stopped:
            ended.wait(0.01)
        ended.set()

    views = Job(work).views(0)
    next(views)
    views.close()
    assert ended.wait(5)


def test_one_run_at_a_time_and_a_cancelled_one_does_not_begin():
    session, go = Session(), threading.Event()
    views = session.begin(lambda job: (job.show(text="on"), go.wait(5))).views(0)
    next(views)
    with pytest.raises(ValueError, match="under way already"):
        session.begin(lambda job: None)
    go.set()
    list(views)
    session.await_turn()
    session.cancel()
    job = session.begin(lambda job: None)
    assert job.stopped
    list(job.views(0))
    session.await_turn()
    assert not session.begin(lambda job: None).stopped


def test_visitors_stand_in_line():
    sessions = Sessions()
    assert sessions.line_up("a/fill") == "Starting …"
    assert sessions.line_up("b/fill") == "Waiting: 1 run before yours."
    assert sessions.line_up("c/fill") == "Waiting: 2 runs before yours."
    with sessions.turn("a/fill"):
        pass
    sessions.close("b")
    assert sessions.line_up("c/fill") == "Starting …" and len(sessions) == 2
    assert sessions["a/fill"] is sessions["a/fill"] and sessions["a/fill"] is not sessions["a/restore"]


def finished(pipe, hidden, **more):
    session, picture = Session(), picture_of(8, 8)
    session.picture = picture
    scene = scene_of(picture, hidden, pipe.prior.image_shape, None)
    session.filling = Filling.of_scene(pipe, scene, asked(samples=2, **more), {"image": "a.png", "mask": "paint"})
    session.filling.run(Until())
    return session


def test_one_is_kept_and_gone_on_from(pipe, hidden):
    session = finished(pipe, hidden)
    expected = session.filling.picture(1)
    for wrong in (None, 2, -1):
        with pytest.raises(ValueError, match="Click on a completion"):
            session.keep(wrong)
    picture = session.keep(1)
    assert picture is session.picture and picture.name == "a-1.png" and picture.image.tobytes() == expected.tobytes()
    assert session.filling is None
    with pytest.raises(ValueError, match="no fit to draw from"):
        session.more(1)


@pytest.mark.parametrize("more", [{}, {"method": "dps", "more": "num_steps=3"}])
def test_everything_is_one_folder_that_can_be_drawn_from(pipe, hidden, tmp_path, more):
    from vipaint_pyro.samplers.vipaint.saved import load_guide

    session = finished(pipe, hidden, **more)
    session.filling.more(1, Until())
    path = session.archive(write_filling)
    zipfile.ZipFile(path).extractall(tmp_path)
    names = {p.name for p in (tmp_path / "vipaint-a").iterdir()}
    assert {"sample-00.png", "sample-02.png", "grid.png", "run.json", "observed.png"} <= names
    assert ("guide.json" in names) == (not more)
    if not more:
        assert load_guide(tmp_path / "vipaint-a", pipe.prior).image.shape == (1, 1, 8, 8)
    folder = path.parent
    session.close()
    assert not folder.exists()
    with pytest.raises(ValueError, match="nothing to download"):
        Session().archive(write_filling)


def test_a_prior_is_loaded_once_by_whoever_asks_first(pipe):
    loaded = []

    def load(name):
        loaded.append(name)
        return pipe

    shelf = Shelf(["tiny", "other", "tiny"], load)
    threads = [threading.Thread(target=lambda: shelf["tiny"]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["tiny"] and shelf.names == ["tiny", "other"]
    assert shelf.labels("tiny") == [] and not shelf.takes_text("tiny")
    with pytest.raises(ValueError, match="no model 'more' here: there are tiny, other"):
        shelf["more"]
