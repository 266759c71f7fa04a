"""Every inference algorithm of Pyro on every form of the model: the right value, or one refusal by name."""

import inspect
import math
from pathlib import Path

import pyro.infer
import pytest
import torch
from pyro import poutine
from pyro.infer import autoguide
from pyro.infer.importance import vectorized_importance_weights
from pyro.infer.mcmc.util import initialize_model

from tests.conftest import standard_error
from tests.guides.oracle import OBSERVED, Program, Y
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.guides import AUTO_GUIDES, Guide, MarkovGuide
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements import Gaussian, Inpainting
from vipaint_pyro.models import DiffusionModel, REDDiffModel
from vipaint_pyro.models.algorithms import ALGORITHMS, AVERAGES, DENSITY, FUNCTIONS, OWN_SITES
from vipaint_pyro.models.sites import site

SCALE, TIMES = 0.4, (500, 100)
#: Classes that pyro.infer exports and that run no model, or not one like ours.
NO_ALGORITHMS = {
    "ELBO": "base class of the losses",
    "TracePosterior": "base class",
    "TracePredictive": "takes posteriors that ran already",
    "EmpiricalMarginal": "a table of draws",
    "MHResampler": "takes draws that were made already",
    "RBFSteinKernel": "a part of SVGD",
    "IMQSteinKernel": "a part of SVGD",
    "EnergyDistance": "takes deterministic sites for data, and x is one",
    "Trace_MMD": "draws the model's own z with a gradient, which the reverse diffusion has not",
    "SMCFilter": "takes a state-space model with init and step",
}


class NetworkLike(GaussianPrior):
    """A Gaussian prior that, as a network's, knows its marginal at T alone."""

    hidden = False

    def marginal(self, t):
        return None if self.hidden and t != self.schedule.last else super().marginal(t)


class Posterior(MarkovGuide):
    """The exact posterior over two levels, per pixel."""

    def __init__(self, model, program):
        super().__init__(model)
        self.program = program

    def top(self):
        return pyro.distributions.Normal(self.program.mean[0][None], self.program.std[0][None]).to_event(3)

    def kernel(self, z_t, t, s):
        mean, precision = self.program.mean, self.program.precision
        shift = precision[..., 1, 0] / precision[..., 1, 1] * (z_t - mean[0])
        return pyro.distributions.Normal(mean[1] - shift, precision[..., 1, 1].rsqrt()).to_event(3)


FORMS = ("bridge", "estimated", "closed", "from T")


def problem(gaussian, form):
    """A model, its exact posterior as a guide, and log p(y)."""
    prior = NetworkLike(gaussian.mean, gaussian.std, gaussian.schedule)
    times = (gaussian.schedule.last, 100) if form == "from T" else TIMES
    program = Program(prior, times, SCALE)
    prior.hidden = form != "closed"
    model = DiffusionModel(
        prior, Inpainting(OBSERVED), times, Gaussian(SCALE), form="bridge" if form == "bridge" else "marginal"
    )
    return model, Posterior(model, program), program.evidence


def many(loss, num_particles=1000, **options):
    options = {"vectorize_particles": True, "max_plate_nesting": 3} | options
    return loss(num_particles=num_particles, **options)


def value(loss, num_particles=1000, **options):
    """What is said of log p(y), as a function of model and guide."""

    def said(model, guide):
        torch.set_default_dtype(torch.float64)  # in which Pyro's enumeration makes its own tensors
        try:
            return -torch.as_tensor(many(loss, num_particles, **options).loss(model, guide, Y)).double()
        finally:
            torch.set_default_dtype(torch.float32)

    return said


def wake(model, guide):
    return -torch.as_tensor(many(pyro.infer.ReweightedWakeSleep).loss(model, guide, Y)[0]).double()


def tail(model, guide):
    return -torch.as_tensor(many(pyro.infer.TraceTailAdaptive_ELBO).loss_and_grads(model, guide, Y)).double()


def importance(model, guide):
    return pyro.infer.Importance(model, guide, num_samples=20).run(Y).get_log_normalizer()


def compiled(model, guide):
    optim = pyro.optim.Adam({"lr": 0.1})
    return pyro.infer.CSIS(model, guide, optim, num_inference_samples=20).run(Y).get_log_normalizer()


def weights(model, guide):
    log_weights, *_ = vectorized_importance_weights(model, guide, Y, num_samples=20, max_plate_nesting=3)
    return log_weights.logsumexp(0) - math.log(20)


def weighed(model, guide):
    predictive = pyro.infer.WeighedPredictive(model, guide=guide, num_samples=20, parallel=True)
    return predictive(Y).log_weights.logsumexp(0) - math.log(20)


