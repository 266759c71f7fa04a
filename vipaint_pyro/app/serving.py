"""The server of the page. Importing it imports gradio, which must not report to anybody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vipaint_pyro.app.house import House
from vipaint_pyro.app.needed import check_gradio

if TYPE_CHECKING:
    import gradio as gr

__all__ = ["Address", "check_address", "serve"]

#: The name that a password is asked for with.
USER = "vipaint"


@dataclass(frozen=True)
class Address:
    """Where a page is served.

    Attributes:
        host: 127.0.0.1 is this machine alone.
        port: None for a free one from 7860 on.
        share: whether a public link is made, through a server of gradio's.
        password: asked of every visitor, whose name is ``vipaint``.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    share: bool = False
    password: str | None = None


def check_address(address: Address) -> None:
    """Raise ValueError for a public link without a password, or a password that is none."""
    if address.password is not None and not address.password.strip():
        raise ValueError("the password is empty: give another one")
    if address.share and address.password is None:
        raise ValueError("share makes a link that anybody can open: give a password with it, --share --password ...")


def serve(house: House, address: Address, wait: bool = True) -> tuple[gr.Blocks, str]:
    """Serve the page until Ctrl-C, or with ``wait=False`` until its ``close()``.

    Returns:
        gradio's blocks, and the URL on this machine.

    Raises:
        ImportError: where gradio is missing.
        ValueError: as :func:`check_address`.
        OSError: where the port is taken.
    """
    check_address(address)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    check_gradio()
    from vipaint_pyro.app.page import CSS, page, theme

    blocks = page(house)
    _, url, _ = blocks.launch(
        server_name=address.host, server_port=address.port, share=address.share, quiet=True,
        auth=None if address.password is None else (USER, address.password), prevent_thread_lock=not wait,
        css=CSS, theme=theme(), footer_links=[], run_history=False, ssr_mode=False, show_error=True, mcp_server=False,
        max_file_size="64mb", enable_monitoring=False,
    )  # fmt: skip
    return blocks, url
