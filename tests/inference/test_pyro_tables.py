"""The page's tables of Pyro's optimizers and losses: complete, so that a new one turns this red, and true."""

import importlib.util
import inspect
import re
from pathlib import Path

import pyro
import pyro.infer
import pytest
import torch

from tests.guides.test_registry import OTHER, Y, pair
from tests.inference.test_checkpoint import Ended, assert_same, once
from tests.inference.test_scheduled import LR
from vipaint_pyro.inference import fit
from vipaint_pyro.inference.losses import REFUSED

PAGE = (Path(__file__).parents[2] / "docs" / "using-it.md").read_text()


def table(head):
    """Name -> the other cells of its row."""
    lines = PAGE[PAGE.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    found = [(name, cells[1:]) for cells in rows for name in re.findall(r"`(\w+)`", cells[0])]
    assert len(found) == len(dict(found)), "a name stands in two rows"
    return dict(found)


OPTIMIZERS, LOSSES = table("optimizers of `pyro.optim`"), table("losses of `pyro.infer`")
SCHEDULED = {
    "ExponentialLR": {"gamma": 0.9}, "StepLR": {"step_size": 2}, "MultiStepLR": {"milestones": [1, 3]},
    "LambdaLR": {"lr_lambda": lambda n: 0.9**n}, "MultiplicativeLR": {"lr_lambda": lambda n: 0.9},
    "CosineAnnealingLR": {"T_max": 9}, "CosineAnnealingWarmRestarts": {"T_0": 3},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 9},
    "ReduceLROnPlateau": {"patience": 0, "threshold": 5.0, "threshold_mode": "abs"},
    "ConstantLR": {}, "LinearLR": {}, "PolynomialLR": {},
}  # fmt: skip
TAKEN = [name for name, cells in OPTIMIZERS.items() if cells and cells[0] == "yes"]


def made(name):
    if name in SCHEDULED:
        kind = {"optimizer": torch.optim.Adam, "optim_args": {"lr": LR}}
        return getattr(pyro.optim, name)({**kind, **SCHEDULED[name]})
    return getattr(pyro.optim, name)({"eta" if name == "AdagradRMSProp" else "lr": LR})


def test_the_tables_have_all_that_there_is():
    assert set(pyro.optim.__all__) <= OPTIMIZERS.keys()
    kinds = {n: k for n in pyro.infer.__all__ if inspect.isclass(k := getattr(pyro.infer, n))}
    assert {n for n, k in kinds.items() if issubclass(k, pyro.infer.ELBO)} == LOSSES.keys()
    assert {n for n, cells in LOSSES.items() if cells[0] == "no"} == set(REFUSED)
    assert set(SCHEDULED) == set(TAKEN) & set(vars(torch.optim.lr_scheduler))


@pytest.mark.battery
@pytest.mark.parametrize("name", TAKEN)
def test_an_images_fit_is_its_own_where_the_table_says_so(gaussian, name):
    found = []
    for y in (torch.cat([Y, 30 * OTHER]), Y):
        model, guide = pair("hierarchical", gaussian, y)
        seeds = [torch.Generator().manual_seed(k) for k in range(len(y))]
        fit(model, guide, y, num_steps=4, optim=made(name), generator=seeds)
        found.append([p.detach()[:1] for p in guide.parameters()])
    start = [p.detach() for p in pair("hierarchical", gaussian)[1].parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(start, found[1]))  # it moves at all
    same = all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(*found))
    assert ("yes" if same else "no") == OPTIMIZERS[name][1]


@pytest.mark.parametrize(
    "name", [n if n in ("NAdam", "SGD") else pytest.param(n, marks=pytest.mark.slow) for n in TAKEN]
)
def test_it_goes_on_from_a_file(gaussian, tmp_path, name):
    with pytest.raises(Ended):
        once(gaussian, "hierarchical", tmp_path / "fit", at=5, every=2, optim=lambda guide: made(name))
    unbroken = once(gaussian, "hierarchical", optim=lambda guide: made(name))
    assert_same(unbroken, once(gaussian, "hierarchical", tmp_path / "fit", optim=lambda guide: made(name)))
    assert OPTIMIZERS[name][2] == "yes"


@pytest.mark.parametrize("name", [n for n, cells in OPTIMIZERS.items() if cells[:1] == ["no"]])
def test_what_is_not_taken_is_refused(gaussian, name):
    if name not in pyro.optim.__all__:
        pytest.skip(f"this torch has no {name}")
    model, guide = pair("hierarchical", gaussian)
    before = {n: p.detach().clone() for n, p in guide.named_parameters()}
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        one = made(name) if name in ("Muon", "SparseAdam") else getattr(pyro.optim, name)(
            {"optimizer": torch.optim.Adam, "optim_args": {"lr": LR}}
        )
        fit(model, guide, Y, num_steps=1, optim=one)
    assert all(torch.equal(p, before[n]) for n, p in guide.named_parameters())


@pytest.mark.parametrize("name", [n for n, cells in LOSSES.items() if cells[0] == "yes"])
@pytest.mark.filterwarnings("ignore:Found no sample sites configured for enumeration")
def test_a_loss_that_is_taken_is_followed(gaussian, name):
    known = name in ("RenyiELBO", "TraceTMC_ELBO")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # that of this prior
    try:
        for form in ("marginal",) if known else ("bridge", "marginal"):
            model, guide = pair("hierarchical", gaussian, form=form)
            more = {"strict_enumeration_warning": False} if name == "TraceEnum_ELBO" else {}
            loss = getattr(pyro.infer, name)(num_particles=2, vectorize_particles=True, max_plate_nesting=3, **more)
            record = fit(model, guide, Y, num_steps=2, loss=loss)
            assert all(len(term) == 2 for term in record.terms.values()) and {"y", "z_100"} <= record.terms.keys()
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("name", REFUSED)
def test_a_loss_that_is_not_taken_is_refused_by_name(gaussian, name):
    model, guide = pair("hierarchical", gaussian)
    more = {"kernel": {}} if name == "Trace_MMD" else {}
    with pytest.raises(TypeError, match=f"^a fit does not take {name}: it .*. Take Trace_ELBO$"):
        fit(model, guide, Y, num_steps=1, loss=getattr(pyro.infer, name)(**more))


def test_horovod_is_not_there():
    """Or it could be tried."""
    assert importlib.util.find_spec("horovod") is None
