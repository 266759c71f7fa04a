r"""Fitting a guide to measurements: Pyro's SVI, with a guard and a record of the bound's terms."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pyro
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.util import zero_grads
from pyro.poutine.trace_messenger import TraceMessenger
from torch import Tensor

from vipaint_pyro.alone import in_turn
from vipaint_pyro.faults import NonFiniteError, located
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.inference.checkpoint import Checkpoints
from vipaint_pyro.inference.fit_state import FitState
from vipaint_pyro.inference.given import given_y
from vipaint_pyro.inference.losses import check_gradients, check_loss
from vipaint_pyro.inference.optimizers import default_optimizer
from vipaint_pyro.inference.resting import Resting
from vipaint_pyro.inference.scheduled import step_schedulers
from vipaint_pyro.inference.terms import check_finite_step, recording, terms_of
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.base import ImageModel
from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.wording import shown

__all__ = ["FitResult", "NonFiniteError", "fit"]


_BROKEN = (
    "the guide keeps the parameters of the step before. Lower the learning rate, or check the measurements and the "
    "prior's precision"
)
_MEMORY = (
    "the guide keeps the parameters of the step before. Take fewer chains (num_particles of the loss), timesteps or "
    "images"
)


@dataclass
class FitResult:
    """What a fit leaves behind, beside the guide's parameters.

    Attributes:
        losses: minus the bound in nats, summed over the images, one per step.
        terms: for each site, its share of minus the bound per image in nats per dimension of z
            (negative log likelihood for ``y``, KL for the others, beta included), with shape
            (steps, N); an estimate from the same draws as the loss. Of an image whose fit has ended, estimates of
            one and the same bound.
        steps: of each image, after how many steps its parameters moved no more.
        ended: of each image, why: ``"settled"`` where the callback said so, ``"all steps"`` or ``"stopped"``.
        streams: where each generator stood at the end (its ``get_state()``), so that draws may go on from there.
    """

    losses: list[float] = field(default_factory=list)
    terms: dict[str, Tensor] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    streams: list[Tensor] = field(default_factory=list)


@contextmanager
def _in_the_store(guide: Callable) -> Iterator[None]:
    """Pyro's SVI knows parameters by its store: where modules keep theirs to themselves, they are in it for the fit."""
    if not pyro.settings.get("module_local_params"):
        yield
        return
    store = pyro.get_param_store()
    before = set(store.keys())
    try:
        with pyro.settings.context(module_local_params=False):
            yield
    finally:
        own = {id(p) for p in guide.parameters()} if isinstance(guide, torch.nn.Module) else set()
        gone: set[int] = set()
        for name, p in [(n, p) for n, p in store.named_parameters() if n not in before and id(p) in own]:
            if id(p) in gone:  # a tied one, of whose names the store knows one at a time
                store[name] = p
            del store[name]
            gone.add(id(p))


@contextmanager
def _gradients() -> Iterator[TraceMessenger]:
    """What records the parameters that a step meets; their gradients are gone at the end, however it comes."""
    params = poutine.trace(param_only=True)
    try:
        yield params
    finally:
        zero_grads(_parameters(params).values())


def _parameters(params: TraceMessenger) -> dict[str, Tensor]:
    nodes: dict[str, Any] = params.trace.nodes
    return {name: site["value"].unconstrained() for name, site in nodes.items()}


def default_loss() -> Trace_ELBO:
    """``Trace_ELBO`` over four Monte Carlo chains at once."""
    return Trace_ELBO(num_particles=4, vectorize_particles=True, max_plate_nesting=3)


