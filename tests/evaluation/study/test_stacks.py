"""The conditions' figures in one picture."""

import numpy as np
import PIL.Image
import pytest

from vipaint_pyro.evaluation.study.stacks import sheet_caption, stacked


@pytest.mark.parametrize("condition, said", [("box", "put back. Violet"), ("deblur", "clipped: nothing is put back")])
def test_what_is_shown_is_said(condition, said):
    caption = sheet_caption(condition)
    assert caption.startswith("The first sample of each method") and said in caption and "crossed grey cell" in caption


@pytest.mark.parametrize("width", [100, 360, 900])
def test_figures_are_whole_below_their_captions_and_no_word_is_cut(width):
    colours = {"box": (255, 0, 0), "deblur": (0, 0, 255)}
    sheets = {condition: PIL.Image.new("RGB", (width, 30), colour) for condition, colour in colours.items()}
    whole = np.asarray(stacked(sheets)).astype(int)
    for colour in colours.values():
        assert (whole == colour).all(-1).sum() == width * 30
    assert (whole[:, -3:] == 255).all(-1).any() and whole.shape[1] == max(360, width)
    above = whole[: np.argmax((whole[:, 0] == (255, 0, 0)).all(-1))]
    assert 22 < len(above) and (above[22:] < 200).any() and (above[:, -4:] == 255).all()
