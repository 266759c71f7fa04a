"""A fitted guide in a folder: its parameters, and all that is needed to draw from it again."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.alone import alone
from vipaint_pyro.files import write_tensors, write_text
from vipaint_pyro.files.reading_back import digest_of, read_tensors
from vipaint_pyro.guides import Guide, make_guide
from vipaint_pyro.guides.auto import PyroAutoGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Noiseless
from vipaint_pyro.measurements.measurement import Measurement, check_measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.places import code_of
from vipaint_pyro.priors.diffusion import DiffusionPrior, check_prior
from vipaint_pyro.priors.fingerprints import fingerprint
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.settings import settled

__all__ = ["FILES", "SavedGuide", "guide_facts", "load_guide", "save_guide", "settings_of"]

#: Of the folder; another number is another layout.
FORMAT = 1

#: What :func:`save_guide` writes; the JSON comes last, so that a folder without it is none.
FILES = ("guide.safetensors", "measurement.safetensors", "guide.json")


@dataclass(frozen=True, eq=False)
class SavedGuide:
    """What :func:`load_guide` finds.

    Attributes:
        guide: fitted, with its model.
        sampler: the settings, settled; ``sampler.from_guide(guide)`` draws and refines.
        measurement: that the guide was fitted to.
        image: the picture in [0, 1], (N, C, H, W), where one was kept.
        streams: where each generator stood after the fit, where that was kept.
        facts: that were kept beside.
    """

    guide: Guide
    sampler: VIPaintSampler
    measurement: Measurement
    image: Tensor | None = None
    streams: list[Tensor] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def save_guide(
    folder: str | Path,
    guide: Guide,
    sampler: VIPaintSampler,
    measurement: Measurement,
    *,
    image: Tensor | None = None,
    streams: Sequence[Tensor] = (),
    facts: Mapping[str, object] | None = None,
) -> None:
    """Write a fitted guide to a folder, for :func:`load_guide`.

    ``guide.safetensors`` holds its ``state_dict()``, ``measurement.safetensors`` y, the mask and what else is given,
    ``guide.json`` the settings, a fingerprint of the prior's weights and digests of both. A guide that was there is
    replaced; other files stay.

    Args:
        folder: it is made where there is none.
        guide: fitted by ``sampler``.
        sampler: the settings; they are settled on the guide's prior.
        measurement: that the guide was fitted to. Of any other than an inpainting whose noise is not known y alone is
            kept.
        image: the picture in [0, 1], (N, C, H, W), whose known pixels are put back into what is drawn.
        streams: where each generator stands, as ``streams`` of the fit's record has it.
        facts: what else is to be known, as JSON has it.

    Raises:
        TypeError, ValueError: for a guide of another model than the sampler's.
        OSError: where the folder cannot be written.
    """
    check_measurement(measurement)
    if not isinstance(sampler, VIPaintSampler) or not isinstance(guide, Guide):
        raise TypeError(
            f"a VIPaintSampler and the guide that it has fitted are saved, not a {type(sampler).__name__} and a "
            f"{type(guide).__name__}"
        )
    if not isinstance(guide.model, DiffusionModel):
        raise ValueError("a guide of the clean image is its own answer: there is nothing to draw from it")
    prior = guide.model.prior
    settled = sampler.from_guide(guide).settle(prior, measurement).sampler
    kept = {"y": measurement.y}
    if isinstance(measurement.operator, Inpainting) and isinstance(measurement.likelihood, Noiseless):
        kept["observed"] = measurement.operator.observed
    if image is not None:
        kept["image"] = image
    kept |= {f"stream/{i}": state for i, state in enumerate(streams)}
    parameters = {name: value.clone() for name, value in guide.state_dict().items()}
    said = {
        "format": FORMAT,
        "guide": guide.kind if isinstance(guide, PyroAutoGuide) else settled.guide_name,
        "settings": settings_of(settled),
        "code": code_of(str(settled.guide_name)),  # of a guide of one's own, else ""
        "weights": fingerprint(prior),
        "sha256": {"guide.safetensors": digest_of(parameters), "measurement.safetensors": digest_of(kept)},
        "facts": dict(facts or {}),
    }
    text = json.dumps(said, indent=2, allow_nan=False) + "\n"
    folder = Path(folder)
    (folder / "guide.json").unlink(missing_ok=True)
    write_tensors(folder / "guide.safetensors", parameters)
    write_tensors(folder / "measurement.safetensors", kept)
    write_text(folder / "guide.json", text)


def guide_facts(folder: str | Path) -> dict:
    """What ``guide.json`` of a folder says.

    Raises:
        ValueError: where the folder holds no guide, a damaged one, or one of another format.
    """
    path = Path(folder) / "guide.json"
    if not path.is_file():
        if (Path(folder) / "guide.safetensors").is_file():
            raise ValueError(
                f"{folder} holds parameters of a guide and no guide.json, as vipaint restore leaves it, from which "
                "nothing can be drawn: restore once more, with another --seed"
            )
        no = "holds no fitted guide" if Path(folder).is_dir() else "is no folder, and so holds no fitted guide"
        raise ValueError(f"{folder} {no}: vipaint fit and vipaint inpaint write one, or vipaint_pyro.save_guide")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        form = said["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged, or was not written by vipaint") from error
    if form != FORMAT:
        raise ValueError(f"{path} has the format {form!r}, and this version of vipaint-pyro reads {FORMAT}: fit again")
    kinds = {"guide": str, "settings": dict, "weights": str, "sha256": dict, "facts": dict}
    for name, kind in kinds.items():
        if not isinstance(said.get(name), kind):
            raise ValueError(f"{path} is damaged: it has no {name}")
    return said


def load_guide(folder: str | Path, prior: DiffusionPrior, measurement: Measurement | None = None) -> SavedGuide:
    """The guide that :func:`save_guide` wrote, ready to be drawn from without a fit.

    Args:
        folder: written by it, by ``vipaint fit`` or by ``vipaint inpaint``.
        prior: of the same weights, and conditioned on the same labels or text.
        measurement: of another operator than a mask, or with noise of its own, which are code and not kept; with the
            y of then.

    Raises:
        ValueError: where the folder holds no guide, a damaged one, one of another format, of other weights, or of
            another measurement.
    """
    check_prior(prior)
    said, folder = guide_facts(folder), Path(folder)
    found = {name: read_tensors(folder / name)[0] for name in FILES[:2]}
    for name, tensors in found.items():
        if said["sha256"].get(name) != digest_of(tensors):
            raise ValueError(f"{folder / name} is damaged: its numbers are not those that were written")
    weights = fingerprint(prior)
    if weights != said["weights"]:
        raise ValueError(
            f"the guide in {folder} was fitted under other weights ({said['weights']}) than this prior's ({weights}): "
            "give the prior and the precision that it was fitted with"
        )
    parameters, kept = found.values()
    measurement = _measurement(folder, kept, measurement)
    sampler = _sampler(folder, said["settings"]).settle(prior, measurement)
    seen_prior, seen = sampler.prepared(prior, measurement.to(prior.device, prior.dtype))
    # One that has changed when it was finished is made without them.
    settings = settled(sampler.guide_settings) if said["guide"] == sampler.guide_name else {}
    with alone(), seen_prior.frozen():
        guide = make_guide(said["guide"], sampler.model(seen_prior, seen), seen, **settings)
    try:
        guide.load_state_dict(parameters)
    except RuntimeError as error:
        raise ValueError(f"{folder / FILES[0]} holds no parameters of a {said['guide']!r} guide") from error
    guide.fitted_to = seen.y
    code = code_of(str(sampler.guide_name))
    if said.get("code", code) != code:  # folders of before have none
        warnings.warn(f"the code of {said['guide']} has changed since the guide in {folder} was fitted: what is drawn "
                      "is of that fit's parameters and today's code", stacklevel=2)  # fmt: skip
    streams = [kept[name] for name in (f"stream/{i}" for i in range(len(kept))) if name in kept]
    return SavedGuide(guide, sampler, measurement, kept.get("image"), streams, said["facts"])


def _measurement(folder: Path, kept: Mapping[str, Tensor], given: Measurement | None) -> Measurement:
    """The one that was kept, or the given one where its operator was not."""
    if given is None and "observed" not in kept:
        raise ValueError(
            f"the guide in {folder} was fitted to another measurement than a mask and y without noise, which "
            "is not kept: load_guide(folder, prior, measurement=...)"
        )
    if given is None:
        return Measurement.of(Inpainting(kept["observed"]), kept["y"])
    check_measurement(given)
    y = given.y.cpu()
    if y.shape != kept["y"].shape or not torch.equal(y.to(kept["y"].dtype), kept["y"]):
        raise ValueError(f"the guide in {folder} was fitted to another y: give that, or fit one to this")
    return given


def settings_of(settled: VIPaintSampler) -> dict[str, object]:
    """Settled settings as JSON has them: infinite ones, which say that there is nothing to settle on, as null."""
    return {name: _plain(value) for name, value in asdict(settled).items()}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def _sampler(folder: Path, settings: Mapping[str, object]) -> VIPaintSampler:
    known = {f.name: f for f in fields(VIPaintSampler)}
    if settings.keys() != known.keys():
        other = ", ".join(sorted(settings.keys() ^ known.keys()))
        raise ValueError(f"{folder / 'guide.json'} has other settings than this version of vipaint-pyro ({other}): "
                         "fit again")  # fmt: skip
    values: dict[str, Any] = {n: known[n].metadata["nothing"] if v is None else v for n, v in settings.items()}
    return VIPaintSampler(**{**values, "timesteps": tuple(values["timesteps"])})
