"""No tensor is made on another device, or in another precision, than it belongs to, whatever the caller's defaults.

Each scene is run four times: as it is; on an accelerator that refuses what meets from two devices; and with a default
device and a default precision of the caller's that are not those of the prior. The numbers are the same every time.
"""

import ast
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, EDMEulerScheduler, FlowMatchEulerDiscreteScheduler, ScoreSdeVeScheduler
from torch.utils._pytree import tree_leaves, tree_map

from tests.accelerator import FAR, NEAR, Accelerator, Far
from tests.conftest import tiny_unet
from tests.priors.pretrained.tiny import autoencoder, vq
from tests.samplers.test_registry import CHEAP
from tests.test_walls import FILES, name_of
from vipaint_pyro.calibration import psis
from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.exact import GaussianPrior, exact_posterior
from vipaint_pyro.guides import AUTO_GUIDES, GUIDES, make_guide, recipe
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.perceptual import Perceptual
from vipaint_pyro.measurements.tasks import TASKS, make_operator
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import draw
from vipaint_pyro.samplers.registry import METHODS, make_sampler

#: Guides whose tensors Pyro makes a subclass of its own of, which no other subclass can be.
TRACED = {"AutoGaussian", "AutoStructured"}
#: Functions that make a tensor of nothing but numbers, on the default device where none is named.
FACTORIES = {
    "arange", "as_tensor", "asarray", "empty", "eye", "full", "linspace", "logspace", "ones", "rand", "randint",
    "randn", "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros",
}  # fmt: skip


def bare(source: str) -> list[int]:
    """Lines that make a tensor and do not say where."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "torch"
        and node.func.attr in FACTORIES
        and not any(k.arg in ("device", None) for k in node.keywords)
    ]


def test_whatever_makes_a_tensor_says_where():
    assert not {name_of(path): lines for path in FILES if (lines := bare(path.read_text()))}


def test_the_finder_finds():
    assert bare("x = 1\ny = torch.zeros(3)\nz = torch.rand(2, device=d)\nw = torch.full((), 1, **like)") == [2]


# -- scenes: what is made outside, a function of the device, the numbers that come out ------------------------------


class Parts:
    """Networks and schedulers are the caller's, made before."""

    def __init__(self, dtype):
        self.unet, self.latent_unet, self.vae, self.vq = tiny_unet(3), tiny_unet(4), autoencoder(), vq()
        self.labelled = tiny_unet(3, classes=5)
        for network in (self.unet, self.latent_unet, self.vae, self.vq, self.labelled):
            network.to(dtype)
        self.scheduler = DDPMScheduler(clip_sample=False)
        self.others = [EDMEulerScheduler(), ScoreSdeVeScheduler(), FlowMatchEulerDiscreteScheduler()]
        self.lpips = LPIPS()

    def prior(self, device, kind="pixel"):
        made = {
            "pixel": lambda: DiffusionPrior.from_components(self.unet.to(device), self.scheduler),
            "kl": lambda: DiffusionPrior.from_components(
                self.latent_unet.to(device), self.scheduler, vae=self.vae.to(device)
            ),
            "vq": lambda: DiffusionPrior.from_components(
                self.unet.to(device), self.scheduler, vqvae=self.vq.to(device)
            ),
            "labels": lambda: DiffusionPrior.from_components(
                self.labelled.to(device), self.scheduler, null_class=4
            ).conditioned([1, None], 2.0),
        }
        return made[kind]()

    @staticmethod
    def exact(device):
        mean = torch.linspace(-0.6, 0.7, 27, dtype=torch.float64, device="cpu").reshape(3, 3, 3).to(device)
        return GaussianPrior(mean, mean.abs() / 2 + 0.3, NoiseSchedule.variance_preserving())


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def inpainting(prior, n=2):
    """Two images behind masks, where a user has them: on the CPU."""
    shape = prior.image_shape
    x = torch.rand(n, *shape, generator=seeded(1), dtype=torch.float32, device="cpu") * 2 - 1
    observed = torch.rand(n, 1, *shape[1:], generator=seeded(2), dtype=torch.float32, device="cpu") < 0.6
    return Measurement(Inpainting(observed), Gaussian(0.1), x * observed)


def sampled(kind, method, **settings):
    def scene(parts, device):
        prior = parts.prior(device, kind)
        samples = make_sampler(method, **settings)(prior, inpainting(prior), 2, seeded())
        return samples.images, samples.levels, samples.diagnostics, samples.fit and samples.fit.losses

    return scene


