"""A hole along which squares are filled in turn: as the command fills it, with more samples, and cut short."""

import json
import zipfile

import numpy as np
import PIL.Image
import pytest
from diffusers import DDPMScheduler

from tests.app.conftest import FEW, Until, asked, picture_of, tiny_pipe
from tests.blank import unless_drawn
from tests.conftest import tiny_unet
from vipaint_pyro import VIPaintPipeline
from vipaint_pyro.app.choosing import model_for
from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.holding import Held
from vipaint_pyro.app.scenes import scene_of
from vipaint_pyro.app.sessions import Session
from vipaint_pyro.app.shelf import Shelf
from vipaint_pyro.cli.app import write_filling
from vipaint_pyro.datasets.shares import SHARES

#: 17 long, in squares of 8 whose cores are 6 long: three parts, of which the second is filled last.
LINE = np.zeros((20, 24), bool)
LINE[9, 3:20] = True


@pytest.fixture(autouse=True)
def figures(request, monkeypatch):
    unless_drawn(request, monkeypatch)


def scene_along(how="tiles", picture=None, pipe=None, hidden=LINE):
    return scene_of(picture or picture_of(24, 20), hidden, (1, 8, 8) if pipe is None else pipe.prior.image_shape, how)


def filling_of(pipe, **more):
    return Filling.of_scene(pipe, scene_along(pipe=pipe), asked(**{"samples": 2, **more}), {"image": "a.png"})


def goes_on(filling):
    """Whether each sample of the last square was drawn given what that very sample has around it."""
    turn, found = filling.turns[-1], []
    assert turn.later and len(turn.pieces) == filling.count
    for i, piece in enumerate(turn.pieces):
        sample = np.asarray(filling.picture(i), np.float32)[5:13, 7:15] / 255
        seen = piece.known.observed[0].numpy()
        assert (~seen).sum() == 6  # its own part of the hole alone
        found.append(np.abs(piece.known.unit[0].numpy() - sample)[seen].max() <= 0.5 / 255 + 1e-6)
    return all(found)


def test_what_is_done_is_said_before():
    scene = scene_along()
    assert [part.later for part in scene.parts] == [False, False, True] and scene.joint
    assert scene.said == (
        "The picture is kept at its size: 3 squares along the hole (8x8 at 1, 5, 8x8 at 13, 5, 8x8 at 7, 5) are given "
        "to the model at 8x8, and only the hole is put back. 1 of them sees what others have filled, and is fitted "
        "anew for each sample."
    )
    short = LINE & (np.arange(24) < 6)
    assert "fitted anew" not in scene_along(hidden=short).said and len(scene_along(hidden=short).parts) == 1
    wide = np.zeros((20, 100), bool)
    wide[9, 2:98] = True
    many = scene_along(picture=picture_of(100, 20), hidden=wide)
    assert len(many.parts) == 16 and "8x8 at" not in many.said and Held.shown(many).width < 7 * 180


def test_a_hole_that_the_model_would_not_see_is_refused_in_words_of_the_page():
    said = "^The hole is smaller than half a pixel of the prior's 8x8: paint another hole, or choose another way$"
    with pytest.raises(ValueError, match=said):
        scene_along("region")  # one square around all of it, made smaller