IN_MEAN = {
    "Trace_ELBO": value(pyro.infer.Trace_ELBO),
    "TraceMeanField_ELBO": value(pyro.infer.TraceMeanField_ELBO),
    "TraceGraph_ELBO": value(pyro.infer.TraceGraph_ELBO, 10, vectorize_particles=False),
    "TraceEnum_ELBO": value(pyro.infer.TraceEnum_ELBO, strict_enumeration_warning=False),
    "JitTrace_ELBO": value(pyro.infer.JitTrace_ELBO, ignore_jit_warnings=True),
    "JitTraceMeanField_ELBO": value(pyro.infer.JitTraceMeanField_ELBO, ignore_jit_warnings=True),
    "JitTraceGraph_ELBO": value(pyro.infer.JitTraceGraph_ELBO, 1, vectorize_particles=False, ignore_jit_warnings=True),
    "JitTraceEnum_ELBO": value(
        pyro.infer.JitTraceEnum_ELBO, ignore_jit_warnings=True, strict_enumeration_warning=False
    ),
}
BY_DENSITY = {
    "RenyiELBO": value(pyro.infer.RenyiELBO, alpha=0),
    "ReweightedWakeSleep": wake,
    "TraceTMC_ELBO": value(pyro.infer.TraceTMC_ELBO, 10, strict_enumeration_warning=False),
    "TraceTailAdaptive_ELBO": tail,
    "Importance": importance,
    "CSIS": compiled,
    "WeighedPredictive": weighed,
    "vectorized_importance_weights": weights,
}
CHAINS = {
    "HMC": lambda model: pyro.infer.HMC(model, step_size=0.3, num_steps=4),
    "NUTS": lambda model: pyro.infer.NUTS(model, max_tree_depth=4),
    "RandomWalkKernel": lambda model: pyro.infer.RandomWalkKernel(model),
}


def chain(model, kernel, num_samples=1, warmup_steps=0):
    mcmc = pyro.infer.MCMC(kernel(model), num_samples=num_samples, warmup_steps=warmup_steps, disable_progbar=True)
    mcmc.run(Y)
    return mcmc.get_samples()


def test_every_algorithm_that_pyro_exports_has_its_row():
    exported = {name for name in dir(pyro.infer) if inspect.isclass(getattr(pyro.infer, name))}
    ours = set(ALGORITHMS) - {"AutoGuide", "AutoMessenger"}
    assert exported - set(NO_ALGORITHMS) == ours
    for name, cls in vars(autoguide).items():
        if inspect.isclass(cls) and name.startswith("Auto") and name != "AutoCallable":
            assert {c.__name__ for c in cls.__mro__} & {"AutoGuide", "AutoMessenger"}, name


@pytest.mark.battery
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", IN_MEAN)
def test_what_averages_is_the_evidence_in_mean(gaussian, name, form):
    # With the exact posterior for a guide every bound is tight; where log p is closed, each draw is.
    model, guide, evidence = problem(gaussian, form)
    with torch.no_grad() if name.startswith("Trace") else torch.enable_grad():
        values = torch.stack([IN_MEAN[name](model, guide) for _ in range(4 if name == "JitTraceGraph_ELBO" else 8)])
    if form in ("closed", "from T") and "MeanField" not in name:
        torch.testing.assert_close(values, evidence.expand_as(values), atol=2e-3 if form == "from T" else 1e-6, rtol=0)
    else:
        assert (values.mean() - evidence).abs() < 5 * standard_error(values) + 0.02


@pytest.mark.parametrize("name", [name for name in BY_DENSITY if name != "TraceTailAdaptive_ELBO"])
@pytest.mark.parametrize("form", ["closed", "from T"])
def test_what_weighs_is_the_evidence_where_log_p_is_closed(gaussian, name, form):
    model, guide, evidence = problem(gaussian, form)
    tolerance = 2e-3 if form == "from T" else 1e-6
    torch.testing.assert_close(BY_DENSITY[name](model, guide), evidence, atol=tolerance, rtol=0)


@pytest.mark.parametrize("form", ["bridge", "estimated"])
@pytest.mark.parametrize("name", [*BY_DENSITY, *CHAINS, "initialize_model"])
def test_what_weighs_is_refused_where_log_p_is_estimated(gaussian, name, form):
    model, guide, _ = problem(gaussian, form)
    with pytest.raises(TypeError, match="MCMC" if name in CHAINS else name) as refused:
        if name in CHAINS:
            chain(model, CHAINS[name])
        elif name == "initialize_model":
            initialize_model(model, (Y,))
        else:
            BY_DENSITY[name](model, guide)
    assert "z_500" in str(refused.value) and "T = 999" in str(refused.value) and "\n" not in str(refused.value)


def test_the_bridge_of_a_prior_with_closed_marginals_points_to_the_marginal_form(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Gaussian(SCALE))
    with pytest.raises(TypeError, match="RenyiELBO cannot run the bridge form .* Take form='marginal'"):
        BY_DENSITY["RenyiELBO"](model, Posterior(model, Program(gaussian, TIMES, SCALE)))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CHAINS)
