"""What the C library does with memory that is freed. Of glibc alone, which has these calls."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # as malloc.h numbers them
_NEVER = 2**31 - 1  # bytes


def keep_freed_memory() -> None:
    """Has what is freed from now on kept for what comes next, instead of being given back to the system.

    Every update makes and frees tensors of the same sizes, and the system hands out memory page by page, each cleared: of a
    model of 124 million weights this was a seventh of an update's time, of long texts a third. The most that a run takes at
    once grows by a twentieth to an eighth, as what is kept lies between what is in use.
    """
    if mallopt := _of_glibc("mallopt"):
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)


def give_back_freed_memory() -> None:
    """Gives back what was kept and is not in use."""
    if trim := _of_glibc("malloc_trim"):
        trim(0)


def _of_glibc(name: str) -> Callable[..., Any] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
