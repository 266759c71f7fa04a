"""A prior from the hub, asked first whether it answers."""

from __future__ import annotations

from pathlib import Path

__all__ = ["download"]

_OFFLINE = "to work offline, give the prior's folder, or set HF_HUB_OFFLINE=1 where it was fetched before"


def download(name: str, others: str, **options) -> Path:
    """The folder of a snapshot of a hub id.

    The hub has ten seconds to answer (``HF_HUB_ETAG_TIMEOUT`` says how many); after that, what was fetched before is
    taken.

    Args:
        name: ``owner/name``.
        others: what else the name might have been, for the message.
        options: ``revision``, ``variant``, ``cache_dir``, ``local_files_only`` ... of ``DiffusionPipeline.download``.

    Raises:
        OSError: where the hub does not answer or does not know the id, and nothing was fetched before.
    """
    from diffusers import DiffusionPipeline
    from huggingface_hub import constants

    silent = None if options.get("local_files_only") or constants.HF_HUB_OFFLINE else _silence(name, options)
    if silent:
        options = {**options, "local_files_only": True}
    try:
        return Path(DiffusionPipeline.download(name, use_safetensors=True, **options))
    except Exception as error:  # the hub's own errors are many, and some are not exported
        said = f"prior {name!r} is no built-in prior ({others}) and no folder here, and the hub did not give it: "
        if silent:
            raise OSError(f"{said}{silent}; {_OFFLINE}") from error
        cause = error
        while cause.__cause__ or cause.__context__:  # diffusers' own message points at a stack trace
            cause = cause.__cause__ or cause.__context__
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise OSError(f"{said}{reason}. Check the id and the network; {_OFFLINE}") from error


def _silence(name: str, options: dict) -> str | None:
    """Why the hub cannot be asked, or None where it answers (with whatever)."""
    import httpx
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    seconds = constants.HF_HUB_ETAG_TIMEOUT
    try:
        HfApi().model_info(name, revision=options.get("revision"), token=options.get("token"), timeout=seconds)
    except httpx.TimeoutException:
        return f"{constants.ENDPOINT} did not answer within {seconds:g} s"
    except (HfHubHTTPError, HFValidationError):  # an answer, which the download says
        return None
    except (httpx.HTTPError, OSError) as error:
        return f"{constants.ENDPOINT} cannot be reached ({error})"
    return None
