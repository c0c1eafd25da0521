"""What the machine does while a run trains: sampled between updates, so that it costs no thread and no process."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pynvml
import torch

from worker.contract import SystemEvent
from worker.devices.memory_usage import resident_bytes

SAMPLE_EVERY_S = 5.0


class Telemetry:
    """Hands a sample to ``report`` at the first update and then every few seconds."""

    def __init__(self, device: torch.device, run_dir: Path, report: Callable[[Any], None]) -> None:
        self._device, self._run_dir, self._report = device, run_dir, report
        self._due = 0.0
        psutil.cpu_percent()  # the next call tells of the time since this one

    def note(self, step: int) -> None:
        """Update ``step`` has been made."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + SAMPLE_EVERY_S
        self._report(
            SystemEvent(
                step=step,
                cpu_percent=psutil.cpu_percent(),
                memory_bytes=resident_bytes(),
                disk_free_bytes=shutil.disk_usage(self._run_dir).free,
                **self._of_gpu(),
            )
        )

    def _of_gpu(self) -> dict[str, Any]:
        """What torch, which knows the card's number under CUDA_VISIBLE_DEVICES, learns from the driver."""
        if self._device.type != "cuda":
            return {}
        try:
            return {
                "gpu_percent": torch.cuda.utilization(self._device),
                "gpu_memory_bytes": torch.cuda.device_memory_used(self._device),
                "gpu_temperature": torch.cuda.temperature(self._device),
                "gpu_power": torch.cuda.power_draw(self._device) / 1000,
            }
        except (pynvml.NVMLError, RuntimeError):  # a driver that does not tell, as within some virtual machines
            return {}
