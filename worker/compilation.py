"""Compiling the model's body: less time for each update, after a minute or so in which nothing seems to happen."""

from __future__ import annotations

from typing import Literal

import torch

from worker.batching import Batch
from worker.forward import Forward

_UPDATES_TO_PAY = 2000  # below, compiling takes longer than it saves


def should_compile(setting: Literal["auto", "on", "off"], device: torch.device, total_steps: int) -> bool:
    """Whether a run of ``total_steps`` updates is to be compiled; ``auto`` does so on CUDA, in a run long enough to gain."""
    if setting == "auto":
        return device.type == "cuda" and total_steps >= _UPDATES_TO_PAY
    return setting == "on"


def compile_body(forward: Forward, batch: Batch) -> str | None:
    """Compiles what ``forward`` trains, all but the output head and the loss, for batches of the shape of ``batch``.

    It is tried out on that batch, forward and backward; gradients and random numbers are left as they were before the
    first update. If it fails, nothing is compiled, and a sentence for a person is returned.
    """
    device = batch.inputs.device
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            forward.compile_body()
            forward(batch).backward()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - compilers fail in many ways, and training needs none of them
        forward.use_plain_body()
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"The model could not be compiled, so training goes on without: {first_line}"
    finally:
        forward.zero_grad(set_to_none=True)
    return None
