"""How much memory a process may take."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil


def keep_to_what_is_free() -> None:
    """Has Linux refuse this process more memory than is free now. It would promise more, and then kill the largest process
    of all."""
    if sys.platform == "linux":
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        most = taken + psutil.virtual_memory().available
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
