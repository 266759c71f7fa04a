"""Every command that writes, ended at what it does on the disk: the old or the new result, whole, and no scratch."""

import json
import random
import shutil
import signal

import PIL.Image
import pytest
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure
from safetensors import safe_open

from tests.cli.calls import FEW
from tests.convert.tiny_ldm import CHURCHES, churches_original, state_of
from tests.kills import SIGNALS, forked
from vipaint_pyro import convert
from vipaint_pyro.cli.main import main
from vipaint_pyro.files import is_scratch
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

INPAINT = ["inpaint", "image.png", "mask.png", "--prior", "prior", *FEW]
RESTORE = ["restore", "small.png", "--task", "super-resolution", "--scale", "2", "--prior", "prior", *FEW]
COMMANDS = {
    "inpaint": [*INPAINT, "--out", "out"],
    "inpaint again": [*INPAINT, "--out", "out", "--overwrite"],
    "restore": [*RESTORE, "--out", "out"],
    "restore again": [*RESTORE, "--out", "out", "--overwrite"],
    "demo": ["demo", "--method", "dps", "--set", "num-steps=2", "--samples", "1", "--quiet", "--out", "out"],
    "convert": ["convert", "model.ckpt", "out", "--kind", "churches-kl-f8"],
    "exact": ["exact", "exact", "delta", "dps", "--cell", "8,1", "--samples", "100", "--problems", "2", "--out", "out"],
}


@pytest.fixture
def at_work(here, monkeypatch):
    """The folder, in a process whose clock stands, and that draws once what a command draws every time."""
    PIL.Image.new("L", (4, 4), 99).save("small.png")
    torch.save({"state_dict": state_of(*churches_original()) | {"scale_factor": torch.tensor(0.2)}}, "model.ckpt")
    tiny = convert.convert_ldm
    monkeypatch.setattr(convert, "convert_ldm", lambda *given: tiny(*given, **CHURCHES))
    monkeypatch.setattr("vipaint_pyro.evaluation.exact_methods.time.perf_counter", lambda: 0.0)
    draw, drawn = VIPaintPipeline.__call__, []

    def once(self, *args, **kwargs):
        if not drawn:
            drawn.append(draw(self, *args, **kwargs))
        return drawn[0]

    monkeypatch.setattr(VIPaintPipeline, "__call__", once)
    dull = Figure(figsize=(1, 1), dpi=20)
    figures = ("bound_figure", "directions_figure", "levels_figure", "mean_spread_figure", "samples_figure")
    for place in ("evaluation.exact_table.plot_table", *(f"cli.shown.{name}" for name in figures)):
        monkeypatch.setattr(f"vipaint_pyro.{place}", lambda *_, **__: dull)
    return here


def command(name):
    return lambda: main([str(a) for a in COMMANDS[name]])


def whole(folder):
    """What is in a folder, file by file, each of which can be read."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or any(map(is_scratch, path.parents)):
            continue
        found[str(path.relative_to(folder))] = path.read_bytes()
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".png":
            with PIL.Image.open(path) as picture:
                picture.load()
        elif path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                assert file.keys()
    return found


def steady(found):
    """Without what no two runs share: seconds, and how a page says that it is repeated."""
    def plain(value):
        return {k: plain(v) for k, v in value.items() if k != "seconds"} if isinstance(value, dict) else value

    found = {n: c.replace(b" --overwrite</code>", b"</code>") if n == "report.html" else c for n, c in found.items()}
    return {n: plain(json.loads(c)) if n == "run.json" else c for n, c in found.items()}


def battery(folder, name, kills, seed=0):
    """End a command so many times, each at a random moment, and look at what it leaves and at the next run."""
    rng, out = random.Random(f"{seed} {name}"), folder / "out"
    first = name.removesuffix(" again")
    warm = CliRunner().invoke(main, COMMANDS[first])  # what it imports is there for all others
    assert warm.exit_code == 0, warm.output
    shutil.rmtree(out)
    status, *counts = forked(command(first))
    assert status == 0 and counts[0] > counts[1] > 20, (status, counts)
    new = whole(out)
    old = {}
    if name != first:
        shutil.copytree(out, folder / "kept")
        status, *counts = forked(command(name))
        assert status == 0
        (folder / "kept" / "levels.png").rename(folder / "kept" / "prediction-07.png")  # told from the new
        old = whole(folder / "kept")
    ended = 0
    for k in range(kills):
        shutil.rmtree(out, ignore_errors=True)
        if old:
            shutil.copytree(folder / "kept", out)
        writing = k % 4 != 3  # most of them
        by = SIGNALS[k % 3]
        status, *_ = forked(command(name), rng.randint(1, counts[writing]), by, writing)
        ended += status != 0
        assert status in {signal.SIGKILL: (-9,), signal.SIGTERM: (143, 0), signal.SIGINT: (1, 0)}[by], (k, status)
        left = steady(whole(out)) if out.exists() else {}
        if first == "exact":  # which goes on where it was
            assert all(left[n] == new[n] for n in left), k
        else:
            assert left in ({}, steady(new)) if not old else left in (steady(old), steady(new)), (k, by, sorted(left))
            if not old:
                shutil.rmtree(out, ignore_errors=True)
        assert forked(command(name))[0] == 0, k
        assert steady(whole(out)) == steady(new), k
        assert not [p for p in folder.rglob("*") if is_scratch(p)], k
    assert ended > kills / 2


@pytest.mark.battery
@pytest.mark.parametrize("name", ["inpaint again", "convert", "exact"])
def test_a_signal_of_each_kind(at_work, name):
    battery(at_work, name, 3)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_hundred_signals(at_work, name):
    battery(at_work, name, 100, seed=1)
