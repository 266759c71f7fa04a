"""``vipaint priors NAME``: what one prior is, once its networks are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import diffusers

from vipaint_pyro.pipelines import VIPaintPipeline
from vipaint_pyro.priors.fingerprints import fingerprint
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.samplers.vipaint.levels import RATIOS, timesteps_for
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["facts_of_prior", "lines_of_prior", "size_in_words"]


def size_in_words(image_shape: Sequence[int]) -> str:
    """(C, H, W) as people say it."""
    channels, height, width = image_shape
    return f"{width}x{height} {'grey' if channels == 1 else 'colour'}"


def facts_of_prior(name: str) -> dict[str, Any]:
    """A prior as JSON has it; see :func:`vipaint_pyro.cli.documents.priors_json`.

    Args:
        name: of a built-in one, a folder or a hub id.

    Raises:
        ValueError, OSError: where it is no prior that can be loaded; says why.
    """
    diffusers.utils.logging.disable_progress_bar()
    pipe = VIPaintPipeline.from_pretrained(name)
    prior = pipe.prior
    network, times = prior.denoiser.network, prior.schedule.num_timesteps
    return {
        "name": name,
        "summary": BUILT_IN[name].line if name in BUILT_IN else "",
        "labels": list(prior.class_names or ()),
        "classes": prior.num_classes,
        "unlabelled": prior.num_classes is None or prior.null_class is not None,
        "text": bool(prior.needs),
        "image_shape": list(prior.image_shape),
        "latent_shape": list(prior.latent_shape),
        "latent": prior.is_latent,
        "network": type(network).__name__,
        "predicts": type(prior.denoiser).__name__.removesuffix("Denoiser").lower(),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "precision": str(prior.dtype).removeprefix("torch."),
        "times": times,
        "noise_levels": [_ratio(prior, 0), _ratio(prior, prior.schedule.last)],
        "timesteps": {str(levels): list(timesteps_for(prior, levels)) for levels in RATIOS if levels <= times},
        "kind_known": pipe.kind is not None,
        "weights": fingerprint(prior),
    }


def lines_of_prior(name: str) -> Iterator[str]:
    """The same in lines."""
    said = facts_of_prior(name)
    low, high = ("all noise" if ratio is None else f"{ratio:.3g}" for ratio in said["noise_levels"])
    yield f"{name}: {said['summary'] or said['network']}"
    images = f"{size_in_words(said['image_shape'])}, (C, H, W) = {tuple(said['image_shape'])}"
    yield _line("images", images + (f", decoded from z of {tuple(said['latent_shape'])}" if said["latent"] else ""))
    yield _line("network", f"{said['network']}, predicts {said['predicts']}, {said['parameters']:,} parameters, "
                f"{said['precision']}; weights {said['weights']}")  # fmt: skip
    yield _line("noise schedule", f"times 0 to {said['times'] - 1}, sigma/alpha {low} to {high}")
    for levels, times in said["timesteps"].items():
        yield _line(counted(int(levels), "level"), f"T_e ... T_s at {', '.join(map(str, times))}")
    yield _line("pictures of its kind", "known: a run says where yours is not one" if said["kind_known"] else "unknown")
    yield _line("told", _told(said))
    yield from wrap(", ".join(said["labels"]), 110, initial_indent=f"  {'--label':22s}", subsequent_indent=" " * 24)


def _line(what: str, text: str) -> str:
    return f"  {what:22s}{text}"


def _told(said: Mapping[str, Any]) -> str:
    """What a run may tell the network of a picture."""
    if said["text"]:
        return "a prompt (--prompt)"
    if said["classes"] is None:
        return "nothing of a picture: it takes neither labels nor prompts"
    return f"one of {said['classes']} labels" + (", or none" if said["unlabelled"] else ", which each picture needs")


def _ratio(prior: DiffusionPrior, t: int) -> float | None:
    """sigma_t / alpha_t; None where nothing is left of the image."""
    alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    return sigma / alpha if alpha else None
