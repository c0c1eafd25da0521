"""The number format that a run computes in."""

from __future__ import annotations

from typing import Literal

import torch

from worker.errors import DeviceError

Precision = Literal["fp32", "fp16", "bf16"]
AUTOCAST: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""The number format of products; fp32 needs no autocast."""


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """What ``auto`` means on this device: bf16 where a GPU computes it natively, else fp16; fp32 without a CUDA GPU.

    Raises DeviceError for fp16 elsewhere, as only CUDA has the loss scaling that keeps small gradients alive.
    """
    if wanted == "auto":
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if wanted == "fp16" and device.type != "cuda":
        raise DeviceError(f"fp16 needs a CUDA GPU, and this run is on {device.type}.", "Set Precision to auto.")
    if wanted == "bf16":
        return "bf16"
    return "fp16" if wanted == "fp16" else "fp32"
