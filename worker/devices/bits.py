"""Whether bitsandbytes, an extra that computes with few bits, can be used on a device."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import torch

from worker.errors import DeviceError


def require_bitsandbytes(
    what: str, device: torch.device, hint: str, failed: str, attempt: Callable[[], object] | None
) -> None:
    """Raises DeviceError if ``what`` is wanted and cannot be had on ``device``, with a ``hint`` to what can be done without.

    ``attempt``, if there is one, tries a little of it; that it ``failed`` is how the sentence begins if it does.
    """
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"{what} has not been made to work on {device.type}.", hint)
    if find_spec("bitsandbytes") is None:
        raise DeviceError(
            f"{what} needs the package bitsandbytes, which is not installed.",
            f"Install it with: pip install 'trainboard[bitsandbytes]'. Or: {hint}",
        )
    if attempt is None:
        return
    try:
        attempt()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # each of its missing parts fails in its own way
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DeviceError(f"{failed} on {device.type} here: bitsandbytes says {first_line}", hint) from error
