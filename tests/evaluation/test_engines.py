"""What the comparisons share: resumed, enlarged and split runs give what one run gives."""

import json
from dataclasses import dataclass

import pytest
import torch

from vipaint_pyro.evaluation.benchmarks import Benchmark
from vipaint_pyro.evaluation.engines import compare, run, samplers
from vipaint_pyro.evaluation.quality import Quality, evaluate
from vipaint_pyro.evaluation.records import Kept, fingerprint
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import Samples


@dataclass(frozen=True)
class Noisy:
    """A sampler that asks no prior: uniform noise of the image's own generator. ``fails_at`` counts its calls."""

    scale: float = 1.0
    fails_at: int | None = None

    def __call__(self, prior, measurement, num_samples, generator):
        y = measurement.y
        CALLS.append(len(y))
        if self.fails_at == len(CALLS):
            raise KeyboardInterrupt
        shape = (num_samples, 1, *y.shape[1:])
        noise = [torch.rand(shape, generator=g, dtype=y.dtype) * 2 - 1 for g in generator]
        return Samples(self.scale * torch.cat(noise, 1), {"refinement": 3 * num_samples})


CALLS: list[int] = []


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def seen_of(truth, observed) -> Measurement:
    operator = Inpainting(observed)
    return Measurement.of(operator, operator(truth))


@pytest.fixture
def setting(network_prior):
    truth = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    observed = torch.stack([rotated_window((8, 8), torch.Generator().manual_seed(i)) for i in range(7)])

    def go(out, images=7, chunk=3, methods=None, only=None, facts=None, log=None):
        seen, labels = seen_of(truth, observed).part(0, images), [0, 1, 2, 3, 0, 1, 2][:images]
        benchmark = Benchmark(truth[:images], seen, labels, facts or {"masks": "rotated"})
        return compare(out, methods or {"noise": Noisy()}, benchmark, network_prior, 2, chunk, only, log)

    go.truth, go.seen, go.prior = truth, seen_of(truth, observed), network_prior
    return go


def no_seconds(quality: Quality) -> dict:
    return {k: v for k, v in vars(quality).items() if k != "seconds"}


def test_a_run_is_kept_as_it_was(tmp_path, setting):
    kept = setting(tmp_path)["noise"]
    expected, x = evaluate(Noisy(), setting.prior, setting.truth, setting.seen, [0, 1, 2, 3, 0, 1, 2], 2)
    assert CALLS == [3, 3, 1, 7]
    found = kept.quality(7)
    assert found.calls == 3
    for column in ("psnr", "diversity", "observed_error", "lpips_raw", "lpips_composite"):
        assert getattr(found, column) == pytest.approx(getattr(expected, column), rel=1e-5, abs=1e-6), column
    assert (kept.samples(7) - x).abs().max() <= 1 / 255 + 1e-6  # 8 bits of [-1, 1]


def test_a_stopped_run_goes_on_where_it_was(tmp_path, setting):
    whole = setting(tmp_path / "whole")["noise"].quality(7)
    CALLS.clear()
    kept = Kept(tmp_path / "stopped", {})
    parts = dict(setting.__dict__)

    def compute(fails_at):
        def some(a, b):
            given = {"labels": [0, 1, 2, 3, 0, 1, 2][a:b], "num_samples": 2, "first": a}
            sampler = Noisy(fails_at=fails_at)
            return evaluate(sampler, parts["prior"], parts["truth"][a:b], parts["seen"].part(a, b), **given)

        return some

    with pytest.raises(KeyboardInterrupt):
        run(kept, 7, 3, compute(2))
    assert kept.missing(7) == [3, 4, 5, 6]
    (tmp_path / "stopped" / "99.partial").write_bytes(b"half a file")
    run(kept, 7, 3, compute(None))
    assert CALLS == [3, 3, 3, 1]
    assert no_seconds(kept.quality(7)) == no_seconds(whole)


def test_more_images_take_those_that_are_there(tmp_path, setting):
    whole = setting(tmp_path / "whole")["noise"].quality(7)
    CALLS.clear()
    setting(tmp_path / "grown", images=2, chunk=4)
    kept = setting(tmp_path / "grown", images=7, chunk=4)["noise"]
    assert CALLS == [2, 4, 1]
    assert no_seconds(kept.quality(7)) == no_seconds(whole)
    fewer = setting(tmp_path / "grown", images=3)["noise"]
    assert CALLS == [2, 4, 1] and fewer.quality(3).psnr == whole.psnr[:3]


def test_figures_alone_are_enough_to_go_on(tmp_path, setting):
    whole = setting(tmp_path / "whole")["noise"].quality(7)
    setting(tmp_path / "figures", images=5)
    for path in (tmp_path / "figures" / "noise").iterdir():
        path.unlink()
    CALLS.clear()
    kept = setting(tmp_path / "figures", images=7)["noise"]
    assert CALLS == [2]
    assert no_seconds(kept.quality(7)) == no_seconds(whole)
    assert kept.shown(7) == 0 and setting(tmp_path / "whole")["noise"].shown(7) == 7


