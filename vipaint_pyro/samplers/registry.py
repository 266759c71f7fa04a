"""Methods by name, so that a table of them is a loop over words, and ``--method`` a word.

Imports nothing heavy until a method is asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vipaint_pyro.places import in_a_file
from vipaint_pyro.samplers.for_scale import FOR_SCALE
from vipaint_pyro.samplers.method import NEEDS, Method
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.wording import did_you_mean

if TYPE_CHECKING:
    from vipaint_pyro.samplers.base import Sampler

__all__ = ["FOR_SCALE", "METHODS", "NEEDS", "Method", "make_sampler", "method"]

_SAMPLERS = "vipaint_pyro.samplers"

#: The methods by name. A sampler of your own joins them by ``METHODS["name"] = Method("name", ...)``.
METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method(
            "vipaint",
            "fit a guide to the measurement, then refine its draws",
            "arXiv:2411.18929",
            f"{_SAMPLERS}.vipaint.sampler:VIPaintSampler",
            cost="600 F, 1,200 B for all samples together, then 103 F, 105 B, of latent priors 600 B and 99 B",
        ),
        Method(
            "dps",
            "the prior's step, pulled towards the measurement",
            "arXiv:2209.14687",
            f"{_SAMPLERS}.dps:DPSSampler",
            cost="400 F + 399 B",
        ),
        Method(
            "blended",
            "known pixels replaced at every noise level",
            "arXiv:2011.13456",
            f"{_SAMPLERS}.blended:BlendedSampler",
            needs=("mask",),
            cost="250 F",
        ),
        Method(
            "repaint",
            "blended, with time travel: the hole is thought over with what surrounds it",
            "arXiv:2201.09865",
            f"{_SAMPLERS}.repaint:RePaintSampler",
            needs=("mask",),
            cost="2,410 F",
        ),
        Method(
            "ddnm",
            "what y says put in place in every prediction, by the pseudo-inverse",
            "arXiv:2212.00490",
            f"{_SAMPLERS}.ddnm:DDNMSampler",
            needs=("linear", "gaussian"),
            cost="100 F",
        ),
        Method(
            "pigdm",
            "the prior's step, pulled by the pseudo-inverse through the network",
            "openreview:9_gsMA8MRKQ",
            f"{_SAMPLERS}.pigdm:PiGDMSampler",
            needs=("linear", "pixel", "gaussian"),
            cost="100 F + 99 B",
        ),
        Method(
            "mmps",
            "the prediction given y, by the covariance that the network's Jacobian says",
            "arXiv:2405.13712",
            f"{_SAMPLERS}.mmps:MMPSSampler",
            needs=("gaussian",),
            cost="100 F + 100 B",
        ),
        Method(
            "tmpd",
            "mmps with variances in place of the covariance",
            "arXiv:2310.06721",
            f"{_SAMPLERS}.tmpd:TMPDSampler",
            needs=("gaussian",),
            cost="100 F + 200 B",
        ),
        Method(
            "tds",
            "mmps in particles, weighed and resampled at every noise level: for few measured entries",
            "arXiv:2306.17775",
            f"{_SAMPLERS}.tds:TDSSampler",
            needs=("linear", "gaussian"),
            cost="250 F + 750 B",
        ),
        Method(
            "copaint",
            "z moved at every noise level until its prediction agrees with y",
            "arXiv:2304.03322",
            f"{_SAMPLERS}.copaint:CoPaintSampler",
            {"jump_n_sample": 1, "jump_length": 10},
            cost="750 F + 500 B, more where steps are shortened",
        ),
        Method(
            "copaint-tt",
            "copaint, with time travel",
            "arXiv:2304.03322",
            f"{_SAMPLERS}.copaint:CoPaintSampler",
            {"jump_n_sample": 2},
            cost="1,542 F + 1,028 B, more where steps are shortened",
        ),
        Method(
            "daps",
            "the clean image drawn by Langevin dynamics at every noise level, and noised anew",
            "arXiv:2407.01521",
            f"{_SAMPLERS}.daps:DAPSSampler",
            cost="1,000 F, of latent priors 100",
        ),
        Method(
            "mgps",
            "a Gaussian fitted below every step, where the prediction is better",
            "arXiv:2410.09945",
            f"{_SAMPLERS}.mgps:MGPSSampler",
            {"eta": 1.0},
            cost="1,474 F + 1,174 B",
        ),
        Method(
            "mgdm",
            "Gibbs sweeps between z_t, the clean image and a level at which y is heard",
            "arXiv:2502.03332",
            f"{_SAMPLERS}.mgdm:MGDMSampler",
            cost="2,890 F + 909 B",
        ),
        Method(
            "psld",
            "dps with latents glued to the encoder's",
            "arXiv:2307.00619",
            f"{_SAMPLERS}.psld:PSLDSampler",
            needs=("latent", "linear"),
            cost="1,000 F + 999 B",
        ),
        Method(
            "resample",
            "latents optimised until they explain y, then noised anew",
            "arXiv:2307.08123",
            f"{_SAMPLERS}.resample:ReSampleSampler",
            needs=("latent", "gaussian"),
            cost="698 F + 499 B, and the decoder's",
        ),
        Method(
            "red-diff",
            "a point at the clean image, by gradient descent, t descending",
            "arXiv:2305.04391",
            f"{_SAMPLERS}.red_diff:REDDiffSampler",
            {"random_times": False},
            cost="100 F",
        ),
        Method(
            "red-diff-v",
            "red-diff, t drawn at random",
            "arXiv:2305.04391",
            f"{_SAMPLERS}.red_diff:REDDiffSampler",
            {"random_times": True},
            cost="100 F",
        ),
    )
}


def method(name: str | type[Sampler]) -> Method:
    """The method of this name; ``"package.module:Class"``, one of your own, or that class.

    Raises:
        TypeError: for anything else, a sampler among them.
        ValueError: for a name there is none of, with those that there are; for a place where no sampler lies.
    """
    from vipaint_pyro.samplers.own import method_at, method_of

    if isinstance(name, type):
        return method_of(name)
    if not isinstance(name, str):
        raise TypeError(
            f"method is a name, one of {_known()}, not {name!r}: give its name and its settings as keywords, "
            "or call a sampler itself, sampler(prior, measurement, num_samples)"
        )
    known = {**FOR_SCALE, **METHODS}
    if name in known:
        return known[name]
    if ":" in name and not {"=", "@"} & {*name}:  # which a spec of a study has
        return method_at(name)
    alone, hint = re.split("[:@]", name)[0], did_you_mean(name, known)
    if {"=", "@"} & {*name}:
        hint = f"{alone} is one: a setting is given by itself (--set), and calls (@) to vipaint evaluate alone. "
        hint = hint if alone in known else ""
    raise ValueError(f"no method is called {name!r}. {in_a_file(name) or hint}There are {_known()}")


def _known() -> str:
    scale = f"without a network, for scale, {', '.join(FOR_SCALE)}"
    return f"{', '.join(METHODS)}; {scale}; or package.module:Class of your own"


def make_sampler(name: str | type[Sampler], **settings: Any) -> Sampler:
    """A sampler by name.

    Args:
        name: one of :data:`METHODS` or :data:`FOR_SCALE`; one of your own, as :func:`method` takes it.
        **settings: the sampler's fields, in place of their defaults; of VIPaint also ``effort``, a preset of them.

    Raises:
        ValueError: for an unknown name or effort.
        TypeError: for a setting that the method does not have, or a name that is none.
    """
    known = method(name)
    name, settings = known.name, at_effort(known.name, settings)
    if unknown := [given for given in settings if given not in known.open()]:
        hint = did_you_mean(unknown[0], known.open())
        raise TypeError(f"unknown setting {unknown[0]!r} of {name}. {hint}Known are {', '.join(sorted(known.open()))}")
    return known.kind(**{**known.settings, **settings})
