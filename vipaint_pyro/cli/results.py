"""What a run leaves on disk: a folder of pictures, the fitted guide and run.json."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.cli.metadata import fitting
from vipaint_pyro.cli.page_lead import noun_of
from vipaint_pyro.cli.run_page import PAGE, run_page
from vipaint_pyro.cli.shown import Shown, shown_bound, shown_levels, shown_samples
from vipaint_pyro.evaluation.described import codes_of
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.files import replacing, write_tensors
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.pipelines.vipaint import VIPaintOutput
from vipaint_pyro.plots import bound_terms, most_different, observed_picture
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.settings import settled

__all__ = ["Run", "write_run"]


@dataclass
class Run:
    """One image, what was asked of it and what came out.

    Attributes:
        unit: the image (C, H, W) in [0, 1]; hidden pixels are shown only if it is the truth. None where a
            measurement is all there is.
        observed: (1, H, W); None for a restoration.
        measured: of a restoration, the picture that was measured (C', H', W') in [0, 1].
        output: of the pipeline with ``output_type="pt"``, for this image alone.
        sampler: the settings, settled.
        facts: anything else that run.json should say (paths, seed, label, metrics ...).
        is_truth: whether ``unit`` is the truth, hidden pixels included.
        keep: writes the guide to a folder so that it can be drawn from again, where that can be.
        metadata: of the picture's file, as :func:`vipaint_pyro.cli.metadata.metadata_of` has it.
    """

    unit: Tensor | None
    observed: Tensor | None
    measured: Tensor | None
    output: VIPaintOutput
    sampler: Sampler
    facts: dict
    is_truth: bool = False
    keep: Callable[[Path], None] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def write_run(folder: Path, overwrite: bool | Callable[[Path], bool], run: Run, named: Path | None = None) -> None:
    """Write a run's files, all or none, as :func:`vipaint_pyro.files.replacing` does.

    ``observed.png``, ``sample-00.png`` ..., ``prediction-00.png`` ... (observed pixels not put back),
    ``mean.png`` and ``std.png`` (white = ``std_white`` of run.json), ``grid.png``, ``levels.png``,
    ``spread.png``, of two or more samples ``directions.png``, of a method that fits ``bound.png`` and
    ``guide.safetensors``, where the guide can be drawn from
    again the other files of :func:`vipaint_pyro.save_guide`, ``run.json``, and ``report.html`` with all of it.

    Args:
        folder: where they are written.
        overwrite: whether, or which, an earlier run is replaced.
        run: what is written.
        named: what the page calls the folder, where it is going to be moved.
    """
    samples = torch.as_tensor(run.output.images, device="cpu")
    count = len(samples)
    mean = samples.mean(0)
    std = samples.std(0) if count > 1 else torch.zeros_like(mean)
    white = float(std.max()) or 1.0
    with replacing(folder, overwrite) as out:
        if run.measured is None:
            assert run.unit is not None and run.observed is not None
            observed = observed_picture(run.unit, run.observed)
        else:
            observed = to_output(run.measured[None], "pil")[0]
        observed.save(out / "observed.png")
        for kind, batch in (("sample", samples), ("prediction", torch.as_tensor(run.output.predictions, device="cpu"))):
            for i, picture in enumerate(to_output(batch, "pil")):
                more = fitting(run.metadata, picture.mode) if kind == "sample" else {}
                picture.save(out / f"{kind}-{i:02d}.png", **more)
        for name, x in (("mean", mean), ("std", std / white)):
            to_output(x[None], "pil")[0].save(out / f"{name}.png")
        shown = _shown(run, observed, samples)
        for name, one in shown.items():
            one.figure.savefig(out / f"{name}.png")
        if run.keep is not None:
            run.keep(out)
        elif run.output.guide is not None:
            write_tensors(out / "guide.safetensors", run.output.guide.state_dict())
        facts = _finite(_facts(run, count, white))
        page = run_page(
            out, named or folder, facts, shown=shown, order=most_different(samples), drawn_from=run.keep is not None
        )
        (out / PAGE).write_text(page, encoding="utf-8")
        (out / "run.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n")


def _shown(run: Run, observed: PIL.Image.Image, samples: Tensor) -> dict[str, Shown]:
    """File name -> figure, in the order in which they are looked at."""
    hole, noun = None if run.observed is None else ~run.observed, noun_of(run.facts)
    trace, levels = run.output.trace, {t: from_model(x[:, 0].cpu()) for t, x in run.output.samples.levels.items()}
    return {
        **shown_samples(samples, observed, run.unit if run.is_truth else None, hole, noun),
        **shown_levels(levels, samples, observed, noun),
        **({} if trace is None else shown_bound(trace.terms, timesteps_of(run.sampler))),
    }


def timesteps_of(sampler: Sampler) -> tuple[int, ...]:
    """T_e > ... > T_s of VIPaint's guide; of other methods none."""
    return tuple(settled(sampler.timesteps)) if isinstance(sampler, VIPaintSampler) else ()


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, which JSON has none for."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ended(fit: FitResult | None) -> dict:
    """After how many steps the fit of the image ended, and why."""
    return {} if fit is None or not fit.steps else {"fit": {"steps": fit.steps[0], "ended": fit.ended[0]}}


def _facts(run: Run, count: int, white: float) -> dict:
    trace = run.output.trace
    terms = [] if trace is None else bound_terms(trace.terms, timesteps_of(run.sampler))
    return {
        **run.facts,
        "settings": asdict(cast(Any, run.sampler)),
        **({"code": codes} if (codes := codes_of(run.sampler)) else {}),
        "num_samples": count,
        "hidden_fraction": None if run.observed is None else float((~run.observed).float().mean()),
        "seconds": run.output.samples.seconds,
        "denoiser_calls": run.output.samples.calls,
        **_ended(trace),
        "correction": run.output.samples.diagnostics,
        "bound_terms_nats_per_dim": {t.name: t.values.tolist() for t in terms},
        "std_white": white,
        "versions": versions(),
        "device": str(run.output.samples.images.device),
    }
