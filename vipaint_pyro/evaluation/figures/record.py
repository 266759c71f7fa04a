"""What the file beside a figure says of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.registry import Figure
from vipaint_pyro.evaluation.figures.scene import Scene
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.priors.fingerprints import fingerprint

__all__ = ["facts_of"]


def facts_of(figure: Figure, scene: Scene, plan: Plan, more: Mapping[str, object]) -> dict[str, object]:
    """All that a figure depends on: its plan, the images and their holes, seeds, weights, versions."""
    first, count = scene.first, len(scene)
    return {
        "figure": figure.number,
        "title": figure.title,
        "paper": "arXiv:2411.18929",
        **more,
        "images": [*range(first, first + count)],
        "split": "test",
        "labels": None if scene.labels is None else list(scene.labels),
        "masks": figure.masks,
        "hidden": [float(share) for share in (~scene.measurement.operator.observed).float().mean((1, 2, 3))],
        "seeds": scene.seeds,
        "plan": asdict(plan),
        "weights": fingerprint(scene.prior),
        "versions": versions(),
    }
