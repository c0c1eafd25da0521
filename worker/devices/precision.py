"""The number format that a run computes in."""

from __future__ import annotations

import time
from functools import cache
from typing import Literal

import torch

from worker.errors import DeviceError

Precision = Literal["fp32", "fp16", "bf16"]
AUTOCAST: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""The number format of products; fp32 needs no autocast."""

# Times as fast. A CPU that knows bf16 multiplies 2 (avx512_bf16) to 5 times (AMX) as fast in it, one that does not slower.
_WORTH_IT = 1.5
_WIDTHS = (256, 1024)  # of the products tried: what a feed-forward layer of a small model does
_FIRST, _MORE = (32, 3), (256, 30)  # rows, and how often each product is done
_OUT_OF_THE_QUESTION = 0.25  # a CPU that has to work bf16 out is 50 times slower, and would take seconds


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """What ``auto`` means on this device: on a GPU bf16 if it computes that natively, else fp16; on a CPU what that is fast
    in; fp32 elsewhere.

    Raises DeviceError for fp16 without CUDA, as only that has the loss scaling that keeps small gradients alive.
    """
    if wanted == "auto":
        if device.type != "cuda":
            return best_on_cpu() if device.type == "cpu" else "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if wanted == "fp16" and device.type != "cuda":
        raise DeviceError(f"fp16 needs a CUDA GPU, and this run is on {device.type}.", "Set Precision to auto.")
    if wanted == "bf16":
        return "bf16"
    return "fp16" if wanted == "fp16" else "fp32"


def dtype_of_products(tensor: torch.Tensor) -> torch.dtype:
    """What products of ``tensor`` are computed in: autocast's format where there is one, else its own."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


@cache
def best_on_cpu() -> Precision:
    """bf16 if this CPU was measured to multiply much faster in it than in fp32, else fp32. Takes less than 0.1 s, once."""
    return "bf16" if bf16_gain() >= _WORTH_IT else "fp32"


def bf16_gain() -> float:
    """How many times as fast as in fp32 a core of this CPU multiplies in bf16."""
    gain = _gain(*_FIRST)
    return gain if gain < _OUT_OF_THE_QUESTION else _gain(*_MORE)


def _gain(rows: int, pairs: int) -> float:
    """By the least time of each, in turns, for others may want the core too, and would hold up one of several threads far
    longer."""
    width, wide = _WIDTHS
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        left, right = torch.ones(rows, width), torch.ones(width, wide)
        half = left.bfloat16(), right.bfloat16()
        half[0] @ half[1]  # the first one is prepared
        taken = [(_seconds(left, right), _seconds(*half)) for _ in range(pairs)]
    finally:
        torch.set_num_threads(threads)
    return min(whole for whole, _ in taken) / min(halved for _, halved in taken)


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    started = time.perf_counter()
    left @ right
    return time.perf_counter() - started