def fitted(name):
    def scene(parts, device):
        prior = parts.exact(device) if name == "AutoRegressiveMessenger" else parts.prior(device)
        measurement = inpainting(prior).to(prior.device, prior.dtype)
        r = recipe(name)
        times = (600, 300)[-r.levels :] if r.levels else (600, 300)
        model = DiffusionModel(prior, measurement.operator, times, measurement.likelihood, form=r.form)
        guide = make_guide(name, model, measurement.y)
        losses = fit(model, guide, measurement.y, num_steps=2, generator=seeded()).losses
        return losses, draw(model, guide, 2, seeded())

    return scene


def restored(task):
    def scene(parts, device):
        prior = parts.prior(device)
        options = {"kernel_size": 5} if "deblur" in task else {}
        operator = make_operator(task, prior.image_shape, 2, device=device, **options)
        x = torch.rand(2, 3, *prior.image_shape[1:], generator=seeded(1), dtype=torch.float32, device="cpu") * 2 - 1
        y = operator(x.to(device))
        back = operator.pseudo_inverse(y) if task != "motion-deblur" else operator.adjoint(y)
        samples = make_sampler("dps", num_steps=2)(prior, Measurement(operator, Gaussian(0.1), y), 1, seeded())
        return y, back, samples.images

    return scene


def pipeline(parts, device):
    pipe = VIPaintPipeline(parts.unet.to(device), parts.scheduler)
    pipe.set_progress_bar_config(disable=True)
    image = np.random.default_rng(0).random((8, 8, 3), dtype=np.float32)
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[2:6, 2:6] = 255
    few = {"fit_steps": 2, "num_chains": 2, "num_inference_steps": 3, "num_samples": 2, "generator": seeded()}
    output = pipe(image, mask, output_type="pt", **few)
    return output.images, output.predictions, pipe(image, mask, output_type="np", guide=output.guide, **few).images


def restoring_pipeline(parts, device):
    pipe = VIPaintPipeline(parts.unet.to(device), parts.scheduler)
    pipe.set_progress_bar_config(disable=True)
    operator = make_operator("super-resolution", (3, 8, 8), 1, device=NEAR, scale=2)
    image = np.random.default_rng(0).random((4, 4, 3), dtype=np.float32)
    few = {"fit_steps": 2, "num_inference_steps": 3, "num_samples": 1, "generator": seeded(), "output_type": "pt"}
    return pipe(image, operator=operator, **few).images


def perceptual(parts, device):
    prior = parts.prior(device)
    measurement = inpainting(prior)
    x = measurement.y.to(device)
    lpips = parts.lpips.to(device)
    sampler = make_sampler("vipaint", fit_steps=2, perceptual=1.0, perceptual_refinement=0.1, refinement_steps=3)
    seen = Perceptual(1.0, Gaussian(0.1)).to(x.device, x.dtype)
    return (
        lpips(x, -x),
        Measurement(measurement.operator.to(x.device), seen, x).log_prob(-x),
        sampler(prior, measurement, 1, seeded()).images,
    )


def exact_laboratory(parts, device):
    prior = parts.exact(device)
    measurement = inpainting(prior)
    operator, y = measurement.operator.to(prior.device), measurement.y
    posterior = exact_posterior(prior, operator, y, 0.3)
    return posterior.mean, posterior.sample(3, seeded())


def exact_sampler(parts, device):
    prior = parts.exact(device)
    return make_sampler("vipaint", correct="smc", num_particles=4, fit_steps=2, refinement_steps=3, limit=False)(
        prior, inpainting(prior), 2, seeded()
    ).images