def test_it_is_what_the_command_draws(tmp_path, monkeypatch, pipe):
    from tests.cli.calls import vipaint

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vipaint_pyro.cli.whole.write_run", lambda out, *_: out.mkdir(parents=True))
    pipe.save_pretrained("prior")
    picture_of(24, 20).image.save("a.png")
    PIL.Image.fromarray(LINE.astype(np.uint8) * 255).save("hole.png")
    few = ["--timesteps", "700,400", "--fit-steps", 3, "--refinement-steps", 4, "--num-chains", 1, "--seed", 3]
    done = vipaint("inpaint", "a.png", "hole.png", "--prior", "prior", "--region", "tiles", *few, "--samples", 2,
                   "--quiet", "--out", "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    filling = filling_of(pipe, seed=3, more=f"{FEW} chunk=2")
    filling.run(Until())
    for i in range(2):
        assert np.array_equal(np.asarray(filling.picture(i)), np.asarray(PIL.Image.open(f"out/sample-{i:02d}.png")))
    assert filling.count == 2 and goes_on(filling)


def test_the_line_says_which_square_and_which_sample(pipe):
    seen = []
    filling_of(pipe).run(Until(lambda view: seen.append((view.text, view.share, len(view.samples)))))
    texts = [text for text, _, _ in seen]
    assert "Fitting the guide: step 1 of 3 (square 1 of 3)" in texts
    assert "Drawing sample 2 of 2 (square 2 of 3)" in texts
    assert "Fitting the guide: step 3 of 3 (square 3 of 3, sample 2 of 2)" in texts
    assert "Drawing (square 3 of 3, sample 1 of 2)" in texts and texts[-1] == "Done: 2 completions."
    shares = [share for _, share, _ in seen]
    assert shares == sorted(shares) and shares[-1] == 1.0 and max(shares[:-2]) <= 1.0
    assert seen[-2][1] == pytest.approx(1.0)  # all steps, and no others, were foreseen
    assert {n for _, _, n in seen} == {0, 2}  # a part of the hole is seen filled before the others


def test_more_go_on_from_their_own_and_leave_those_before(pipe):
    filling = filling_of(pipe)
    filling.run(Until())
    before, record = [p.tobytes() for p in filling.glances()], filling.turns[0].pieces[0].record
    filling.more(2, Until())
    after = [p.tobytes() for p in filling.glances()]
    assert after[:2] == before and len(set(after)) == 4 and goes_on(filling)
    assert filling.turns[0].pieces[0].record is record and filling.turns[0].count == 4
    known = np.asarray(picture_of(24, 20).image)[~LINE]
    assert all(np.array_equal(np.asarray(p)[~LINE], known) for p in filling.glances())


def test_cancelled_in_the_last_square(pipe):
    filling = filling_of(pipe, samples=3)
    filling.run(Until(lambda view: "step 2 of 3 (square 3 of 3, sample 2 of 3)" in view.text))
    assert filling.count == 1 and not filling.unfilled and filling.ready
    assert filling.ended == (
        "Cancelled in the fit, after 2 of 3 steps (square 3 of 3, sample 2 of 3): 1 sample of 3 is kept."
    )
    filling.more(1, Until())
    assert filling.count == 2 and [turn.count for turn in filling.turns] == [2, 2, 2] and goes_on(filling)
    filling.more(2, Until(lambda view: "Drawing sample 1 of 2 (square 2 of 3)" in view.text))
    assert filling.count == 2 and filling.ended == "Cancelled: 0 samples of 2 are kept."
    assert [turn.count for turn in filling.turns] == [2, 2, 2] and goes_on(filling)


def archived(filling, tmp_path, monkeypatch):
    """What the folder says that is written of it, where it is, and the runs in it."""
    made = []

    def write_run(out, replace, run, *_):
        out.mkdir(parents=True)
        made.append(run)

    monkeypatch.setattr("vipaint_pyro.cli.whole.write_run", write_run)
    session = Session()
    session.picture, session.filling = picture_of(24, 20), filling
    zipfile.ZipFile(session.archive(write_filling)).extractall(tmp_path)
    session.close()
    return json.loads((tmp_path / "vipaint-a" / "run.json").read_text()), tmp_path / "vipaint-a", made


def test_what_is_not_filled_stays_and_is_said(pipe, tmp_path, monkeypatch):
    filling, job = filling_of(pipe), Until(lambda view: "Fitting the guide: step 1 of 3 (square 2 of 3)" in view.text)
    filling.run(job)
    assert filling.count == 2 and not filling.ready and job.view.text == filling.ended == (
        "Cancelled in the fit, after 1 of 3 steps (square 2 of 3): 2 samples of 2 are kept. "
        "2 squares of 3 stay as in the picture."
    )
    before = np.asarray(picture_of(24, 20).image)
    for sample in map(np.asarray, filling.glances()):
        assert (sample[9, 3:8] != before[9, 3:8]).any() and np.array_equal(sample[9, 8:], before[9, 8:])
    with pytest.raises(ValueError, match="Part of the hole is not filled"):
        filling.more(1, Until())
    said, folder, _ = archived(filling, tmp_path, monkeypatch)
    assert said["num_samples"] == 2 and len(said["regions"]) == 1
    assert said["unfilled"] == [{"left": 13, "top": 5, "side": 8}, {"left": 7, "top": 5, "side": 8}]
    assert np.array_equal(np.asarray(PIL.Image.open(folder / "sample-01.png")), np.asarray(filling.picture(1)))


def test_everything_is_the_folder_of_the_command(pipe, tmp_path, monkeypatch):
    filling = filling_of(pipe)
    filling.run(Until())
    filling.more(1, Until())
    said, folder, runs = archived(filling, tmp_path, monkeypatch)
    assert [(r["sees"], r["fits"]) for r in said["regions"]] == [([], 1), ([], 1), ([1, 2], 3)]
    assert said["region"] == "tiles" and said["num_samples"] == 3 and "unfilled" not in said
    assert {p.name for p in (folder / "region-3").iterdir()} == {"sample-00", "sample-01", "sample-02"}
    for i in range(3):
        written = np.asarray(PIL.Image.open(folder / f"sample-{i:02d}.png"))
        assert np.array_equal(written, np.asarray(filling.picture(i)))
    assert [run.facts.get("sample") for run in runs] == [None, None, 0, 1, 2]
    assert len({run.facts["seed"] for run in runs}) == 4


def test_a_square_is_labelled_by_its_share_where_asked():
    pipe = VIPaintPipeline(
        tiny_unet(classes=5), DDPMScheduler(clip_sample=False), null_class=4, class_names=[*SHARES]
    )
    assert Shelf(["photos"], lambda _: pipe).by_share("photos")
    assert not Shelf(["others"], lambda _: tiny_pipe()).by_share("others")
    labels = [piece.label for piece in filling_of(pipe, by_share=True).pieces]
    assert labels == [3, 3]
    assert [piece.label for piece in filling_of(pipe).pieces] == [None, None]
    assert [piece.label for piece in filling_of(pipe, label="part").pieces] == [1, 1]
    small = np.zeros((20, 200), bool)
    small[9, 100:103] = True
    scene = scene_along(picture=picture_of(200, 20), pipe=pipe, hidden=small)
    assert Filling.of_scene(pipe, scene, asked(by_share=True), {}).pieces[0].label == 0  # 8 of 200 pixels


def test_which_model_is_chosen_for_a_picture():
    pipes = {"tiny": tiny_pipe(), "photo-patches": tiny_pipe(3)}
    shelf = Shelf(list(pipes), pipes.__getitem__)
    assert model_for((800, 600), "tiny", shelf) == "photo-patches" == model_for((800, 600), "photo-patches", shelf)
    for size in ((64, 64), (28, 28), (8, 8)):  # several may be meant; the current one takes it
        assert model_for(size, "tiny", shelf) is None
    assert model_for((800, 600), "tiny", Shelf(["tiny"], pipes.__getitem__)) is None


def test_of_a_large_photograph_what_lies_around_the_hole_is_shown():
    small = np.zeros((900, 1200), bool)
    small[400:402, 500:504] = True
    scene = scene_along(picture=picture_of(1200, 900), hidden=small)
    assert scene.closer and scene.glance(scene.base).size == (8, 8)
    long = np.zeros((900, 1200), bool)
    long[100:800, 600] = long[450, 100:1100] = True
    scene = scene_along(picture=picture_of(1200, 900), hidden=long)
    assert not scene.closer and scene.glance(scene.base).size == (640, 480)
