"""The most memory that a block takes: of the process, or on a GPU torch's."""

from __future__ import annotations

from pathlib import Path

import torch

__all__ = ["Peak"]

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class Peak:
    """From its making on, on a device.

    The high-water mark of a process only rises; where the system lets it be reset (Linux), an item has its own, and
    elsewhere none.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._known = device, True
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            _CLEAR.write_text("5")
        except OSError:
            self._known = False

    def mib(self) -> float | None:
        """The peak since then, in MiB; None where it cannot be said."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        if not self._known:
            return None
        try:
            lines = _STATUS.read_text().splitlines()
        except OSError:
            return None
        found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        return found[0] / 1024 if found else None