def schedules(parts, device):
    made = [NoiseSchedule.from_scheduler(s) for s in (parts.scheduler, *parts.others)]
    made += [NoiseSchedule.variance_preserving(), NoiseSchedule.variance_exploding(), NoiseSchedule.rectified_flow()]
    denoisers = [DiffusionPrior.from_components(parts.unet.to(device), s) for s in parts.others]
    z = torch.randn(2, 1, 3, 8, 8, generator=seeded(), dtype=torch.float32, device="cpu").to(device)
    with torch.no_grad():
        predicted = [p.denoise(z, p.schedule.last // 2) for p in denoisers]
    return [(s._alpha, s._sigma, s.time_of_ratio(1.0)) for s in made], predicted


def masks(parts, device):
    return [mask((32, 32), seeded(3)) for mask in MASKS.values()]


def metrics(parts, device):
    x, truth = (torch.rand(3, 2, 3, 8, 8, generator=seeded(i), dtype=torch.float32, device="cpu") for i in (0, 1))
    observed = (truth[0, :, :1] > 0.5).to(device)
    x, truth = x.to(device), truth[0].to(device)
    log_weights = torch.randn(60, 2, generator=seeded(), dtype=torch.float64, device="cpu")
    smooth = psis(log_weights, 0)
    weights = [v for v in vars(smooth).values() if isinstance(v, torch.Tensor)]
    return psnr(x, truth), observed_error(x, truth, observed), diversity(x, observed), weights


FEW = {"fit_steps": 2, "num_chains": 2, "refinement_steps": 3}
SCENES = {
    **{f"method {name}": sampled("kl" if "latent" in METHODS[name].needs else "pixel", name, **CHEAP[name])
       for name in METHODS},
    **{f"{kind} prior": sampled(kind, "vipaint", **FEW) for kind in ("kl", "vq", "labels")},
    "latent blended": sampled("kl", "blended", num_steps=3),
    "checkpointing": sampled("kl", "vipaint", gradient_checkpointing=True, **FEW),
    **{f"correction {c}": sampled("pixel", "vipaint", correct=c, num_particles=4, limit=False, **FEW)
       for c in ("smc",)},
    **{f"guide {name}": fitted(name) for name in [*GUIDES, *AUTO_GUIDES]},
    **{f"task {name}": restored(name) for name in TASKS},
    "pipeline": pipeline,
    "restoring pipeline": restoring_pipeline,
    "perceptual": perceptual,
    "exact laboratory": exact_laboratory,
    "exact sampler": exact_sampler,
    "schedules": schedules,
    "masks": masks,
    "metrics": metrics,
}  # fmt: skip


#: Each of them takes seconds: of these only the last of the three tests runs every time.
LONG = {
    *(f"guide {name}" for name in AUTO_GUIDES if name != "AutoNormal"), "guide flow", "guide mixture",
    "correction smc", "vq prior", "labels prior", "checkpointing", "perceptual", "restoring pipeline",
}  # fmt: skip
#: Those are long in the last one too.
LONGEST = {f"guide {name}" for name in ("AutoGaussian", "AutoIAFNormal", "AutoStructured")}


@pytest.fixture(scope="module")
def single():
    return Parts(torch.float32)


@pytest.fixture(scope="module")
def double():
    return Parts(torch.float64)


@pytest.fixture(scope="module")
def plain():
    """What each scene gives as it is, once."""
    known = {}

    def get(name, parts):
        if (name, parts) not in known:
            torch.manual_seed(0)
            known[name, parts] = SCENES[name](parts, NEAR)
        return known[name, parts]

    return get


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def near(value):
    value = value.near if isinstance(value, Far) else value
    return value.detach() if isinstance(value, torch.Tensor) else value


def same(one, two, exactly=True):
    one, two, rtol = tree_leaves(one), tree_leaves(two), 0 if exactly else 1e-4
    assert len(one) == len(two) > 0
    for a, b in zip(one, two):
        if isinstance(a, torch.Tensor):
            assert a.dtype == b.dtype
            torch.testing.assert_close(near(a), near(b), rtol=rtol, atol=rtol / 10, equal_nan=True)
        elif isinstance(a, (float, np.ndarray)):
            np.testing.assert_allclose(a, b, rtol=rtol)
        else:
            assert a == b


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG else [])
    for name in SCENES if name.removeprefix("guide ") not in TRACED
])  # fmt: skip
def test_on_an_accelerator(double, plain, name):
    parts = double
    expected = plain(name, parts)
    torch.manual_seed(0)
    try:
        with Accelerator():
            found = SCENES[name](parts, FAR)
    finally:
        for network in (parts.unet, parts.latent_unet, parts.vae, parts.vq, parts.labelled, parts.lpips):
            with Accelerator():
                network.to(NEAR)
    same(found, expected, exactly=False)


def check_default_is_left_alone(single, plain, name, default):
    expected = plain(name, single)
    torch.manual_seed(0)
    with default:
        found = SCENES[name](single, NEAR)
    same(found, expected)


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in SCENES
])  # fmt: skip
def test_a_default_device_of_the_callers_changes_nothing(single, plain, name):
    check_default_is_left_alone(single, plain, name, default_device("meta"))


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONGEST else []) for name in SCENES
])  # fmt: skip
def test_a_default_precision_of_the_callers_changes_nothing(single, plain, name):
    check_default_is_left_alone(single, plain, name, default_dtype(torch.float64))


def test_the_accelerator_refuses_what_meets_from_two_devices():
    with Accelerator():
        x = torch.ones(3, device=FAR)
        assert (2 * x + torch.tensor(1.0)).sum().item() == 9
        with pytest.raises(RuntimeError, match="tensors on two devices"):
            x + torch.ones(3)
    assert tree_map(near, [x])[0].tolist() == [1.0] * 3


def test_the_accelerator_knows_parameters_that_are_set_anew():
    # As Pyro sets its own: the wrapper's numbers have to change, not the wrapper alone.
    with Accelerator():
        parameter = torch.nn.Parameter(torch.ones(3, device=FAR))
        parameter.data = torch.full((3,), 2.0, device=FAR)
        assert (2 * parameter).detach().tolist() == [4.0] * 3
