"""Which device a run trains on."""

from __future__ import annotations

import torch

from worker.contract import Job
from worker.errors import DeviceError


def choose_device(wanted: str, number: int | None = None) -> torch.device:
    """The device to train on; ``auto`` takes a CUDA GPU, else Apple's, else the CPU. Raises DeviceError if absent.

    ``number`` is the process's own among several: each takes the GPU of its number.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(wanted)
    hint = "Set Device to auto or cpu."
    if number is not None and device.type == "mps":
        raise DeviceError("Apple's GPU cannot be shared by several processes.", "Set GPUs to 1.")
    if number is not None and device.type == "cuda":
        device, hint = torch.device("cuda", number), "Set GPUs to the number of GPUs here."
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"There is no {device} here: PyTorch sees {torch.cuda.device_count()} CUDA GPUs.", hint)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("PyTorch sees no Apple GPU here.", hint)
    return device


def device_of(job: Job, number: int | None = None) -> torch.device:
    """The device that ``job`` trains on, as ``choose_device`` finds it. A GPU becomes the one that is meant where none is
    named, as by pinned memory and events."""
    device = choose_device(job.config.device if job.device == "auto" else job.device, number)
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
        torch.cuda.set_device(device)
    return device
