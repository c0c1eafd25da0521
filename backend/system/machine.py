"""What this machine is doing now: processors, memory, disk, GPUs. Shown beside every page that watches runs."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import psutil
import pynvml

from backend.schemas.system import Gpu, Machine

FRESH_S = 1.0
"""Whoever asks again sooner is told the same: a thousand streams take one sample."""


class Sampler:
    """``now()`` may be called on the event loop: it takes a millisecond or so."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._latest: Machine | None = None
        self._taken = 0.0
        self._gpus = _handles()
        self._times = psutil.cpu_times()

    def now(self) -> Machine:
        if self._latest is None or time.monotonic() - self._taken > FRESH_S:
            self._taken = time.monotonic()
            self._latest = self._sample()
        return self._latest

    def _sample(self) -> Machine:
        memory, disk = psutil.virtual_memory(), shutil.disk_usage(self._data_dir)
        return Machine(
            cpu_percent=self._cpu_percent(),
            memory_used_bytes=memory.total - memory.available,
            memory_bytes=memory.total,
            disk_free_bytes=disk.free,
            disk_bytes=disk.total,
            gpus=[_gpu(number, handle) for number, handle in enumerate(self._gpus)],
        )

    def _cpu_percent(self) -> float:
        """Since the sample before. psutil's own function would keep one before for each thread that asks."""
        before, self._times = self._times, psutil.cpu_times()
        spent = [now - then for now, then in zip(self._times, before, strict=True)]
        idle = self._times.idle - before.idle + getattr(self._times, "iowait", 0.0) - getattr(before, "iowait", 0.0)
        return round(100 * (1 - idle / sum(spent)), 1) if sum(spent) else 0.0


def _handles() -> list[pynvml.c_nvmlDevice_t]:
    """The driver's GPUs, in its own order; none where there is no driver."""
    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _gpu(number: int, handle: pynvml.c_nvmlDevice_t) -> Gpu:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    gpu = Gpu(number=number, name=pynvml.nvmlDeviceGetName(handle), memory_used_bytes=memory.used, memory_bytes=memory.total)
    try:  # some virtual machines' drivers tell of memory alone
        gpu.percent = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
        gpu.temperature = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
        gpu.power = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
    except pynvml.NVMLError:
        pass
    return gpu
