"""Running out of memory: how to tell, and what to do about it."""

from __future__ import annotations

import gc

import torch

from worker.contract import RunConfig
from worker.devices.c_library import give_back_freed_memory
from worker.errors import DeviceError

_SAID_BY_ALLOCATORS = (
    "out of memory", "can't allocate memory", "not enough memory",  # CUDA and Apple, Linux, Windows
    "alloc_failed", "cublascreate", "failed to cuda calloc",  # cuBLAS and cuDNN, cuBLAS as it begins, NCCL
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that a GPU's memory or the machine's is full. Only CUDA has a type of its own for it."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID_BY_ALLOCATORS)


def smaller_batch(batch_size: int, window: int) -> int | None:
    """The largest batch of at most half the size by which a ``window`` of examples can be divided; None below 1."""
    return next((size for size in range(batch_size // 2, 0, -1) if window % size == 0), None)


def free_unused() -> None:
    """Gives back what is not in use any more, so that what comes next does not fail for it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    give_back_freed_memory()


def out_of_memory(device: torch.device, config: RunConfig, batch_size: int, max_length: int) -> DeviceError:
    """The error that tells a person what would fit, in numbers of this run. ``batch_size``: the one that did not."""
    window = config.batch_size * config.gradient_accumulation_steps
    advice = []
    if smaller := smaller_batch(batch_size, window):
        advice.append(
            f"Set Batch size to {smaller} and Gradient accumulation to {window // smaller}: an update still learns from"
            f" {window} examples, so the result stays the same."
        )
    if max_length > 8:
        advice.append(f"Set Max length to {max(8, max_length // 2)} tokens instead of {max_length}.")
    if not config.gradient_checkpointing:
        advice.append("Switch on Gradient checkpointing.")
    if config.method == "full":
        advice.append("Set Method to lora, which trains far fewer weights.")
    advice.append("Choose a smaller model.")
    memory = "This machine's memory" if device.type == "cpu" else f"The memory of {device}"
    return DeviceError(f"{memory} is full at batch size {batch_size}.", " ".join(advice))
