"""The terms of a bound, from the traces that an ELBO makes anyway; and whether they are finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from pyro import poutine
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro.faults import NonFiniteError
from vipaint_pyro.inference.matching import check_match

__all__ = ["check_finite_step", "recording", "terms_of"]


@contextmanager
def recording(
    loss: Trace_ELBO, guide: Callable | None = None
) -> Iterator[list[tuple[poutine.Trace, poutine.Trace]]]:
    """Collect the (model, guide) traces that an ELBO makes, their densities computed already.

    Args:
        loss: the ELBO, which is left as it was.
        guide: where given, its traces have to belong to the model's (:func:`check_match`).
    """
    pairs: list[tuple[poutine.Trace, poutine.Trace]] = []
    get_trace = loss._get_trace

    def kept(*args, **kwargs):
        pair = get_trace(*args, **kwargs)
        if guide is not None:
            check_match(guide, *pair)
        pairs.append(pair)
        return pair

    vars(loss)["_get_trace"] = kept
    try:
        yield pairs
    finally:
        del loss._get_trace


def terms_of(pairs: list, num_images: int, divisor: int) -> dict[str, Tensor]:
    """-(log p - log q) of every site with a density, per image, summed and then divided."""
    terms: dict[str, Tensor] = {}
    for model_trace, guide_trace in pairs:
        plates = {f.name for s in model_trace.nodes.values() for f in s.get("cond_indep_stack", ())}
        for sign, trace in ((1, guide_trace), (-1, model_trace)):
            for name, site in trace.nodes.items():
                # Plates' own sites and deterministic ones have no density.
                if site["type"] != "sample" or name in plates or site["infer"].get("_deterministic"):
                    continue
                log_prob = site["log_prob"].detach()
                if log_prob.shape[-1:] == (num_images,):
                    value = sign / divisor * log_prob.reshape(-1, num_images).sum(0)
                    terms[name] = terms[name] + value if name in terms else value
    return terms


def check_finite_step(value: float, terms: dict[str, Tensor], parameters: dict[str, Tensor]) -> None:
    """Raise where the loss or a gradient is not finite, naming the site or the parameter."""
    bad = None
    if not torch.isfinite(torch.tensor(value, device="cpu")):
        sites = [name for name, term in terms.items() if not torch.isfinite(term).all()]
        bad = (sites[0] if sites else "the bound", "the bound's term")
    else:
        for name, parameter in parameters.items():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                bad = (name, "the gradient")
                break
    if bad is not None:
        raise NonFiniteError(bad[0], f"{bad[1]} of {bad[0]} is not finite")
