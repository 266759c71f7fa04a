"""What the page needs beside the package, looked for without importing it."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["check_gradio"]


def check_gradio() -> None:
    """Raise ImportError where gradio is missing, with what to install."""
    if find_spec("gradio") is None:
        raise ImportError(
            "the web page needs the extra 'app': pip install 'vipaint-pyro[app]', or '.[app]' from a clone"
        )
