"""The figure of samples, pixel by pixel."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.pictures import samples_sheet

TRUTH = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
HOLE = np.zeros((4, 4), bool)
HOLE[:2] = True


def cells(sheet, rows, columns, side=84):
    """The 4x4 pictures of a sheet, by row and column, from the right bottom where no name is."""
    array, gap = np.asarray(sheet), 4
    found = {}
    for r in range(rows):
        for c in range(columns):
            top = array.shape[0] - gap - side - (rows - 1 - r) * (side + gap)
            left = array.shape[1] - gap - side - (columns - 1 - c) * (side + gap)
            found[r, c] = array[top : top + side, left : left + side][10::21, 10::21]
    return found


METHODS = ["dps", "a <b> method:with=a;very=long;name=indeed;and=more"]


@pytest.fixture
def kept(study):
    s = study(METHODS, images=12, first=3)
    for image in range(3, 13):
        s.truth(image, TRUTH + image)
        s.mask("rotated", image, HOLE)
        for method in METHODS:
            s.add("rotated", method, image)
            s.drawn("rotated", method, image, np.full((2, 1, 4, 4), 200 + image))
    return s


def test_observed_pixels_are_put_back(kept):
    sheet = samples_sheet(read_study(kept.folder), "rotated", most=3)
    found = cells(sheet, 4, 3)
    for column, image in enumerate((3, 4, 5)):
        truth = (TRUTH + image)[..., None]
        assert (found[0, column] == truth).all()
        observed = found[1, column]
        assert (observed[2:] == truth[2:]).all() and (observed[:2] == (203, 170, 228)).all()
        for row in (2, 3):
            assert (found[row, column][:2] == 200 + image).all() and (found[row, column][2:] == truth[2:]).all()


def test_eight_images_at_most_and_no_name_is_cut(kept):
    sheet = samples_sheet(read_study(kept.folder), "rotated")
    assert sheet.width < 9 * 88 + 200  # names are broken
    left = np.asarray(sheet)[:, :4]
    assert (left == 255).all()  # and reach no edge
    assert len(cells(sheet, 4, 8)) == 32


def test_what_was_not_kept_is_crossed_out(kept):
    kept.path("samples", "rotated", "dps", 4, "safetensors").unlink()
    found = cells(samples_sheet(read_study(kept.folder), "rotated", most=2), 4, 2)
    assert set(np.unique(found[2, 1])) <= {236, 255} and (found[2, 0][:2] == 203).all()


def test_nothing_kept(study):
    s = study(["dps"])
    s.add("rotated", "dps", 0)
    assert samples_sheet(read_study(s.folder), "rotated") is None


def test_what_a_task_measured(study):
    s = study(["dps"], conditions=("super-resolution",), images=2)
    y = torch.tensor([[[[-1.0, 1.0], [0.0, 5.0]]]])
    for image, measured in ((0, y), (1, torch.zeros(1, 7, 2, 2))):
        s.truth(image, TRUTH)
        s.add("super-resolution", "dps", image)
        s.drawn("super-resolution", "dps", image, np.full((1, 1, 4, 4), 7))
        path = s.folder / "measured/super-resolution" / f"{image:05d}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"y": measured}, path)
    found = cells(samples_sheet(read_study(s.folder), "super-resolution"), 3, 2)
    assert found[1, 0][::2, ::2, 0].tolist() == [[0, 255], [128, 255]]
    assert set(np.unique(found[1, 1])) <= {236, 255}  # no picture of seven channels
    assert (found[2, 0] == 7).all()  # the sample as it is


def test_pictures_in_colour_that_are_not_square(study):
    s = study(["dps"], images=1)
    truth = np.random.default_rng(0).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    s.truth(0, truth)
    s.mask("rotated", 0, np.zeros((4, 8), bool))
    s.add("rotated", "dps", 0)
    s.drawn("rotated", "dps", 0, np.zeros((1, 3, 4, 8)))
    sheet = np.asarray(samples_sheet(read_study(s.folder), "rotated"))
    middle = sheet[-4 - 84 + 21 : -4 - 21, -4 - 84 : -4]  # 84 by 42
    assert (middle[5::11][:4, 5::11][:, :8].shape) == (4, 8, 3) and (middle[4, 4] == truth[0, 0]).all()
    assert (middle[-3, -3] == truth[-1, -1]).all()


DAMAGES = {
    "cut off": lambda p: p.write_bytes(p.read_bytes()[:20]),
    "another name": lambda p: save_file({"x": torch.zeros(1)}, p),
    "another kind": lambda p: save_file({"samples": torch.zeros(1, 1, 4, 4)}, p),
    "another size": lambda p: save_file({"samples": torch.zeros(1, 1, 5, 4, dtype=torch.uint8)}, p),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_samples_are_named_with_the_cure(kept, kind):
    path = kept.path("samples", "rotated", "dps", 3, "safetensors")
    DAMAGES[kind](path)
    with pytest.raises(ValueError, match=r"dps/00003\.safetensors .*: delete it, and the figure does without it$"):
        samples_sheet(read_study(kept.folder), "rotated")
    path.unlink()
    assert samples_sheet(read_study(kept.folder), "rotated") is not None


def test_a_damaged_truth_is_named(kept):
    path = kept.folder / "truth/00003.png"
    path.write_bytes(b"none")
    with pytest.raises(ValueError, match=r"00003\.png is no picture, or damaged"):
        samples_sheet(read_study(kept.folder), "rotated")
