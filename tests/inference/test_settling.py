"""When a fit has settled: the ranks of known sequences, a problem whose optimum is known, images that end alone."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import Trace_ELBO

from tests.inference.test_fit import params, setup
from tests.samplers.test_alone_and_in_a_batch import ALONE, SEEDS, of_guide, seen, tiny
from tests.samplers.test_registry import seeded
from vipaint_pyro.guides import GUIDES, HierarchicalGuide, make_guide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.settling import Settling, falling
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    "earlier, later, share",
    [
        ((5, 4), (3, 2), 1.0),
        ((2, 3), (4, 5), 0.0),
        ((4, 3), (3, 3), 0.75),
        ((3, 3), (3, 3), 0.5),
        ((5, 1, 9), (4, 2, 1e30), 4 / 9),  # an outlier is one of three
        ((3, 1, 2), (2.5, 0.5), 4 / 6),
    ],
)
def test_the_share_of_pairs_that_fell(earlier, later, share):
    assert falling(column(*earlier), column(*later)).tolist() == [pytest.approx(share, abs=1e-15)]


def test_of_losses_that_are_level_half_the_pairs_fell():
    noise = torch.randn(2, 10, 20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).exp()
    share = falling(*noise)
    assert share.mean().item() == pytest.approx(0.5, abs=4 * (21 / 1200 / 20_000) ** 0.5)
    assert share.var().item() == pytest.approx((10 + 10 + 1) / (12 * 10 * 10), rel=0.05)  # Mann and Whitney


def steps_of(losses, patience):
    """After how many steps each column has settled."""
    rule, ends = Settling(patience), {}
    for step, row in enumerate(losses):
        halves = {"y": 0.25 * row, "z": 0.75 * row}
        for i in rule(step, float(row.sum()), halves).nonzero().flatten().tolist():
            ends.setdefault(i, step + 1)
    return ends


def test_each_image_settles_by_its_own_losses():
    falls_then_rests = [5.0, 4, 3, 3, 3, 3, 3, 3]
    falls = [8.0, 7, 6, 5, 4, 3, 2, 1]
    rises = [1.0, 2, 3, 4, 5, 6, 7, 0]
    losses = torch.tensor([falls_then_rests, falls, rises], dtype=torch.float64).T
    assert steps_of(losses, 2) == {0: 6, 2: 4}
    assert steps_of(losses, 1) == {0: 4, 2: 2}
    assert steps_of(losses[:, [1]], 4) == {}
    assert steps_of(losses * 1e9 - 1e12, 2) == {0: 6, 2: 4}  # ranks know no scale


def test_what_has_settled_stays_settled():
    assert steps_of(column(1, 2, 3, 2, 1, 0), 1) == {0: 2}
    rule = Settling(1)
    answers = [rule(k, v, {"y": torch.tensor([v])}).item() for k, v in enumerate((1.0, 2.0, 1.0, 0.0))]
    assert answers == [False, True, True, True]


def test_a_patience_is_one_step_at_least():
    with pytest.raises(ValueError, match="patience is a whole number of at least 1, but is 0"):
        Settling(0)


def gap(guide, prior, time, observed, y, scale):
    """Nats by which the bound lies below the evidence: KL of q(z_t) to the posterior, which is Gaussian here."""
    alpha, sigma = float(prior.schedule.alpha(time)), float(prior.schedule.sigma(time))
    v = alpha**2 * prior.std**2 + sigma**2
    a = alpha * prior.std**2 / v  # E[z_0 | z_t] = m + a (z_t - alpha m)
    precision = 1 / v + torch.where(observed, a**2 / scale**2, 0)
    mean = alpha * prior.mean + torch.where(observed, a * (y - prior.mean) / scale**2, 0) / precision
    q = guide.top().base_dist
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(mean, precision**-0.5)).sum((1, 2, 3))


def one_level(prior, n=1):
    _, _, y = setup(prior, n)
    observed = y != 0
    model = DiffusionModel(prior, Inpainting(observed), (300,), Gaussian(0.2))
    return model, make_guide("gaussian", model, y), observed, y


def test_a_settled_fit_is_near_the_optimum_in_fewer_steps(gaussian):
    model, guide, observed, y = one_level(gaussian)
    assert gap(guide, gaussian, 300, observed, y, 0.2) > 1
    elbo = Trace_ELBO(64, vectorize_particles=True, max_plate_nesting=3)
    record = fit(model, guide, y, num_steps=400, loss=elbo, generator=seeded(0), callback=Settling(20))
    assert record.ended == ["settled"] and 40 <= record.steps[0] == len(record.losses) < 200
    assert gap(guide, gaussian, 300, observed, y, 0.2) < 0.1


@pytest.mark.battery
@pytest.mark.parametrize("name", ALONE)
def test_an_image_that_has_settled_is_the_one_alone(name):
    """Parameters, draws of its stream, and the steps after which each ended; the others go on as if alone, too."""
    prior, ends, most = tiny("pixel"), (2, 1, 3, 9), 4
    measurement = seen()
    settled = of_guide(name).settle(prior, measurement)
    last = torch.tensor(ends)

    def fitted(part, images, kept=None):
        model, streams = settled.model(prior, part), seeded(*(SEEDS[i] for i in images))
        guide = make_guide(name, model, part)

        def callback(step, loss, terms):
            if kept is not None and step + 1 in ends:
                i = ends.index(step + 1)
                kept[i] = [guide.share(k, p, i).clone() for k, p in guide.named_parameters()]
            return last[images] <= step + 1

        record = fit(model, guide, part.y, num_steps=most, generator=streams, callback=callback)
        return guide, record, [g.get_state() for g in streams]

    at_end = {}
    guide, record, states = fitted(measurement, [0, 1, 2, 3], at_end)
    assert record.steps == [2, 1, 3, 4] and record.ended == ["settled"] * 3 + ["all steps"]
    assert all(term.shape == (4, 4) for term in record.terms.values())
    for i in range(4):
        now = [guide.share(k, p, i) for k, p in guide.named_parameters()]
        if i in at_end:
            assert all(torch.equal(a, b) for a, b in zip(now, at_end[i], strict=True))
        alone, single, state = fitted(measurement.part(i, i + 1), [i])
        assert single.steps == [record.steps[i]] and torch.equal(state[0], states[i])
        own = [alone.share(k, p, 0) for k, p in alone.named_parameters()]
        now = [p for p in now if p.numel()]  # of a flow, the networks of other images
        for a, b in zip(own, now, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.battery
@pytest.mark.parametrize("name", list(GUIDES))
def test_the_terms_of_one_image_are_its_whole_loss(name, gaussian):
    """By which it is judged, whatever the guide."""
    observed = torch.ones(1, 1, 2, 3, dtype=torch.bool)
    y = torch.full((1, 1, 2, 3), 0.2).double()
    times = (300,) if GUIDES[name].levels == 1 else (700, 300)
    model = DiffusionModel(gaussian, Inpainting(observed), times, Gaussian(0.2), form=GUIDES[name].form)
    record = fit(model, make_guide(name, model, y), y, num_steps=2, generator=seeded(0))
    total = 6 * sum(term.sum(1) for term in record.terms.values())
    torch.testing.assert_close(total, torch.tensor(record.losses, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_a_caller_stops_all_images_whatever_has_settled(gaussian):
    model, guide, y = setup(gaussian, 2)
    told = []

    def then(step, loss, terms, settled):
        told.append((step, settled.tolist()))
        return step == 3

    rule = Settling(1, then)
    record = fit(model, guide, y, num_steps=9, generator=seeded(0, 1), callback=rule)
    assert len(told) == len(record.losses) == 4 and told[-1][1] == rule.settled.tolist()
    before = [next((k + 1 for k, s in told[:-1] if s[i]), None) for i in range(2)]
    assert None in before  # else the fit would have ended by itself
    assert record.steps == [k or 4 for k in before]
    assert record.ended == ["settled" if k else "stopped" for k in before]


def test_without_a_rule_all_steps_are_made(gaussian):
    model, guide, y = setup(gaussian, 2)
    record = fit(model, guide, y, num_steps=3)
    assert record.steps == [3, 3] and record.ended == ["all steps"] * 2
    record = fit(model, guide, y, num_steps=3, callback=lambda *_: True)
    assert record.steps == [1, 1] and record.ended == ["stopped"] * 2


def test_one_generator_for_all_goes_on(gaussian):
    """Images that share a stream depend on their neighbours: it has no place to return to."""
    model, guide, y = setup(gaussian, 2)
    generator = torch.Generator().manual_seed(0)
    fit(model, guide, y, num_steps=2, generator=generator, callback=lambda *_: torch.tensor([True, False]))
    other = torch.Generator().manual_seed(0)
    model, guide, y = setup(gaussian, 2)
    fit(model, guide, y, num_steps=2, generator=other)
    assert torch.equal(generator.get_state(), other.get_state())


class _Shared(HierarchicalGuide):
    """A parameter that all images have in common."""

    def __init__(self, model, y):
        super().__init__(model, y)
        self.shift = torch.nn.Parameter(torch.zeros(1, 2, 3, dtype=torch.float64))

    def top(self):
        q = super().top().base_dist
        return dist.Normal(q.loc + self.shift, q.scale).to_event(3)


def test_what_all_images_share_cannot_rest(gaussian):
    model, _, y = setup(gaussian, 2)
    guide = _Shared(model, y)
    before = None

    def callback(step, loss, terms):
        nonlocal before
        before = params(guide)
        return torch.tensor([True, False])

    with pytest.raises(ValueError, match=r"shift is no parameter of one image: fit one image at a time, not 2"):
        fit(model, guide, y, num_steps=3, callback=callback)
    assert all(torch.equal(v, before[k]) for k, v in guide.state_dict().items())
    one, _, y = setup(gaussian, 1)
    assert fit(one, _Shared(one, y), y, num_steps=3, callback=lambda *_: torch.tensor([True])).steps == [1]


def test_of_a_function_nobody_knows_whose_a_parameter_is(gaussian):
    def model(y):
        with pyro.plate("images", 2, dim=-1):
            pyro.sample("y", dist.Normal(pyro.param("loc", torch.zeros(2).double()), 1.0), obs=y)

    with pytest.raises(TypeError, match="needs a vipaint_pyro.guides.Guide .* one image at a time, not 2"):
        fit(model, lambda y: None, torch.ones(2).double(), num_steps=2, callback=lambda *_: torch.tensor([True, False]))


@pytest.mark.parametrize("answer", [torch.tensor(True), torch.tensor([True]), torch.tensor([1, 0])])
def test_an_answer_of_another_shape(gaussian, answer):
    model, guide, y = setup(gaussian, 2)
    with pytest.raises(ValueError, match=r"a callback gives a tensor of bools \(2,\) .* or True, not "):
        fit(model, guide, y, num_steps=2, callback=lambda *_: answer)
