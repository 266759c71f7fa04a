"""A hub that does not answer: one line, after a stated time, with the way to work without it."""

import socket
import time

import pytest
from huggingface_hub import constants

from vipaint_pyro.priors.pretrained.folder import resolve


@pytest.fixture
def silent_hub(monkeypatch, tmp_path):
    """A server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name, value in {
            "ENDPOINT": address, "HF_HUB_ETAG_TIMEOUT": 0.3, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": False,
        }.items():  # fmt: skip
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", address)
        yield address


def test_a_hub_that_never_answers_is_left_after_its_time(silent_hub, tmp_path):
    start = time.monotonic()
    with pytest.raises(OSError, match=rf"{silent_hub} did not answer within 0.3 s; to work offline, give") as caught:
        resolve("owner/name", cache_dir=str(tmp_path))
    assert time.monotonic() - start < 10
    assert "HF_HUB_OFFLINE=1" in str(caught.value) and "\n" not in str(caught.value)


def test_offline_nobody_is_asked(silent_hub, tmp_path):
    start = time.monotonic()
    with pytest.raises(OSError, match="the hub did not give it: .*HF_HUB_OFFLINE"):
        resolve("owner/name", cache_dir=str(tmp_path), local_files_only=True)
    assert time.monotonic() - start < 10


def test_the_stated_time_is_ten_seconds():
    """That of huggingface_hub, where HF_HUB_ETAG_TIMEOUT says nothing else."""
    assert constants.DEFAULT_ETAG_TIMEOUT == 10
