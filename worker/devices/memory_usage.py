"""How much memory this process takes, and has taken."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import torch

_STATUS = Path("/proc/self/status")


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory since this process began: on a CUDA device what torch had in use there, else resident in RAM."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():  # rusage would count what the process was before it became this program, too
        return _kilobytes("VmHWM") * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """What of this process is in RAM now."""
    return int(psutil.Process().memory_info().rss)


def _kilobytes(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