def fit(
    model: Callable,
    guide: Callable,
    y: Tensor | Measurement,
    *,
    num_steps: int = 50,
    optim: pyro.optim.PyroOptim | None = None,
    loss: Trace_ELBO | None = None,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    callback: Callable[[int, float, dict[str, Tensor]], object] | None = None,
) -> FitResult:
    """Fit a guide by stochastic variational inference, as ``SVI.step`` in a loop would.

    Beyond the bare loop: each image draws from its own generator, the noise levels are stratified,
    the terms of the bound are recorded from the traces the loss makes anyway, and the loss and
    every gradient are checked before a parameter moves. Fits of several threads wait for each other. As after
    ``SVI.step``, the guide's parameters stay in Pyro's store until ``pyro.clear_param_store()`` or the end of a
    ``pyro.get_param_store().scope()`` around the call; the guide itself keeps them too.

    Args:
        model, guide: the programs; both take ``y``.
        y: measurements with shape (N, C', H', W'), 0 where not observed; brought to the device and the precision of
            the model's prior. Of a measurement its y alone: the model has the likelihood.
        num_steps: gradient steps, at most.
        optim: a Pyro optimizer; by default Adam with ``guide.learning_rate(name)``. A ``PyroLRScheduler`` makes a step
            of its own after each of the gradient's, ``ReduceLROnPlateau`` by the loss.
        loss: a Pyro ELBO, but for :data:`~vipaint_pyro.inference.losses.REFUSED`; by default ``Trace_ELBO`` over four
            vectorised chains.
        generator: one generator, or a list with one per image; None takes the global state.
        callback: called as ``callback(step, loss, terms)`` after each step; the fit ends there where it returns True
            itself. Where it returns a tensor of bools (N,), the fits of those images end there, as
            :class:`~vipaint_pyro.inference.settling.Settling` has it, and each is the one that it would be alone. With
            :class:`~vipaint_pyro.inference.checkpoint.Checkpoints` the fit is kept in a file, and goes on from it.

    Raises:
        NonFiniteError: where the loss, a gradient or anything on the way to them is not finite; names the step and
            the site. The parameters stay those of the last good step.
        OutOfMemory: where the memory does not suffice; the same of the parameters.
        ValueError: for fewer than one step, generators of another number, a y that the model does not measure, or a
            guide of another model, or of another y where it looks at y itself; where images end by themselves and a
            parameter has no part that is an image's own.
    """
    checked("num_steps", num_steps, whole())
    for name, value in (("model", model), ("guide", guide), ("callback", callback)):
        if not callable(value) and (value is not None or name != "callback"):
            raise TypeError(f"{name} is to be called, but is {shown(value)}")
    if optim is not None and not isinstance(optim, pyro.optim.PyroOptim):
        raise TypeError(f"optim is an optimizer of pyro.optim, not {shown(optim)}")
    if loss is not None:
        check_loss(loss)
        check_gradients(loss, guide)
    y, of_images = given_y(model, guide, y), model if isinstance(model, ImageModel) else None
    num_images = y.shape[0]
    streams = NoiseStreams(generator, num_images)
    noise, resting = PerImageNoise(streams), Resting(guide, streams, y.device)
    dims = y[0].numel() if of_images is None else torch.Size(of_images.prior.latent_shape).numel()
    loss = loss or default_loss()
    svi = SVI(model, guide, optim or default_optimizer(guide), loss)
    result = FitResult()
    history: dict[str, list[Tensor]] = {}
    keeping = callback if isinstance(callback, Checkpoints) else None
    # Its parameters are asked for where the fit is kept, which those of guides are.
    state = FitState(cast(Guide, guide), svi.optim, noise, resting, y.device, result.losses, history)
    first = 0 if keeping is None else keeping.begin(model, y, loss, state)
    with ExitStack() as around:
        around.enter_context(in_turn())
        around.enter_context(_in_the_store(guide))
        if of_images is not None:
            around.enter_context(of_images.prior.frozen())
            around.enter_context(of_images.fitting())
        for step in range(num_steps if resting.every else first, num_steps):
            with located("fit", step, broken=_BROKEN, memory=_MEMORY), _gradients() as params:
                matched = guide if of_images is not None and step == first else None  # once is enough
                with params, recording(loss, matched) as pairs, noise, warnings.catch_warnings():
                    # Pyro warns of a NaN and goes on; it is checked here instead.
                    warnings.filterwarnings("ignore", "Encountered", UserWarning)
                    if matched is not None:  # an error that says more
                        warnings.filterwarnings("ignore", "Found vars in model but not guide", UserWarning)
                    value = svi.loss_and_grads(model, guide, y)
                terms = terms_of(pairs, num_images, loss.num_particles * dims)
                parameters = _parameters(params)
                check_finite_step(value, terms, parameters)
                state.meet()
                with resting.kept(parameters):
                    svi.optim({id(p): p for p in parameters.values()}.values())  # one of two names moves once
                step_schedulers(svi.optim, value)
            result.losses.append(value)
            for name, term in terms.items():
                history.setdefault(name, []).append(term.cpu())
            answer = None if callback is None else callback(step, value, terms)
            if isinstance(answer, Tensor):
                resting.add(answer, step)
            ended = answer is True or resting.every or step + 1 == num_steps
            if keeping is not None:
                keeping.made(step + 1, ended, state)
            if ended:
                break
    resting.end()
    if isinstance(guide, Guide):
        guide.fitted_to = y.detach().clone()
    result.streams = streams.states(y.device)
    result.steps, result.ended = resting.record(len(result.losses), num_steps)
    result.terms = {name: torch.stack(values) for name, values in history.items()}
    return result
