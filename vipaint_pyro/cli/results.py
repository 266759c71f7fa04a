"""What a run leaves on disk: a folder of pictures, the fitted guide and run.json."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.files import replacing, write_tensors
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.pipelines.vipaint import VIPaintOutput
from vipaint_pyro.plots import bound_figure, grid, observed_picture, spread_figure
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

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
    """

    unit: Tensor | None
    observed: Tensor | None
    measured: Tensor | None
    output: VIPaintOutput
    sampler: Sampler
    facts: dict
    is_truth: bool = False
    keep: Callable[[Path], None] | None = None


def write_run(folder: Path, overwrite: bool | Callable[[Path], bool], run: Run) -> None:
    """Write a run's files, all or none, as :func:`vipaint_pyro.files.replacing` does.

    ``observed.png``, ``sample-00.png`` ..., ``prediction-00.png`` ... (observed pixels not put back),
    ``mean.png`` and ``std.png`` (white = ``std_white`` of run.json), ``grid.png``, ``levels.png``,
    ``spread.png``, of a method that fits ``bound.png`` and ``guide.safetensors``, where the guide can be drawn from
    again the other files of :func:`vipaint_pyro.save_guide`, and ``run.json``.
    """
    samples = torch.as_tensor(run.output.images, device="cpu")
    count = len(samples)
    mean = samples.mean(0)
    std = samples.std(0) if count > 1 else torch.zeros_like(mean)
    white = float(std.max()) or 1.0
    with replacing(folder, overwrite) as out:
        if run.measured is None:
            observed = observed_picture(run.unit, run.observed)
        else:
            observed = to_output(run.measured[None], "pil")[0]
        observed.save(out / "observed.png")
        for kind, batch in (("sample", samples), ("prediction", torch.as_tensor(run.output.predictions, device="cpu"))):
            for i, picture in enumerate(to_output(batch, "pil")):
                picture.save(out / f"{kind}-{i:02d}.png")
        for name, x in (("mean", mean), ("std", std / white)):
            to_output(x[None], "pil")[0].save(out / f"{name}.png")
        _grid(run, observed, samples, mean).save(out / "grid.png")
        _levels(run, observed, samples).save(out / "levels.png")
        spread_figure(mean, std.mean(0)).savefig(out / "spread.png")
        fit = run.output.trace
        if fit is not None:
            bound_figure(*_bound(fit, run.sampler)).savefig(out / "bound.png")
        if run.keep is not None:
            run.keep(out)
        elif run.output.guide is not None:
            write_tensors(out / "guide.safetensors", run.output.guide.state_dict())
        (out / "run.json").write_text(json.dumps(_finite(_facts(run, count, white)), indent=2, allow_nan=False) + "\n")


def _grid(run: Run, observed, samples: Tensor, mean: Tensor):
    first = [observed, *to_output(torch.cat([samples, mean[None]]), "pil")]
    labels = ["observed", *[f"sample {i}" for i in range(len(samples))], "mean"]
    if run.is_truth:
        first.insert(0, to_output(run.unit[None], "pil")[0])
        labels.insert(0, "truth")
    return grid([first], labels)


def _levels(run: Run, observed, samples: Tensor):
    """E[x | z_t] of the first samples at each timestep, and after refinement (paper Fig. 1)."""
    levels = run.output.samples.levels
    rows = []
    for i in range(min(4, len(samples))):
        stages = [from_model(x[i, 0].cpu()) for x in levels.values()]
        rows.append([observed, *to_output(torch.stack([*stages, samples[i]]), "pil")])
    return grid(rows, ["observed", *[f"E[x|z_{t}]" for t in levels], "refined"])


def _bound(fit: FitResult, sampler: Sampler) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Terms summed as the paper names them: reconstruction, hierarchical KLs, KL above T_e."""
    terms = {name: term.mean(1) for name, term in fit.terms.items()}
    if not isinstance(sampler, VIPaintSampler):
        return terms, {"y": "reconstruction", "z_0": "regulariser"}
    above = [n for n in ("z_t", "z_s") if n in terms]
    top = sampler.timesteps[0]
    levels = {f"z_{s}": f"KL at {s}" for s in sampler.timesteps[1:]}
    above += [n for n in terms if n.startswith("z_") and n not in levels and n not in above]
    merged = {n: terms[n] for n in ("y", *levels) if n in terms}
    if above:
        merged["above"] = sum(terms[n] for n in above)
    return merged, {"y": "reconstruction", **levels, "above": f"KL at {top} and above"}


def _finite(value):
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
    merged, names = _bound(run.output.trace, run.sampler) if run.output.trace else ({}, {})
    return {
        **run.facts,
        "settings": asdict(run.sampler),
        "num_samples": count,
        "hidden_fraction": None if run.observed is None else float((~run.observed).float().mean()),
        "seconds": run.output.samples.seconds,
        "denoiser_calls": run.output.samples.calls,
        **_ended(run.output.trace),
        "correction": run.output.samples.diagnostics,
        "bound_terms_nats_per_dim": {names[n]: [float(v) for v in merged[n]] for n in merged},
        "std_white": white,
        "versions": versions(),
        "device": str(run.output.samples.images.device),
    }