def test_a_run_says_how_far_it_is(tmp_path, setting):
    said = []
    setting(tmp_path, log=said.append)
    assert said == [f"noise: {done} of 7 images, 0 s each" for done in (3, 6, 7)]


def test_one_method_alone_and_what_is_complete(tmp_path, setting):
    methods = {"noise": Noisy(), "half, as loud": Noisy(0.5)}
    assert list(setting(tmp_path, methods=methods, only="half-as-loud")) == ["half, as loud"]
    assert CALLS == [3, 3, 1]
    assert list(setting(tmp_path, methods=methods, only="half, as loud")) == ["half, as loud"]
    assert list(setting(tmp_path, methods=methods)) == ["noise", "half, as loud"]
    assert CALLS == [3, 3, 1] * 2
    with pytest.raises(ValueError, match="no method 'loud': there are noise, half, as loud"):
        setting(tmp_path, methods=methods, only="loud")


def test_other_settings_are_refused(tmp_path, setting):
    setting(tmp_path, images=2)
    for change in (
        {"methods": {"noise": Noisy(0.5)}},
        {"facts": {"masks": "small"}},
    ):
        with pytest.raises(ValueError, match=r"noise\.json comes from other settings; choose another --out"):
            setting(tmp_path, **change)
    # Other weights are another prior, whatever it is called.
    before = fingerprint(setting.prior)
    with torch.no_grad():
        next(iter(setting.prior.denoiser.network.parameters())).add_(1e-3)
    assert fingerprint(setting.prior) != before
    with pytest.raises(ValueError, match="other settings"):
        setting(tmp_path)


def test_samplers_are_compared_at_equal_calls(network_prior):
    found = samplers(network_prior, 5, smoke=False)
    four = found["VIPaint-4"]
    # 50 steps of 2 chains, each 2 + 4 calls, shared by 5 samples; 3 transitions; 100 steps.
    assert found["DPS, equal calls"].num_steps == 120 + 3 + 100
    assert found["DPS, equal refinement steps"].num_steps == four.refinement_steps == 100
    assert len(found["VIPaint-2"].timesteps) == 2 and len(four.timesteps) == 4
    quick = samplers(network_prior, 1, smoke=True)
    assert quick["DPS, equal calls"].num_steps == 2 * 6 + 3 + 4
    step = found["DPS with VIPaint's step, equal calls"]
    assert (step.zeta, step.limit, step.fraction) == (four.zeta, four.limit, None) and step.num_steps == 223
    network_prior.codec.factor = 4  # as of a latent prior
    latent = samplers(network_prior, 5, smoke=False)
    assert latent["VIPaint-2"].fraction == latent["DPS with VIPaint's step, equal calls"].fraction == 0.3
    assert latent["DPS, equal calls"].fraction is None and latent["DPS, equal calls"].zeta == 0.5


def cut(path):
    path.write_text(path.read_text()[:-40])


@pytest.mark.parametrize(
    "damage",
    [cut, lambda p: p.write_text(""), lambda p: p.write_bytes(bytes([255, 0])), lambda p: p.write_text("[]"),
     lambda p: p.write_text("{}"), lambda p: p.write_text('{"facts": 3}'),
     lambda p: p.write_text(p.read_text().replace('"psnr"', '"psn"')),
     lambda p: p.write_text(p.read_text().replace('"0": [', '"0": ["a", ')),
     lambda p: p.write_text(p.read_text().replace('"images": {', '"images": {"7": 2,'))],
)  # fmt: skip
def test_damaged_figures_are_named_with_their_cure(setting, tmp_path, damage):
    setting(tmp_path, images=2)
    path, before = tmp_path / "noise.json", len(CALLS)
    damage(path)
    with pytest.raises(ValueError, match="noise.json is damaged, or of another kind .*: delete it, and it is computed"):
        setting(tmp_path, images=2)
    assert len(CALLS) == before
    path.unlink()
    setting(tmp_path, images=2)
    assert set(json.loads(path.read_text())["images"]) == {"0", "1"}


def test_damaged_samples_are_named(setting, tmp_path):
    kept = setting(tmp_path, images=2)["noise"]
    kept.path(1).write_bytes(b"half")
    with pytest.raises(ValueError, match="00001.safetensors is damaged .*: delete it"):
        kept.samples(2)


def test_results_cannot_be_kept_in_a_file(setting, tmp_path):
    (tmp_path / "file").touch()
    for out in ("file", "file/x"):
        with pytest.raises(ValueError, match="is a file|is no folder"):
            setting(tmp_path / out)
    assert not CALLS