def test_chains_have_the_posterior_where_log_p_is_closed(gaussian, name):
    model, guide, _ = problem(gaussian, "closed")
    draws = chain(model, CHAINS[name], 400 if name != "RandomWalkKernel" else 20_000, 200)
    for i, t in enumerate(TIMES):
        z, std = draws[site(t)].reshape(-1, *guide.program.mean[i].shape), guide.program.std[i]
        assert ((z.mean(0) - guide.program.mean[i]).abs() < 0.4 * std).all()


def test_a_subclass_of_an_algorithm_is_that_algorithm(gaussian):
    class Mine(pyro.infer.RenyiELBO):
        pass

    model, guide, _ = problem(gaussian, "bridge")
    with pytest.raises(TypeError, match="Mine cannot run the bridge form"):
        value(Mine)(model, guide)


@pytest.mark.parametrize("name", AUTO_GUIDES)
def test_raw_autoguides_are_refused_on_the_bridge(gaussian, name):
    model, *_ = problem(gaussian, "bridge")
    with pytest.raises(TypeError, match=f"{name}.* cannot run the bridge form.* Take form='marginal'"):
        getattr(autoguide, name)(model)(Y)


def test_stein_is_refused_on_the_bridge_and_runs_on_the_marginal(gaussian):
    def stein(model):
        kernel, optim = pyro.infer.RBFSteinKernel(), pyro.optim.Adam({"lr": 0.02})
        return pyro.infer.SVGD(model, kernel, optim, num_particles=2, max_plate_nesting=2, mode="multivariate")

    model, *_ = problem(gaussian, "bridge")
    with pytest.raises(TypeError, match="cannot run the bridge form"):
        stein(model).step(Y)
    # Two particles under one kernel find the mode.
    model, guide, _ = problem(gaussian, "closed")
    svgd = stein(model)
    for _ in range(400):
        svgd.step(Y)
    mean = svgd.get_named_particles()[site(TIMES[1])].reshape(2, *guide.program.mean[1].shape).mean(0)
    torch.testing.assert_close(mean, guide.program.mean[1], atol=1e-3, rtol=0)


class WithoutTheBridge(Guide):
    """A guide of one's own that knows of z_{T_e} and z_s alone, or makes up the rest."""

    def __init__(self, model, extra):
        super().__init__(model)
        self.extra = extra

    def forward(self, y=None):
        model, shape = self.model, (1, 1, 2, 3)
        normal = pyro.distributions.Normal(torch.zeros(shape).double(), 1).to_event(3)
        with model.images():
            if self.extra:
                pyro.sample(site(model.last), normal)
            pyro.sample(site(500), normal)
            if self.extra:
                with model.noise_levels():
                    pyro.sample("z_t", normal.expand((min(model.num_levels, model.num_transitions), 1)))
            pyro.sample(site(100), normal)


@pytest.mark.parametrize("extra", [False, True])
def test_a_guide_that_does_not_know_q_above_the_top_is_refused(gaussian, extra):
    model, *_ = problem(gaussian, "bridge")
    with pytest.raises(TypeError, match="z_s do not come with z_500 from q_terminal and q_transitions"):
        fit(model, WithoutTheBridge(model, extra), Y, num_steps=1)


def test_handlers_and_prior_draws_are_no_foreign_guide(gaussian):
    model, guide, _ = problem(gaussian, "bridge")
    trace = poutine.trace(model).get_trace(Y)
    poutine.trace(poutine.replay(model, trace=trace)).get_trace(Y)
    given = {name: trace.nodes[name]["value"] for name in ("z_t", "z_500")}
    conditioned = poutine.trace(poutine.condition(model, given)).get_trace(Y)
    torch.testing.assert_close(conditioned.nodes["z_500"]["value"], given["z_500"])
    draws = pyro.infer.Predictive(model, guide=guide, num_samples=3)()
    again = pyro.infer.Predictive(model, posterior_samples={k: draws[k] for k in ("z_100", "z_500")})()
    torch.testing.assert_close(again["x"], draws["x"])


@pytest.mark.parametrize("loss", [pyro.infer.RenyiELBO, pyro.infer.TraceTMC_ELBO])
def test_red_diff_has_no_density_either(gaussian, loss):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED))
    guide = autoguide.AutoDelta(model)
    with pytest.raises(TypeError, match=f"{loss.__name__} cannot run RED-diff's program.*Take Trace_ELBO"):
        loss(num_particles=2, vectorize_particles=True, max_plate_nesting=2).loss(model, guide, Y)


def test_functions_are_where_the_table_says():
    for module, (name, _) in FUNCTIONS.items():
        assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_the_page_has_the_table():
    page = (Path(__file__).parents[2] / "docs" / "using-it.md").read_text()
    table = page.partition("### Which of Pyro's algorithms run it")[2].partition("\n#")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    for name, needs in ALGORITHMS.items():
        if name == "SVI" or name.startswith("Jit"):
            continue
        (row,) = [r for r in rows if f"`{name}`" in r or (name.startswith("Auto") and "AutoGuides" in r)]
        assert row.count("refused") == {AVERAGES: 0, OWN_SITES: 1, DENSITY: 2}[needs], name
