"""``vipaint inpaint --region tiles``: a hole filled square by square, each sample going on from itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.calls import FEW, inpaint, vipaint
from tests.cli.test_regions import hide, picture, read
from vipaint_pyro.cli.turns import draw
from vipaint_pyro.faults import NonFiniteError

#: 17 long, in squares of 8 whose cores are 6 long: three parts, of which the second is filled last.
LINE = (3, 9, 20, 10)


def tiled(*more):
    return inpaint("--region", "tiles", "--out", "out", *more, image="large.png", mask="hole.png")


def test_each_sample_of_a_later_square_goes_on_from_its_own(here):
    before, hidden = picture("L"), hide(LINE)
    asked = ("--prior", "prior", *FEW[:-1], "--region", "tiles", "--out", "out")  # not --quiet
    done = vipaint("inpaint", "large.png", "hole.png", *asked)
    assert done.exit_code == 0, done.output
    said = [line for line in done.stdout.splitlines() if line.startswith("region")]
    assert said[0] == "region 1 of 3: 8x8 at 1,5 of 24x20, the prior's size"
    assert "3 regions: 2 with one fit, 1 with a fit for each of 2 samples: 4 fits\n" in done.stdout
    assert "for the 2 regions that are left, as those before went" in done.stderr
    assert said[2].endswith("; sees what regions 1, 2 filled, so that each of 2 samples has a fit of its own")
    facts = json.loads(Path("out/run.json").read_text())
    assert [(r["left"], r["filled"], r["sees"], r["fits"]) for r in facts["regions"]] == [
        (1, 5, [], 1), (13, 6, [], 1), (7, 6, [1, 2], 2),
    ]  # fmt: skip
    samples = [read("out", f"sample-{i:02d}.png") for i in range(2)]
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(sample[~hidden], before[~hidden])
        square, own = (slice(5, 13), slice(7, 15)), np.s_[4, 1:7]
        np.testing.assert_array_equal(sample[square], read("out", "region-3", f"sample-{i:02d}", "sample-00.png"))
        seen = read("out", "region-3", f"sample-{i:02d}", "observed.png")
        known = np.ones((8, 8), bool)
        known[own] = False
        np.testing.assert_array_equal(seen[known][:, 0], sample[square][known])
        assert (seen[own] == (203, 170, 228)).all()
        for k, x in enumerate((1, 13)):
            whole = read("out", f"region-{k + 1}", f"sample-{i:02d}.png")
            mine = np.s_[4, 2:7] if k == 0 else np.s_[4, 1:7]
            np.testing.assert_array_equal(sample[5:13, x : x + 8][mine], whole[mine])
    assert (samples[0][hidden] != samples[1][hidden]).any()
    assert not Path("out/region-3/report.html").exists() and Path("out/region-3/sample-01/guide.safetensors").exists()
    assert 'href="region-3/sample-01/report.html"' in Path("out/report.html").read_text()
    Path("out/region-3/sample-01/mine.txt").write_text("mine")
    kept = tiled("--overwrite")
    assert kept.exit_code == 1 and "region-3/sample-01/mine.txt" in kept.output


@pytest.mark.parametrize(
    "trouble, calls, kept, regions",
    [
        (NonFiniteError("a number"), 2, "2 of 2 samples in 2 of 3 regions", 2),
        (KeyboardInterrupt(), 3, "1 of 2 samples in 3 of 3 regions", 3),
    ],
)
def test_what_was_finished_before_a_square_failed_is_kept(here, monkeypatch, trouble, calls, kept, regions):
    """In its first sample: without that square. In its second: with one sample."""
    before, hidden, made = picture("L"), hide(LINE), []

    def failing(*args, **options):
        if len(made) == calls:
            raise trouble
        made.append(options["seeded"])
        return draw(*args, **options)

    monkeypatch.setattr("vipaint_pyro.cli.turns.draw", failing)
    monkeypatch.setattr("vipaint_pyro.cli.whole.write_run", lambda out, *_: out.mkdir(parents=True))
    done = tiled()
    assert done.exit_code == 1 and f"kept are {kept}" in done.output and "Traceback" not in done.output, done.output
    after = read("out", "sample-00.png")
    np.testing.assert_array_equal(after[~hidden], before[~hidden])
    facts = json.loads(Path("out/run.json").read_text())
    assert facts["ended_early"]["samples"] == 2
    assert len(facts["regions"]) == regions and facts["num_samples"] == int(kept[0])
    assert Path("out/sample-01.png").exists() == (regions == 2)
    stays = "Warning: 1 part of the hole of 3 stays as in the picture, in the region 8x8 at 7,5"
    assert (stays in done.stderr) == (regions == 2)
    if regions == 2:
        assert facts["unfilled"] == [{"left": 7, "top": 5, "side": 8}]
        assert "1 square of the hole stays unfilled, of 3" in Path("out/report.html").read_text()
        np.testing.assert_array_equal(after[9, 8:14], before[9, 8:14])
    else:
        assert Path("out/region-3/sample-00").is_dir() and not Path("out/region-3/sample-01").exists()
