"""A prior from the hub, asked first whether it answers."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import Any

__all__ = ["download"]

_OFFLINE = "to work offline, give the prior's folder, or set HF_HUB_OFFLINE=1 where it was fetched before"


def download(name: str, others: str, **options: Any) -> Path:
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

    silent = None if options.get("local_files_only") or constants.HF_HUB_OFFLINE else _silence(name)
    if silent:
        options = {**options, "local_files_only": True}
    try:
        return Path(DiffusionPipeline.download(name, use_safetensors=True, **options))
    except Exception as error:  # the hub's own errors are many, and some are not exported
        said = f"prior {name!r} is no built-in prior ({others}) and no folder here, and the hub did not give it: "
        if silent:
            raise OSError(f"{said}{silent}; {_OFFLINE}") from error
        cause: BaseException = error
        while (deeper := cause.__cause__ or cause.__context__) is not None:  # diffusers' own points at a stack trace
            cause = deeper
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise OSError(f"{said}{reason}. Check the id and the network; {_OFFLINE}") from error


def _silence(name: str) -> str | None:
    """That the hub does not answer in time, in words; None where it answers, with whatever, or refuses at once."""
    from urllib.error import URLError
    from urllib.parse import quote
    from urllib.request import urlopen

    from huggingface_hub import constants

    seconds = constants.HF_HUB_ETAG_TIMEOUT
    try:
        urlopen(f"{constants.ENDPOINT}/api/models/{quote(name)}", timeout=seconds).close()
    except TimeoutError:
        pass
    except (URLError, OSError, HTTPException, ValueError) as error:  # what it is, the download says
        if not isinstance(error, URLError) or not isinstance(error.reason, TimeoutError):
            return None
    else:
        return None
    return f"{constants.ENDPOINT} did not answer within {seconds:g} s"
